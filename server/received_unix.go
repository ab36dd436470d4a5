//go:build unix

package server

import (
	"io"
	"syscall"
)

// patientReader waits for a socket before it needs a buffer. Of what has come it takes the first octet while it waits,
// since only a read tells whether there is anything; the next Read puts it in front of the others.
type patientReader struct {
	*receivedCounter
	raw syscall.RawConn
	// waitOnce and readOnce are methods as the raw connection wants them, made once so that they cost nothing.
	waitOnce, readOnce func(fd uintptr) bool

	first [1]byte
	held  bool // first is to be returned
	woken bool // the present wait has been woken up
	into  []byte
	n     int
}

func newPatientReader(r *receivedCounter, raw syscall.RawConn) io.Reader {
	p := &patientReader{receivedCounter: r, raw: raw}
	p.waitOnce, p.readOnce = p.tryFirst, p.tryRest
	return p
}

// WaitReadable returns when there is something to read, or the end, or an error: what it is the next Read tells.
func (p *patientReader) WaitReadable() error {
	if p.held {
		return nil
	}
	p.woken = false
	return p.raw.Read(p.waitOnce)
}

// tryFirst reads an octet if there is one. False means: wait for the socket and call again.
func (p *patientReader) tryFirst(fd uintptr) bool {
	if p.woken {
		return true // so a read will not block, or hardly ever
	}
	p.woken = true
	n, err := readNow(fd, p.first[:])
	p.held = n == 1
	return err != syscall.EAGAIN
}

// Read reads what has come.
func (p *patientReader) Read(b []byte) (int, error) {
	if !p.held || len(b) == 0 {
		return p.receivedCounter.Read(b)
	}
	p.held = false
	b[0] = p.first[0]
	p.into, p.n = b[1:], 0
	p.raw.Read(p.readOnce) // fails if the socket was closed or its deadline is past: the next Read says so
	p.into = nil
	p.bytes.Add(uint64(1 + p.n))
	return 1 + p.n, nil
}

// tryRest reads what is there behind the first octet, without waiting for it. The end and errors come again with the
// next Read.
func (p *patientReader) tryRest(fd uintptr) bool {
	if n, err := readNow(fd, p.into); err == nil {
		p.n = n
	}
	return true
}

// readNow reads without waiting.
func readNow(fd uintptr, b []byte) (n int, err error) {
	for {
		if n, err = syscall.Read(int(fd), b); err != syscall.EINTR {
			return max(n, 0), err
		}
	}
}
