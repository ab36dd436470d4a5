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
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/warren-mq/warren/broker"
	"github.com/warren-mq/warren/management"
	"github.com/warren-mq/warren/server"
	"github.com/warren-mq/warren/storage"
)

// Server is a running broker.
type Server struct {
	// URL is what an AMQP client dials: amqp://guest:guest@127.0.0.1:PORT/, and the default vhost behind it unless that
	// is "/".
	URL string
	// Addr is host:port of the AMQP listener.
	Addr string
	// ManagementURL is where the HTTP API is: http://127.0.0.1:PORT, without /api. "" with WithoutManagement.
	ManagementURL string
	// Broker is the core, for what a test wants to see or do beyond AMQP.
	Broker *broker.Broker

	store      *storage.Store // nil without a data folder
	amqp       *server.Server
	management *management.Server // nil with WithoutManagement
	served     chan error         // what each Serve returned
	doors      int                // how many Serves run
	close      func() error       // runs once
}

// Option changes how the server is made.
type Option func(*options)

type options struct {
	broker       broker.Config
	server       server.Config
	log          io.Writer
	dataDir      string
	noManagement bool
}

// WithBroker sets the configuration of the broker.
func WithBroker(c broker.Config) Option { return func(o *options) { o.broker = c } }

// WithServer sets the configuration of the AMQP server.
func WithServer(c server.Config) Option { return func(o *options) { o.server = c } }

// WithLog writes the broker's log to w, as JSON lines. Without it nothing is logged.
func WithLog(w io.Writer) Option { return func(o *options) { o.log = w } }

// WithDataDir keeps what is durable in a folder, so that a broker started there later finds it again.
func WithDataDir(dir string) Option { return func(o *options) { o.dataDir = dir } }

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
	s := new(Server)
	s.close = sync.OnceValue(s.shutdown)
	if err := s.start(o, log); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) start(o options, log zerolog.Logger) (err error) {
	if o.dataDir != "" {
		if s.store, err = storage.Open(o.dataDir, smallStore); err != nil {
			return err
		}
		o.broker.Store = s.store
	}
	b, err := broker.New(o.broker)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	*s = Server{
		URL:    "amqp://guest:guest@" + l.Addr().String() + "/",
		Addr:   l.Addr().String(),
		Broker: b,
		amqp:   server.New(o.server, b, log),
		served: make(chan error, 2),
		store:  s.store,
		close:  s.close,
	}
	if v := o.broker.DefaultVHost; v != "" && v != "/" {
		s.URL += url.PathEscape(v)
	}
	if !o.noManagement {
		if err := s.startManagement(log); err != nil {
			l.Close()
			return err
		}
	}
	s.open(func() error { return ignore(s.amqp.Serve(l), server.ErrClosed) })
	return nil
}

// smallStore takes little disk and still has to roll, page and collect in a test.
var smallStore = storage.Options{
	SegmentBytes: 4 << 20, ValueLogBytes: 4 << 20, ReserveBytes: 1 << 20, JournalMemory: 4 << 20, MemoryBytes: 8 << 20, CollectBytes: 8 << 20,
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

// Close disconnects all clients and ends the broker. It may be called again, from any goroutine, and returns the same
// then, once the broker has ended.
func (s *Server) Close() error { return s.close() }

func (s *Server) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	var err error
	if s.management != nil {
		err = s.management.Shutdown(ctx)
	}
	if s.amqp != nil {
		err = errors.Join(err, s.amqp.Shutdown(ctx))
	}
	for ; s.doors > 0; s.doors-- {
		err = errors.Join(err, <-s.served)
	}
	if s.Broker != nil {
		s.Broker.Close()
	}
	if s.store != nil {
		err = errors.Join(err, s.store.Close())
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
