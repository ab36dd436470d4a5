package server

import (
	"net"
	"sync"
	"sync/atomic"
)

const (
	// outboxHigh is how many bytes may wait for a client before its consumers get no more credit and its reader
	// reads no more requests.
	outboxHigh = 256 << 10
	// outboxKeep is the largest buffer that a connection keeps while it has nothing to write.
	outboxKeep = 64 << 10
)

// outbox is what waits to be written to a client. Its lock also guards everything that must agree with the order of
// frames on the wire: the delivery tags and unacknowledged deliveries of the connection's channels and the credit of
// their consumers. It is a leaf in the lock order: nothing else is locked under it.
type outbox struct {
	socket net.Conn
	// resume gives consumers that were refused because the outbox was full their credit back. Called unlocked.
	resume func([]*consumer)
	// failed is called once, unlocked, when the socket does not take any more.
	failed func(error)
	run    func() // o.write, made once

	sent atomic.Uint64 // bytes that the socket took

	mu      sync.Mutex
	buf     []byte      // what comes next; guarded by mu
	spare   []byte      // the buffer that is not in use; guarded by mu
	writing bool        // a writer runs; guarded by mu
	closed  bool        // nothing is written any more; guarded by mu
	parked  []*consumer // refused because the outbox was full; guarded by mu
	drained sync.Cond   // signalled when buf was taken or the writer ended; its lock is mu
	frames  uint64      // appended; guarded by mu
}

func newOutbox(socket net.Conn) *outbox {
	o := &outbox{socket: socket}
	o.drained.L = &o.mu
	o.run = o.write
	return o
}

// full says whether consumers must wait. o.mu is held.
func (o *outbox) full() bool { return len(o.buf) >= outboxHigh }

// wake starts the writer if there is something to write and none runs.
func (o *outbox) wake() {
	o.mu.Lock()
	start := !o.writing && !o.closed && len(o.buf) > 0
	if start {
		o.writing = true
	}
	o.mu.Unlock()
	if start {
		go o.run() // ends when nothing is left to write; close waits for it
	}
}

// write takes what is in the outbox to the socket until it is empty.
func (o *outbox) write() {
	for {
		o.mu.Lock()
		if len(o.buf) == 0 || o.closed {
			o.writing = false
			if cap(o.spare) > outboxKeep {
				o.spare = nil
			}
			if cap(o.buf) > outboxKeep {
				o.buf = nil
			}
			o.drained.Broadcast()
			o.mu.Unlock()
			return
		}
		out := o.buf
		o.buf, o.spare = o.spare[:0], nil
		parked := o.parked
		o.parked = nil
		o.drained.Broadcast()
		o.mu.Unlock()

		if len(parked) > 0 {
			o.resume(parked)
		}
		n, err := o.socket.Write(out)
		o.sent.Add(uint64(n))

		o.mu.Lock()
		o.spare = out[:0]
		if err != nil {
			o.closed = true
			o.buf = nil
		}
		o.mu.Unlock()
		if err != nil {
			o.failed(err)
		}
	}
}

// waitRoom blocks while the client does not take what waits for it. Only its own reader may wait.
func (o *outbox) waitRoom() {
	o.mu.Lock()
	for o.full() && !o.closed {
		o.drained.Wait()
	}
	o.mu.Unlock()
}

// flush blocks until everything has been written, or cannot be.
func (o *outbox) flush() {
	o.wake()
	o.mu.Lock()
	for o.writing {
		o.drained.Wait()
	}
	o.mu.Unlock()
}

// close drops what is not written and waits until the writer has ended. The socket must be closed before, or the
// wait lasts as long as the client's.
func (o *outbox) close() {
	o.mu.Lock()
	o.closed = true
	for o.writing {
		o.drained.Wait()
	}
	o.buf, o.spare, o.parked = nil, nil, nil
	o.mu.Unlock()
}

// pending is how many bytes wait.
func (o *outbox) pending() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.buf)
}
