package management

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/warren-mq/warren/broker"
)

// pipes is a listener whose connections are made by dial, in memory, so that they know of virtual time.
type pipes struct {
	accepted chan net.Conn
	closed   chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.accepted:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error { close(l.closed); return nil }

func (l *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

// dial returns nil if nobody accepts.
func (l *pipes) dial() net.Conn {
	client, server := net.Pipe()
	select {
	case l.accepted <- server:
		return client
	case <-time.After(time.Second):
		return nil
	}
}

// serving runs a server on pipes until the test ends, then sees that Serve says so.
func serving(t *testing.T, cfg Config) *pipes {
	b, err := broker.New(broker.Config{NodeName: "rabbit@test"})
	check(t, err)
	s, l := New(cfg, b, zerolog.Nop()), newPipes()
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-served; err != ErrClosed {
			t.Error(err)
		}
	})
	return l
}

func TestConnectionsThatAreTooManyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := serving(t, Config{MaxConnections: 2})
		first, second := l.dial(), l.dial()
		defer second.Close()
		if c := l.dial(); c != nil {
			t.Fatal("a third connection was accepted")
		}
		first.Close()
		third := l.dial()
		if third == nil {
			t.Fatal("no connection was accepted when one had ended")
		}
		third.Close()
	})
}

func TestAClientThatSendsNothingIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := serving(t, Config{})
		for request, limit := range map[string]time.Duration{
			"": headerTimeout,
			"GET /api/whoami HTTP/1.1\r\nHost: x\r\nX-Slow: ": headerTimeout,
		} {
			began := time.Now()
			c := l.dial()
			go io.WriteString(c, request) // ends when it is read or the connection closes
			io.Copy(io.Discard, c)        // until the server closes the connection
			if took := time.Since(began); took > limit+time.Second {
				t.Errorf("after %q the connection stayed for %v", request, took)
			}
			c.Close()
		}
	})
}

func TestHeadersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serving(t, Config{}).dial()
		defer c.Close()
		go func() {
			fmt.Fprintf(c, "GET /api/whoami HTTP/1.1\r\nHost: x\r\nX-Large: %s\r\n\r\n", strings.Repeat("x", 2*maxHeaderBytes))
		}() // ends at the latest when the connection is closed
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		check(t, err)
		if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("status %d", resp.StatusCode)
		}
	})
}

func TestAnIdleConnectionDoesNotHoldUpShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := serving(t, Config{})
		c := l.dial()
		defer c.Close()
		fmt.Fprint(c, "GET /api/nothing HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		check(t, err)
		io.Copy(io.Discard, resp.Body)
		if resp.StatusCode != http.StatusNotFound {
			t.Errorf("status %d", resp.StatusCode)
		}
	})
}

func TestServeAfterShutdownReturns(t *testing.T) {
	b, err := broker.New(broker.Config{})
	check(t, err)
	s := New(Config{}, b, zerolog.Nop())
	check(t, s.Shutdown(t.Context()))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	if err := s.Serve(l); err != ErrClosed {
		t.Error(err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener is open: %v", err)
	}
}

// TestServeOfAListenerThatFails: the error is the listener's.
func TestServeOfAListenerThatFails(t *testing.T) {
	b, err := broker.New(broker.Config{})
	check(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	l.Close()
	if err := New(Config{}, b, zerolog.Nop()).Serve(l); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}
