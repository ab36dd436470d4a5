package server

import (
	"io"
	"net"
	"sync/atomic"
	"syscall"
)

// receivedCounter counts what is read from the socket.
type receivedCounter struct {
	from  net.Conn
	bytes atomic.Uint64
}

// reader is where the frames are read from. A socket of the system can also be waited for without a buffer, so that an
// idle connection keeps none; whatever else there is (a pipe, what is behind a proxy) is only read.
func (r *receivedCounter) reader(from net.Conn) io.Reader {
	r.from = from
	if s, ok := from.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			if w := newPatientReader(r, raw); w != nil {
				return w
			}
		}
	}
	return r
}

func (r *receivedCounter) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	r.bytes.Add(uint64(n))
	return n, err
}
