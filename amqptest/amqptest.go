// Package amqptest runs a Warren broker inside a Go test, in the manner of net/http/httptest: on a free port of the
// loopback interface, in memory, gone when the test ends.
//
//	func TestOrders(t *testing.T) {
//		broker := amqptest.NewServer(t)
//		conn, err := amqp091.Dial(broker.URL)
//		…
//	}
//
// Tests that need several brokers start several; they share nothing.
package amqptest

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/warren-mq/warren/broker"
	"github.com/warren-mq/warren/management"
	"github.com/warren-mq/warren/server"
)

// Server is a running broker.
type Server struct {
	// URL is what an AMQP client dials: amqp://guest:guest@127.0.0.1:PORT/
	URL string
	// Addr is host:port of the AMQP listener.
	Addr string
	// ManagementURL is where the HTTP API is: http://127.0.0.1:PORT, without /api. "" with WithoutManagement.
	ManagementURL string
	// Broker is the core, for what a test wants to see or do beyond AMQP.
	Broker *broker.Broker

	amqp       *server.Server
	management *management.Server // nil with WithoutManagement
	served     chan error         // what each Serve returned
	doors      int                // how many Serves run
}

// Option changes how the server is made.
type Option func(*options)

type options struct {
	broker       broker.Config
	server       server.Config
	log          io.Writer
	noManagement bool
}

// WithBroker sets the configuration of the broker.
func WithBroker(c broker.Config) Option { return func(o *options) { o.broker = c } }

// WithServer sets the configuration of the AMQP server.
func WithServer(c server.Config) Option { return func(o *options) { o.server = c } }

// WithLog writes the broker's log to w, as JSON lines. Without it nothing is logged.
func WithLog(w io.Writer) Option { return func(o *options) { o.log = w } }

// WithoutManagement leaves the HTTP API out, for tests that start many brokers.
func WithoutManagement() Option { return func(o *options) { o.noManagement = true } }

// shutdownTimeout bounds the end of a test's broker.
const shutdownTimeout = 10 * time.Second

// NewServer starts a broker that lasts until the test ends. A failure to start fails the test.
func NewServer(t testing.TB, opts ...Option) *Server {
	t.Helper()
	s, err := Start(opts...)
	if err != nil {
		t.Fatalf("amqptest: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("amqptest: %v", err)
		}
	})
	return s
}

// Start starts a broker outside of a test; Close ends it.
func Start(opts ...Option) (*Server, error) {
	o := options{log: io.Discard}
	for _, opt := range opts {
		opt(&o)
	}
	log := zerolog.New(o.log)
	o.broker.Logger = log
	b, err := broker.New(o.broker)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{
		URL:    "amqp://guest:guest@" + l.Addr().String() + "/",
		Addr:   l.Addr().String(),
		Broker: b,
		amqp:   server.New(o.server, b, log),
		served: make(chan error, 2),
	}
	if !o.noManagement {
		if err := s.startManagement(log); err != nil {
			l.Close()
			return nil, err
		}
	}
	s.open(func() error { return ignore(s.amqp.Serve(l), server.ErrClosed) })
	return s, nil
}

func (s *Server) startManagement(log zerolog.Logger) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.ManagementURL = "http://" + l.Addr().String()
	s.management = management.New(management.Config{Listeners: s.listeners}, s.Broker, log)
	s.open(func() error { return ignore(s.management.Serve(l), management.ErrClosed) })
	return nil
}

// open runs a door in a goroutine that ends with its Shutdown; Close waits for it.
func (s *Server) open(serve func() error) {
	s.doors++
	go func() { s.served <- serve() }()
}

func (s *Server) listeners() (list []management.Listener) {
	for _, addr := range s.amqp.Listeners() {
		list = append(list, management.Listener{Protocol: "amqp", Addr: addr})
	}
	return list
}

// Close disconnects all clients and ends the broker.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	var err error
	if s.management != nil {
		err = s.management.Shutdown(ctx)
	}
	err = errors.Join(err, s.amqp.Shutdown(ctx))
	for ; s.doors > 0; s.doors-- {
		err = errors.Join(err, <-s.served)
	}
	return err
}

// ignore returns err unless it is the expected one.
func ignore(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}
