package server

import (
	"net"
	"sync"
	"sync/atomic"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/queue"
)

const (
	// outboxHigh is how many bytes may wait for a client before its consumers get no more credit. If that many are not
	// deliveries to consumers but answers, its reader reads no more requests. Deliveries alone never stop the reader:
	// a client that publishes without reading would never come to take them.
	outboxHigh = 256 << 10
	// writeSize is how much is written at once, in bytes, so that a client that takes a large message slowly is
	// seen to take it.
	writeSize = 256 << 10
	// outboxStart and outboxKeep are the sizes of buffers that are handed from connection to connection. A larger
	// one, grown for a large message, is left to the garbage collector.
	outboxStart = 16 << 10
	outboxKeep  = outboxHigh + 256<<10
	// outboxLarge is the size of those that are for large messages only, lest small ones should hold much memory.
	outboxLarge = outboxHigh + 2<<20
)

// outBuffer is a buffer on its way through the pool.
type outBuffer struct{ b []byte }

var outBuffers = sync.Pool{New: func() any { return &outBuffer{make([]byte, 0, outboxStart)} }}

// largeBuffers are those of outboxLarge.
var largeBuffers = sync.Pool{New: func() any { return &outBuffer{make([]byte, 0, outboxLarge)} }}

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
	// writeNow writes what the socket takes without waiting; nil if there is no such way.
	writeNow func([]byte) (int, error)

	sent atomic.Uint64 // bytes that the socket took

	mu    queue.OutboxLock
	buf   []byte     // what comes next, nil while there is nothing; guarded by mu
	owner *outBuffer // what buf came out of; guarded by mu
	// delivered counts the bytes of buf that are deliveries to consumers. Guarded by mu.
	delivered int
	// confirmEnd is where the last confirm in buf ends, 0 if there is none, and confirmChannel whose it is. Guarded
	// by mu.
	confirmEnd     int
	confirmChannel uint16
	writing        bool        // a writer runs, or a reader that pushes; guarded by mu
	slow           bool        // the client has not taken what was written within a brake's time; guarded by mu
	braked         []*brake    // readers that wait for the end of writing; guarded by mu
	closed         bool        // nothing is written any more; guarded by mu
	parked         []*consumer // refused because the outbox was full; guarded by mu
	interrupted    bool        // the reader waits no more; guarded by mu
	nudged         bool        // the reader shall look at something else; guarded by mu
	readerWaits    bool        // for room; guarded by mu
	drained        sync.Cond   // signalled when buf was taken or the writer ended; its lock is mu
	frames         uint64      // appended; guarded by mu

	// These belong to whoever has set writing:
	left    unwritten   // by a push, for the writer that it starts
	resumed []*consumer // memory for the next parked
}

func newOutbox(socket net.Conn) *outbox {
	o := &outbox{socket: socket}
	o.drained.L = &o.mu
	o.run = o.write
	return o
}

// lock locks the outbox for appending to buf; unlock ends that.
func (o *outbox) lock() {
	o.mu.Lock()
	if o.buf == nil && !o.closed {
		o.owner = outBuffers.Get().(*outBuffer)
		o.buf = o.owner.b
	}
}

// unlock unlocks what lock has locked, and gives back the buffer that nothing was appended to.
func (o *outbox) unlock() {
	if len(o.buf) == 0 && o.owner != nil {
		out, owner := o.take()
		recycle(owner, out)
	}
	o.mu.Unlock()
}

// recycle gives a buffer back. An idle connection keeps none.
func recycle(owner *outBuffer, b []byte) {
	if owner == nil {
		return
	}
	switch owner.b = b[:0]; {
	case cap(b) <= outboxKeep:
		outBuffers.Put(owner)
	case cap(b) == outboxLarge:
		largeBuffers.Put(owner)
	}
}

// reserve makes room for n bytes, so that a large message does not make buf grow by steps. The outbox is locked.
func (o *outbox) reserve(n int) {
	need := len(o.buf) + n
	if need <= cap(o.buf) || need <= outboxKeep || need > outboxLarge || o.owner == nil {
		return
	}
	large := largeBuffers.Get().(*outBuffer)
	large.b = append(large.b[:0], o.buf...)
	recycle(o.owner, o.buf)
	o.buf, o.owner = large.b, large
}

// full says whether consumers must wait. o.mu is held.
func (o *outbox) full() bool { return len(o.buf) >= outboxHigh || o.closed }

