package storage

import (
	"encoding/binary"
	"sync"
)

// pending is what one log adds to the next group. It is filled under the queue's lock and the epoch, taken by the
// committer under the epoch alone, and from then on belongs to the committer.
type pending struct {
	log     *Log
	from    uint64  // the log's next seq when this began: what lies at or above it was not in an earlier group
	pieces  []piece // in order
	gone    seqRanges
	notes   []pendingNote // in the order in which they were left
	shared  []sharing     // by seq
	created bool
	dropped bool
	mark    uint64 // delivered-up-to
	marked  bool
}

// piece is a run of records of one chunk. While it is pending its end is where the chunk ends.
type piece struct {
	chunk *chunk
	from  int // index of the first record
	to    int

	// Copies, taken when the committer took the piece; the chunk's own may grow meanwhile.
	first uint64
	data  []byte
	ends  []uint32
}

var pendingPool = sync.Pool{New: func() any { return new(pending) }}

// pend returns what is pending of the log, and puts the log on the list for the next group if it was not.
func (l *Log) pend() *pending {
	if l.pending == nil {
		p := pendingPool.Get().(*pending)
		p.log, p.from = l, l.next
		l.pending = p
		l.store.enlist(p)
	}
	return l.pending
}

// touch makes sure that what is appended to c from now on is part of the group.
func (p *pending) touch(c *chunk) {
	if n := len(p.pieces); n == 0 || p.pieces[n-1].chunk != c {
		c.retain()
		p.pieces = append(p.pieces, piece{chunk: c, from: c.count})
	}
}

// untouch leaves out c, the tail: all that was appended to it is gone.
func (p *pending) untouch(c *chunk) {
	if n := len(p.pieces); n > 0 && p.pieces[n-1].chunk == c {
		p.pieces[n-1] = piece{}
		p.pieces = p.pieces[:n-1]
		c.release()
	}
}

// take cuts the log off from p: what comes now goes into the following group. The caller holds the epoch for
// writing, so nobody appends.
func (p *pending) take() {
	p.log.pending = nil
	p.log.sinceSwap = 0
	for i := range p.pieces {
		e := &p.pieces[i]
		e.to, e.first, e.data, e.ends = e.chunk.count, e.chunk.first, e.chunk.data, e.chunk.ends
	}
}

// bytes is an upper bound of what the group needs for p.
func (p *pending) bytes() int {
	n := 64 + len(p.log.state.tag) + 20*len(p.gone.list) + 3*binary.MaxVarintLen64*len(p.notes) +
		48*len(p.shared) // each may begin an op of its own
	for i := range p.pieces {
		e := &p.pieces[i]
		start, _ := bounds(e.ends, e.from)
		_, end := bounds(e.ends, e.to-1)
		n += int(end-start) + (e.to-e.from)*5 + 32
	}
	return n
}

// recycle gives everything back once the group is on disk and applied.
func (p *pending) recycle() {
	for i := range p.pieces {
		p.pieces[i].chunk.release()
		p.pieces[i] = piece{}
	}
	p.gone.reset()
	*p = pending{pieces: p.pieces[:0], gone: p.gone, notes: p.notes[:0], shared: p.shared[:0]}
	pendingPool.Put(p)
}

// surviving calls visit with every run of records of the piece that the group has to hold: persistent, and not
// gone within the same group.
func (e *piece) surviving(gone []seqRange, visit func(from, to int)) {
	start := e.from
	flush := func(to int) {
		if to > start {
			visit(start, to)
		}
	}
	g := 0
	for i := e.from; i < e.to; i++ {
		seq := e.first + uint64(i)
		for g < len(gone) && gone[g].to <= seq {
			g++
		}
		if e.ends[i]&transientBit != 0 || g < len(gone) && gone[g].from <= seq {
			flush(i)
			start = i + 1
		}
	}
	flush(e.to)
}
