package management

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/rs/zerolog"

	"github.com/warren-mq/warren/broker"
)

// Server answers the management API of a broker. It is an http.Handler; Serve adds listeners, limits and rates.
type Server struct {
	cfg     Config
	broker  *broker.Broker
	log     zerolog.Logger
	routes  []route
	samples *sampler
	metrics http.Handler
	http    *http.Server
	slots   chan struct{} // one for each HTTP connection that is open
	backups backups

	logins, refused atomic.Uint64 // logins that were tried, and those of them that failed

	mu        sync.Mutex
	listeners map[net.Listener]struct{} // guarded by mu
	quit      context.CancelFunc        // ends the sampler; nil while none runs; guarded by mu
	sampling  sync.WaitGroup            // Add only under mu
}

// New returns a server. It accepts nothing and starts nothing until Serve.
func New(cfg Config, b *broker.Broker, log zerolog.Logger) *Server {
	s := &Server{
		cfg: cfg.withDefaults(), broker: b, log: log,
		listeners: make(map[net.Listener]struct{}),
	}
	s.slots = make(chan struct{}, s.cfg.MaxConnections)
	s.backups.stop, s.backups.quit = context.WithCancel(context.Background())
	s.samples = newSampler(b, s.nodeCounters)
	s.metrics = s.newMetrics()
	s.routes = s.table()
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          httpLog(s.log),
	}
	return s
}

// ErrClosed is what Serve returns after Shutdown.
var ErrClosed = errors.New("management is shut down")

// Serve answers requests that come through l until l fails or the server is shut down, which closes l. While any Serve
// runs, rates are measured.
func (s *Server) Serve(l net.Listener) error {
	s.opened(l)
	defer s.closed(l)
	err := s.http.Serve(newLimitedListener(l, s.slots))
	if errors.Is(err, http.ErrServerClosed) {
		return ErrClosed
	}
	return err
}

// opened notes a listener; with the first one the sampler begins.
func (s *Server) opened(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners[l] = struct{}{}
	if s.quit != nil {
		return
	}
	ctx, quit := context.WithCancel(context.Background())
	s.quit = quit
	s.sampling.Go(func() { s.samples.run(ctx) })
}

// closed forgets a listener; with the last one the sampler ends.
func (s *Server) closed(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
	if len(s.listeners) == 0 {
		s.quit()
		s.quit = nil
		s.sampling.Wait()
	}
}

// Shutdown stops accepting and waits for the requests that are being answered. When ctx ends they are cut off. A backup
// is cut off at once; none runs any more when Shutdown returns.
func (s *Server) Shutdown(ctx context.Context) error {
	s.backups.quit()
	err := s.http.Shutdown(ctx)
	if err != nil {
		s.http.Close() // cuts what is left; ctx's error says more than its own
	}
	s.backups.cut()
	return err
}

// allListeners are those of Config and our own.
func (s *Server) allListeners() []Listener {
	list := append([]Listener(nil), s.cfg.Listeners()...)
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.listeners {
		list = append(list, Listener{Protocol: "http", Addr: l.Addr()})
	}
	return list
}
