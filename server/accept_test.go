package server

import (
	"errors"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/broker"
)

// scriptedListener hands out what it was told to, then blocks until it is closed.
type scriptedListener struct {
	results chan any // a net.Conn or an error
	closed  chan struct{}
}

func newScriptedListener(results ...any) *scriptedListener {
	l := &scriptedListener{results: make(chan any, len(results)), closed: make(chan struct{})}
	for _, r := range results {
		l.results <- r
	}
	return l
}

func (l *scriptedListener) Accept() (net.Conn, error) {
	select {
	case r := <-l.results:
		if err, ok := r.(error); ok {
			return nil, &net.OpError{Op: "accept", Err: err}
		}
		return r.(net.Conn), nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *scriptedListener) Close() error   { close(l.closed); return nil }
func (l *scriptedListener) Addr() net.Addr { return pipeEnd{}.LocalAddr() }

// TestServeOutlastsWhatPasses: too many open files, or a client that is gone before it is accepted, must not stop the
// server from accepting the others.
func TestServeOutlastsWhatPasses(t *testing.T) {
	for _, passing := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ECONNABORTED, syscall.ENOBUFS, syscall.ENOMEM} {
		bubble(t, func(t *testing.T) {
			s := newServer(t, Config{}, broker.Config{})
			ours, theirs := net.Pipe()
			l := newScriptedListener(passing, passing, passing, pipeEnd{theirs})
			served := make(chan error)
			go func() { served <- s.Serve(l) }()
			p := &peer{t: t, conn: ours, frames: amqp.NewReader(ours, 0)}
			start := time.Now()
			p.logIn("guest", "guest")
			if d := since(start); d == 0 || d > time.Second {
				t.Errorf("%v: accepted after %v, want a short pause", passing, d)
			}
			shutdown(s, time.Minute)
			if err := <-served; err != ErrClosed {
				t.Errorf("Serve returned %v, want %v", err, ErrClosed)
			}
		})
	}
}

func TestServeEndsWithAListenerThatIsBroken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		broken := errors.New("broken")
		if err := s.Serve(newScriptedListener(broken)); !errors.Is(err, broken) {
			t.Errorf("Serve returned %v, want %v", err, broken)
		}
		if n := len(s.Listeners()); n != 0 {
			t.Errorf("%d listeners are listed", n)
		}
	})
}

// TestShutdownEndsThePauseOfServe after an error that may pass.
func TestShutdownEndsThePauseOfServe(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		results := make([]any, 20)
		for i := range results {
			results[i] = syscall.EMFILE
		}
		served := make(chan error)
		go func() { served <- s.Serve(newScriptedListener(results...)) }()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		start := time.Now()
		shutdown(s, time.Minute)
		if err := <-served; err != ErrClosed || since(start) != 0 {
			t.Errorf("Serve returned %v after %v, want %v at once", err, since(start), ErrClosed)
		}
	})
}

func TestServeAfterShutdownClosesTheListener(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		shutdown(s, time.Minute)
		l := newScriptedListener()
		if err := s.Serve(l); err != ErrClosed {
			t.Errorf("Serve returned %v, want %v", err, ErrClosed)
		}
		select {
		case <-l.closed:
		default:
			t.Error("the listener is open")
		}
	})
}

// TestSilentProxiedClientDelaysNobody: who the client is comes with its first bytes, and nobody else may wait for them.
func TestSilentProxiedClientDelaysNobody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{ProxyProtocol: true}, broker.Config{})
		silent, silentEnd := net.Pipe()
		ours, theirs := net.Pipe()
		go s.Serve(newScriptedListener(pipeEnd{silentEnd}, pipeEnd{theirs}))
		start := time.Now()
		p := &peer{t: t, conn: ours, frames: amqp.NewReader(ours, 0)}
		p.write([]byte("PROXY TCP4 127.0.0.2 127.0.0.1 4711 5672\r\n"))
		p.logIn("guest", "guest")
		p.skip(&amqp.ConnectionTune{})
		if d := since(start); d != 0 {
			t.Errorf("waited for %v", d)
		}
		q := &peer{t: t, conn: silent, frames: amqp.NewReader(silent, 0)}
		if d := q.expectEnd().Sub(start); d != 10*time.Second {
			t.Errorf("the silent client was dropped after %v, want 10s", d)
		}
	})
}
