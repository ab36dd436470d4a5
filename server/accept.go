package server

import (
	"errors"
	"net"
	"syscall"
	"time"

	"github.com/pires/go-proxyproto"
)

// ErrClosed is what Serve returns after Shutdown.
var ErrClosed = errors.New("server is shut down")

// Serve accepts connections until the listener fails or the server is shut down, which closes the listener. Errors
// that may pass, such as too many open files, are waited out.
func (s *Server) Serve(l net.Listener) error {
	if s.cfg.ProxyProtocol {
		l = proxied(l)
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		l.Close()
		return ErrClosed
	}
	s.listeners[l] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.listeners, l)
		s.mu.Unlock()
	}()
	var pause time.Duration
	for {
		c, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			s.start(c)
		case s.isEnding():
			return ErrClosed
		case !mayPass(err):
			return err
		default:
			pause = min(max(2*pause, minAcceptPause), maxAcceptPause)
			s.log.Error().Err(err).Dur("pause", pause).Msg("cannot accept a connection")
			s.sleep(pause)
		}
	}
}

// The pause after an error doubles with each in a row.
const (
	minAcceptPause = 5 * time.Millisecond
	maxAcceptPause = time.Second
)

// mayPass tells errors of accept that have to do with one client or with what is short at the moment.
func mayPass(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.ECONNRESET, syscall.EINTR} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// sleep waits, at most until the server ends.
func (s *Server) sleep(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.ending:
	}
}

// proxied makes the connections of a listener begin with a PROXY protocol header. It is read by whoever asks for the
// addresses or the first byte, which are the connections' readers; the handshake's deadline bounds it.
func proxied(l net.Listener) net.Listener {
	return &proxyproto.Listener{
		Listener:          l,
		ReadHeaderTimeout: -1,
		ConnPolicy: func(proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) {
			return proxyproto.REQUIRE, nil
		},
	}
}
