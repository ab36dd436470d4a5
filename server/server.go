package server

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/warren-mq/warren/broker"
)

// Server accepts AMQP connections for a broker.
type Server struct {
	cfg    Config
	broker *broker.Broker
	log    zerolog.Logger

	// unfinished counts the bytes of messages that have come in part, over all connections.
	unfinished atomic.Int64
	// uncommitted counts the bytes of messages that transactions hold, likewise.
	uncommitted atomic.Int64
	// pausing counts the connections that are kept for a moment before they are dropped.
	pausing atomic.Int64
	// ending is closed when Shutdown begins, so that nobody pauses any longer.
	ending chan struct{}

	mu        sync.Mutex
	listeners map[net.Listener]struct{} // guarded by mu
	conns     map[*conn]struct{}        // guarded by mu
	closed    bool                      // guarded by mu
	sweeping  bool                      // sweep runs; guarded by mu
	running   sync.WaitGroup            // the readers and sweep; Add only under mu while not closed
}

// New returns a server. It accepts nothing until Serve.
func New(cfg Config, b *broker.Broker, log zerolog.Logger) *Server {
	return &Server{
		cfg:       cfg.withDefaults(b.MaxMessageSize()),
		broker:    b,
		log:       log,
		ending:    make(chan struct{}),
		listeners: make(map[net.Listener]struct{}),
		conns:     make(map[*conn]struct{}),
	}
}

// Listeners lists the addresses that are listened on.
func (s *Server) Listeners() []net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]net.Addr, 0, len(s.listeners))
	for l := range s.listeners {
		list = append(list, l.Addr())
	}
	return list
}

// start runs a connection in a goroutine of its own, which ends with the connection.
func (s *Server) start(n net.Conn) {
	c := newConn(s, n)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		n.Close()
		return
	}
	s.conns[c] = struct{}{}
	if !s.sweeping && s.cfg.ConsumerTimeout > 0 {
		s.sweeping = true
		s.running.Go(s.sweep)
	}
	s.running.Go(func() {
		c.serve()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	})
}

// Shutdown stops accepting, tells every client that the broker goes (320) and waits until all connections have
// ended. Clients have a moment to read that, whether they answer or not; ctx bounds the wait for what is still being
// written.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.ending)
	}
	for l := range s.listeners {
		l.Close()
	}
	for c := range s.conns {
		c.shutDown()
	}
	s.mu.Unlock()

	done := make(chan struct{})
	go func() { // ends when the last reader has, at the latest after the sockets are cut below
		s.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	for c := range s.conns {
		c.reset()
	}
	s.mu.Unlock()
	<-done
	return ctx.Err()
}

// isEnding tells whether Shutdown has begun.
func (s *Server) isEnding() bool {
	select {
	case <-s.ending:
		return true
	default:
		return false
	}
}

// pause keeps a client that failed for a while, unless too many are kept already or the server ends.
func (s *Server) pause(d time.Duration) {
	s.pausingWhile(func() { s.sleep(d) })
}

// pausingWhile runs wait, unless too many connections wait for their end already.
func (s *Server) pausingWhile(wait func()) {
	if s.pausing.Add(1) <= int64(s.cfg.MaxPausing) {
		wait()
	}
	s.pausing.Add(-1)
}
