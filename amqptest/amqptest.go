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
	"io"
	"net"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/warren-mq/warren/broker"
	"github.com/warren-mq/warren/server"
)

// Server is a running broker.
type Server struct {
	// URL is what an AMQP client dials: amqp://guest:guest@127.0.0.1:PORT/
	URL string
	// Addr is host:port of the AMQP listener.
	Addr string
	// Broker is the core, for what a test wants to see or do beyond AMQP.
	Broker *broker.Broker

	amqp *server.Server
	done chan error
}

// Option changes how the server is made.
type Option func(*options)

type options struct {
	broker broker.Config
	server server.Config
	log    io.Writer
}

// WithBroker sets the configuration of the broker.
func WithBroker(c broker.Config) Option { return func(o *options) { o.broker = c } }

// WithServer sets the configuration of the AMQP server.
func WithServer(c server.Config) Option { return func(o *options) { o.server = c } }

// WithLog writes the broker's log to w, as JSON lines. Without it nothing is logged.
func WithLog(w io.Writer) Option { return func(o *options) { o.log = w } }

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
		done:   make(chan error, 1),
	}
	go func() { s.done <- s.amqp.Serve(l) }() // ends with the listener; Close waits for it
	return s, nil
}

// Close disconnects all clients and ends the broker.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	err := s.amqp.Shutdown(ctx)
	if served := <-s.done; served != server.ErrClosed {
		return served
	}
	return err
}
