//go:build unix

package server

import (
	"net"
	"syscall"
)

// eagerWriter writes to a socket of the system without waiting for it.
type eagerWriter struct {
	raw     syscall.RawConn
	tryOnce func(fd uintptr) bool // try, as the raw connection wants it, made once so that it costs nothing
	out     []byte
	n       int
	err     error
}

// writeNow returns a function that writes what a socket takes at once, and nil for what is none of the system. An
// error comes only with what cannot be written at all.
func writeNow(socket net.Conn) func([]byte) (int, error) {
	s, ok := socket.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return nil
	}
	w := &eagerWriter{raw: raw}
	w.tryOnce = w.try
	return w.write
}

func (w *eagerWriter) write(b []byte) (int, error) {
	w.out, w.n, w.err = b, 0, nil
	err := w.raw.Write(w.tryOnce)
	w.out = nil
	if err == nil {
		err = w.err
	}
	return w.n, err
}

// try writes until the socket is full. It is never to be called again for the same bytes.
func (w *eagerWriter) try(fd uintptr) bool {
	for w.n < len(w.out) {
		n, err := syscall.Write(int(fd), w.out[w.n:])
		switch {
		case err == nil:
			w.n += n
		case err == syscall.EAGAIN:
			return true
		case err != syscall.EINTR:
			w.err = err
			return true
		}
	}
	return true
}
