package server

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"time"
)

// socketPair is the two ends of a connection over loopback.
func socketPair(t *testing.T) (ours, theirs *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); s.Close() })
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

// waiter is what a reader of a socket can do beyond reading.
type waiter interface {
	io.Reader
	WaitReadable() error
}

func patient(t *testing.T, socket net.Conn) (waiter, *receivedCounter) {
	t.Helper()
	counter := new(receivedCounter)
	w, ok := counter.reader(socket).(waiter)
	if !ok {
		t.Skip("sockets cannot be waited for on this system")
	}
	return w, counter
}

// TestWaitingLosesNoOctet, whatever pieces come and whether or not each read waits first.
func TestWaitingLosesNoOctet(t *testing.T) {
	ours, theirs := socketPair(t)
	w, counter := patient(t, theirs)
	r := rand.New(rand.NewPCG(1, 2))
	sent := make([]byte, 256<<10)
	for i := range sent {
		sent[i] = byte(r.Uint32())
	}
	go func() {
		r := rand.New(rand.NewPCG(3, 4))
		for rest := sent; len(rest) > 0; {
			n := min(1+r.IntN(1+r.IntN(5000)), len(rest))
			ours.Write(rest[:n])
			rest = rest[n:]
		}
		ours.CloseWrite()
	}()
	var got []byte
	buf := make([]byte, 10_000)
	for {
		for range r.IntN(3) {
			if err := w.WaitReadable(); err != nil {
				t.Fatal(err)
			}
		}
		n, err := w.Read(buf[:1+r.IntN(len(buf))])
		got = append(got, buf[:n]...)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(got, sent) {
		t.Fatalf("%d octets came as %d, or changed", len(sent), len(got))
	}
	if n := counter.bytes.Load(); n != uint64(len(sent)) {
		t.Errorf("%d octets are counted, want %d", n, len(sent))
	}
	if err := w.WaitReadable(); err != nil {
		t.Errorf("waiting at the end: %v", err)
	}
	if _, err := w.Read(buf); err != io.EOF {
		t.Errorf("reading at the end: %v", err)
	}
}

func TestWaitingEnds(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(ours, theirs *net.TCPConn)
		want error
	}{
		{"with a deadline", func(_, theirs *net.TCPConn) { theirs.SetReadDeadline(time.Unix(1, 0)) }, os.ErrDeadlineExceeded},
		{"when the socket is closed", func(_, theirs *net.TCPConn) { theirs.Close() }, net.ErrClosed},
		{"when the client closes", func(ours, _ *net.TCPConn) { ours.Close() }, io.EOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			ours, theirs := socketPair(t)
			w, _ := patient(t, theirs)
			done := make(chan error)
			go func() {
				err := w.WaitReadable()
				if err == nil {
					_, err = w.Read(make([]byte, 10))
				}
				done <- err
			}()
			c.end(ours, theirs)
			if err := <-done; !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// TestOctetBeforeADeadlineIsNotLost: what was taken while waiting comes first, then the error.
func TestOctetBeforeADeadlineIsNotLost(t *testing.T) {
	ours, theirs := socketPair(t)
	w, _ := patient(t, theirs)
	ours.Write([]byte("x"))
	for range 2 { // the first one wakes up, if it had to wait, and the second one takes it
		if err := w.WaitReadable(); err != nil {
			t.Fatal(err)
		}
	}
	theirs.SetReadDeadline(time.Unix(1, 0))
	buf := make([]byte, 10)
	if n, err := w.Read(buf); n != 1 || buf[0] != 'x' || err != nil {
		t.Errorf("got %d octets, %v", n, err)
	}
	if _, err := w.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