// crowded says whether the reader must wait. o.mu is held.
func (o *outbox) crowded() bool { return len(o.buf)-o.delivered >= outboxHigh }

// take empties the outbox. o.mu is held.
func (o *outbox) take() (out []byte, owner *outBuffer) {
	out, owner = o.buf, o.owner
	o.buf, o.owner = nil, nil
	o.delivered, o.confirmEnd = 0, 0
	return out, owner
}

// confirm appends basic.ack for a channel's publishes up to a tag. Confirms are cumulative: while nothing has come
// behind the channel's last one, that is changed instead, so that a client that publishes without reading costs no
// memory. o.mu is held, see lock.
func (o *outbox) confirm(channel uint16, ack *amqp.BasicAck) {
	if o.confirmEnd > 0 && o.confirmEnd == len(o.buf) && o.confirmChannel == channel {
		o.buf = o.buf[:len(o.buf)-confirmSize]
		ack.Multiple = true
	} else {
		o.frames++
	}
	buf, mark := amqp.BeginFrame(o.buf, amqp.FrameMethod, channel)
	o.buf = amqp.EndFrame(ack.Append(buf), mark)
	o.confirmEnd, o.confirmChannel = len(o.buf), channel
}

// confirmSize is a frame with basic.ack: class and method, the tag, the bit.
const confirmSize = amqp.FrameOverhead + 4 + 8 + 1

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
	o.finish()
	for {
		o.mu.Lock()
		if len(o.buf) == 0 || o.closed {
			out, owner := o.take()
			recycle(owner, out)
			o.endWriting()
			o.mu.Unlock()
			return
		}
		out, owner := o.next()
		err := o.writeAll(out)
		recycle(owner, out)
		o.check(err)
	}
}

// next takes what is to be written, unlocks the outbox and gives consumers their credit back that were refused for
// lack of room. o.mu is held, and writing set.
func (o *outbox) next() (out []byte, owner *outBuffer) {
	out, owner = o.take()
	parked := o.parked
	o.parked = o.resumed[:0]
	o.drained.Broadcast()
	o.mu.Unlock()
	if len(parked) > 0 {
		o.resume(parked)
		clear(parked)
	}
	o.resumed = parked
	return out, owner
}

// endWriting notes that nobody writes any more. o.mu is held.
func (o *outbox) endWriting() {
	o.writing, o.slow = false, false
	for i, b := range o.braked {
		b.release()
		o.braked[i] = nil
	}
	o.braked = o.braked[:0]
	o.drained.Broadcast()
}

// check closes the outbox of a client that takes no more.
func (o *outbox) check(err error) {
	if err == nil {
		return
	}
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.failed(err)
}

// writeAll writes to the socket and counts what it takes.
func (o *outbox) writeAll(out []byte) error {
	for len(out) > 0 {
		n, err := o.socket.Write(out[:min(len(out), writeSize)])
		o.sent.Add(uint64(n))
		if err != nil {
			return err
		}
		out = out[n:]
	}
	return nil
}

// interrupt ends the reader's wait for room, this one and all that follow.
func (o *outbox) interrupt() {
	o.mu.Lock()
	o.interrupted = true
	o.drained.Broadcast()
	o.mu.Unlock()
}

// waitRoom blocks while the client does not take what waits for it, until interrupt. Only its own reader may wait.
func (o *outbox) waitRoom() {
	o.mu.Lock()
	for o.crowded() && !o.closed && !o.interrupted {
		o.readerWaits = true
		o.drained.Wait()
	}
	o.readerWaits = false
	o.mu.Unlock()
}

// nudge ends the reader's wait for room, the present one or else the next.
func (o *outbox) nudge() {
	o.mu.Lock()
	o.nudged = true
	o.drained.Broadcast()
	o.mu.Unlock()
}

// waitRoomOrNudge is waitRoom between batches, where there may be something else to do: then it returns true.
func (o *outbox) waitRoomOrNudge() (nudged bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.crowded() && !o.closed && !o.interrupted && !o.nudged {
		o.readerWaits = true
		o.drained.Wait()
	}
	o.readerWaits = false
	nudged, o.nudged = o.nudged, false
	return nudged
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
	o.take()
	o.parked = nil
	o.mu.Unlock()
}

// mustWait says whether the reader has to wait for room.
func (o *outbox) mustWait() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.crowded()
}

// waits says whether the reader waits for room.
func (o *outbox) waits() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.readerWaits
}
