package storage

import (
	"sync"
	"sync/atomic"
)

// readAhead is how many chunks are asked for beyond the one that is being read.
const readAhead = 2

// paging is what a log knows of its chunks that are on disk.
type paging struct {
	// Guarded by the queue's lock.
	current   *chunk // the sealed chunk that was read last, resident
	readingAt uint64 // the last seq that was asked for
	kept      bool   // see Keep

	waiting atomic.Bool // At or Deliver said no; call ready when that may have changed
	ready   atomic.Pointer[func()]

	mu      sync.Mutex // a leaf
	arrived []arrival  // read, to be put in place by the next At
	closed  bool       // the log was dropped
}

// arrival is a chunk that was read from Badger, or the news that it cannot be.
type arrival struct {
	first uint64
	count int
	chunk *chunk // nil: lost
}

// OnReady sets what is called when a record that At or Deliver had to refuse may be there. The call comes from a
// goroutine of the store, outside of Enter and Leave and without any lock.
func (l *Log) OnReady(ready func()) { l.paging.ready.Store(&ready) }

// Keep says that all of the log is wanted soon, in any order: its chunks are paged out after those of others, and not
// before there is little room left.
func (l *Log) Keep() { l.paging.kept = true }

// page makes the chunk c, at index i, resident if it can, and asks for those that come next. It returns false if
// the record has to be waited for.
func (l *Log) page(c *chunk, i int, seq uint64) (*chunk, bool) {
	p := &l.paging
	if i < 0 || c == p.current {
		p.readingAt = seq
		return c, true
	}
	// Another chunk than last time: the place for everything that is not done per message.
	ahead := 0
	if seq >= p.readingAt {
		ahead = readAhead
	}
	p.readingAt = seq
	l.install()
	if c, i = l.find(seq); c == nil {
		return nil, false // it cannot be read, and is lost
	}
	for k := i; k >= 0 && k < len(l.sealed.entries) && ahead >= 0; k++ {
		if next := l.sealed.entries[k].span; next != nil {
			l.request(next)
			ahead--
		}
	}
	if !c.resident() {
		// What comes before this line is seen below; whoever brings it later calls.
		p.waiting.Store(true)
		l.install()
		if c, _ = l.find(seq); c == nil || !c.resident() {
			return nil, false
		}
	}
	p.current = c
	return c, true
}

// arrive hands over what the reader has brought, or failed to bring.
func (l *Log) arrive(a arrival) {
	p := &l.paging
	p.mu.Lock()
	closed := p.closed
	if !closed {
		p.arrived = append(p.arrived, a)
	}
	p.mu.Unlock()
	if closed && a.chunk != nil {
		a.chunk.release()
	}
}

// closePaging gives back what has arrived and will.
func (l *Log) closePaging() {
	p := &l.paging
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, a := range p.arrived {
		if a.chunk != nil {
			a.chunk.release()
		}
	}
	p.arrived = nil
}

// install puts what the reader brought in the place of its stubs.
func (l *Log) install() {
	p := &l.paging
	p.mu.Lock()
	arrived := p.arrived
	p.arrived = nil
	p.mu.Unlock()
	for _, a := range arrived {
		stub, i := l.sealed.find(a.first)
		switch {
		case stub == nil || stub.first != a.first || stub.count != a.count || stub.resident():
			if a.chunk != nil {
				a.chunk.release() // all of it went meanwhile, or it was merged with others and has to be asked for again
			}
		case a.chunk == nil:
			l.liveBytes -= int64(stub.liveBytes)
			l.unnote(seqRange{stub.first, stub.next()})
			l.sealed.remove(i)
		default:
			a.chunk.replace(stub)
			l.liveBytes += int64(a.chunk.liveBytes - stub.liveBytes)
			l.bytes += int64(cap(a.chunk.data))
			l.sealed.entries[i].span = a.chunk
		}
	}
}

// replace takes over from a stub what the queue did to its records since.
func (c *chunk) replace(stub *chunk) {
	copy(c.gone, stub.gone)
	c.low, c.liveCount, c.liveBytes = stub.low, stub.liveCount, 0
	for i := range c.count {
		if !c.isGone(i) {
			c.liveBytes += c.size(i)
		}
	}
	c.stored = stub.stored
	c.pagedOut, c.pageParts, c.transient = stub.pagedOut, stub.pageParts, stub.transient
}

// request asks the reader for a chunk that is not in memory, once.
func (l *Log) request(c *chunk) {
	if c.resident() || c.requested {
		return
	}
	c.requested = true
	l.store.reader.add(readRequest{
		log: l, first: c.first, count: c.count, stored: c.stored,
		pageParts: c.pageParts, transient: c.transient,
	})
}

// wake calls the owner back if it waits.
func (l *Log) wake() {
	if l.paging.waiting.Swap(false) {
		if ready := l.paging.ready.Load(); ready != nil {
			(*ready)()
		}
	}
}
