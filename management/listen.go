package management

import (
	"bytes"
	stdlog "log"
	"net"
	"sync"

	"github.com/rs/zerolog"
)

// limitedListener accepts a connection only when there is a slot for it, so that clients which open many cannot make as
// many goroutines.
type limitedListener struct {
	net.Listener
	slots chan struct{}

	closing sync.Once
	done    chan struct{} // closed by Close
}

func newLimitedListener(l net.Listener, slots chan struct{}) *limitedListener {
	return &limitedListener{Listener: l, slots: slots, done: make(chan struct{})}
}

func (l *limitedListener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.done:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &limitedConn{Conn: c, slots: l.slots}, nil
}

func (l *limitedListener) Close() error {
	l.closing.Do(func() { close(l.done) })
	return l.Listener.Close()
}

// limitedConn gives its slot back when it is closed.
type limitedConn struct {
	net.Conn
	slots chan struct{}
	once  sync.Once
}

func (c *limitedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { <-c.slots })
	return err
}

// httpLog makes net/http's complaints, which are about clients, lines of ours.
func httpLog(log zerolog.Logger) *stdlog.Logger { return stdlog.New(httpWriter{log}, "", 0) }

type httpWriter struct{ log zerolog.Logger }

func (w httpWriter) Write(line []byte) (int, error) {
	w.log.Debug().Str("error", string(bytes.TrimSpace(line))).Msg("HTTP connection failed")
	return len(line), nil
}
