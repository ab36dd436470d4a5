package server

import "time"

const (
	// pushMost bounds what a reader writes for one client before it goes on with its own, in bytes.
	pushMost = 1 << 20
	// brakeAt is how many bytes must wait behind what is being written for a reader to brake.
	brakeAt = 64 << 10
	// brakeTime is how long a reader waits at most for a client to take what is written for it. Such a wait mostly
	// ends within a tenth of that; a client that has not taken all by then is waited for no more until it has.
	brakeTime = 2 * time.Millisecond
)

// unwritten is a buffer of which the socket took only the beginning at once.
type unwritten struct {
	out   []byte
	owner *outBuffer
	done  int // bytes
	err   error
}

// push is wake for readers, at the end of their batch: they write themselves what the socket takes at once. That saves
// the switch to a writer, which is most of the way of a single message, and keeps those who publish from running
// far ahead of those who consume, when what is delivered has left the processor's cache. The rest is left to a
// writer; what it means to the reader, brake tells.
func (o *outbox) push(b *brake) {
	if o.writeNow == nil {
		o.wake()
		return
	}
	o.mu.Lock()
	if o.writing || o.closed || len(o.buf) == 0 {
		wait := o.writing && len(o.buf) >= brakeAt
		o.mu.Unlock()
		if wait {
			b.wait(o)
		}
		return
	}
	o.writing = true
	for n := 0; n < pushMost && len(o.buf) > 0 && !o.closed; {
		out, owner := o.next()
		done, err := o.writeNow(out)
		o.sent.Add(uint64(done))
		if done < len(out) {
			o.left = unwritten{out, owner, done, err}
			go o.run() // ends when nothing is left to write; close waits for it
			b.wait(o)
			return
		}
		recycle(owner, out)
		n += done
		o.mu.Lock()
	}
	if len(o.buf) > 0 {
		o.mu.Unlock()
		go o.run() // likewise
		return
	}
	o.endWriting()
	o.mu.Unlock()
}

// littleBytes is what can be written without being missed elsewhere.
const littleBytes = 4 << 10

// pushLittle is wake for the committer, when it has few to tell: it writes some confirms itself, which is the shortest way
// for a client that waits for each. It leaves all that may take longer to a writer.
func (o *outbox) pushLittle() {
	o.mu.Lock()
	if o.writeNow == nil || o.writing || o.closed || len(o.buf) == 0 || len(o.buf) > littleBytes || len(o.parked) > 0 {
		o.mu.Unlock()
		o.wake()
		return
	}
	o.writing = true
	out, owner := o.next()
	done, err := o.writeNow(out)
	o.sent.Add(uint64(done))
	if done < len(out) {
		o.left = unwritten{out, owner, done, err}
		go o.run() // ends when nothing is left to write; close waits for it
		return
	}
	recycle(owner, out)
	o.mu.Lock()
	if len(o.buf) > 0 {
		o.mu.Unlock()
		go o.run() // likewise
		return
	}
	o.endWriting()
	o.mu.Unlock()
}

// finish writes what a push has left.
func (o *outbox) finish() {
	left := o.left
	if left.owner == nil {
		return
	}
	o.left = unwritten{}
	err := left.err
	if err == nil {
		err = o.writeAll(left.out[left.done:])
	}
	recycle(left.owner, left.out)
	o.check(err)
}

// brake lets a reader that has filled a client's socket wait a moment for the client to take it, once in a batch. Without it
// publishers would fill queues on a busy machine although the consumers are quick enough, only since these had to wait
// for a processor. A consumer that is slow stops nobody: it costs each reader one wait, and no further one before
// it has caught up.
type brake struct {
	used  bool // in this batch
	freed chan struct{}
	timer *time.Timer
}

// wait returns when all is written, or brakeTime is over.
func (b *brake) wait(o *outbox) {
	if b.used {
		return
	}
	o.mu.Lock()
	if !o.writing || o.slow {
		o.mu.Unlock()
		return
	}
	b.start()
	o.braked = append(o.braked, b)
	o.mu.Unlock()
	select {
	case <-b.freed:
		b.timer.Stop()
	case <-b.timer.C:
		o.mu.Lock()
		o.slow = o.writing
		o.mu.Unlock()
	}
}

func (b *brake) start() {
	b.used = true
	if b.timer == nil {
		b.freed, b.timer = make(chan struct{}, 1), time.NewTimer(brakeTime)
		return
	}
	select {
	case <-b.freed: // of an earlier wait that had ended with its time
	default:
	}
	b.timer.Reset(brakeTime)
}

// release ends the wait. A brake that waits elsewhere by now waits less for once.
func (b *brake) release() {
	select {
	case b.freed <- struct{}{}:
	default:
	}
}
