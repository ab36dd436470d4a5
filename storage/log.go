package storage

import (
	"math/bits"
	"sync/atomic"
)

const (
	// keepBytes is the largest tail chunk that an empty log keeps. A busy queue at depth 0 works in it without
	// touching the pool; ten thousand idle queues that were busy once keep 40 MiB.
	keepBytes = 4 << 10

	// sparseBytes of records gone, and again so many, make a log look whether it holds much more memory than
	// its live records need.
	sparseBytes = maxChunkBytes
)

// LogID names a log within its store. Ids are never used twice.
type LogID uint64

// Log keeps the records of one queue, or of one priority of it, in sequence order. Sequence numbers start at 0,
// are dense, and are never used twice.
//
// All methods are called under the lock of the queue that owns the log, and, for a log of a Store, between its
// Enter and Leave. Append, At, Gone and Live take constant time for records of the first and the last chunk, and
// a binary search over the chunks for those between.
//
// Memory: chunks double from 1 KiB with what the log holds, up to Options.ChunkBytes. A chunk whose records are
// all gone is given back at once. Of a log in memory, chunks that few live records pin are rewritten into smaller
// ones, so that it holds no more than four times its live bytes and about a megabyte; those of a store are paged
// out instead.
type Log struct {
	id         LogID
	store      *Store      // nil: only in memory
	state      *durableLog // nil if store is
	durable    bool        // its persistent records go through the journal
	dropped    bool
	chunkBytes int32

	next   uint64
	tail   *chunk // the only chunk that is appended to; nil if there is none
	sealed ordered[*chunk]

	bytes     int64 // capacity of all resident chunks
	liveBytes int64
	sinceLook int // bytes of records gone since the log last looked for sparse chunks
	sinceSwap int // bytes of persistent records appended since the committer last took what was pending

	pending *pending // what the next group will hold of this log; nil if nothing

	notes     notes
	delivered deliveredMark
	firm      *firm // nil: records are handed out before they are durable
	paging    paging
	use       use
}

// NewLog returns an empty log that lives in memory.
func NewLog(o Options) *Log { return newLog(o) }

func newLog(o Options) *Log {
	size := o.ChunkBytes
	if size <= 0 {
		size = maxChunkBytes
	}
	size = min(max(size, minChunkBytes), maxChunkBytes)
	return &Log{chunkBytes: 1 << bits.Len(uint(size-1))}
}

// ID returns the log's name within its store, 0 for one that lives in memory.
func (l *Log) ID() LogID { return l.id }

// Tag returns what the log was created with. The caller may not change it.
func (l *Log) Tag() []byte {
	if l.state == nil {
		return nil
	}
	return l.state.tag
}

// Append reserves size bytes for a new record at the end and returns its sequence number. The caller fills the
// record before it releases the queue's lock; until then it may append further ones. A persistent record of a
// durable log is part of the commit that Enter has named; any other record lives until the process ends.
func (l *Log) Append(size int, persistent bool) (seq uint64, record []byte) {
	if l.tail == nil || !l.tail.fits(size) {
		l.grow(size)
	}
	flag := uint32(transientBit)
	if persistent && l.durable {
		flag = 0
		l.pend().touch(l.tail)
		l.sinceSwap += size
		if l.firm != nil {
			l.firm.append(l.next, l.store.number)
		}
	}
	seq = l.next
	l.next++
	l.liveBytes += int64(size)
	return seq, l.tail.append(size, flag)
}

// At returns the record with the sequence number seq, and false if it is gone, was never there, or is not in
// memory. In the last case Live is true; the record has been asked for, and the function given to OnReady is
// called when it has come. The view is valid until the record is gone or the queue's lock is released.
func (l *Log) At(seq uint64) (record []byte, ok bool) {
	c, i := l.find(seq)
	if c == nil || c.isGone(int(seq-c.first)) {
		return nil, false
	}
	if l.store != nil {
		if c, ok = l.page(c, i, seq); !ok {
			return nil, false
		}
	}
	return c.record(int(seq - c.first)), true
}

// Live reports whether the record seq is in the log, be it in memory or on disk.
func (l *Log) Live(seq uint64) bool {
	c, _ := l.find(seq)
	return c != nil && !c.isGone(int(seq-c.first))
}

// Gone removes a record: it was acked, expired, dropped or purged. A record that is gone already stays so.
func (l *Log) Gone(seq uint64) {
	c, i := l.find(seq)
	if c == nil {
		return
	}
	k := int(seq - c.first)
	size, ok := c.setGone(k)
	if !ok {
		return
	}
	if l.durable && !(c.resident() && c.ends[k]&transientBit != 0) {
		l.pend().gone.add(seq, seq+1)
	}
	l.liveBytes -= int64(size)
	l.unnote(seqRange{seq, seq + 1})
	if c.liveCount == 0 {
		l.empty(c, i)
	}
	if l.sinceLook += size; l.sinceLook >= sparseBytes {
		l.sinceLook = 0
		l.shrinkSparse()
	}
}

// First returns the lowest sequence number that is live, Next() if none is.
func (l *Log) First() uint64 {
	c := l.sealed.head()
	if c == nil {
		c = l.tail
	}
	if c == nil {
		return l.next
	}
	return c.first + uint64(c.lowest())
}

// Count returns the number of live records. It looks at every chunk.
func (l *Log) Count() int {
	n := 0
	for _, c := range l.sealed.all() {
		n += c.liveCount
	}
	if l.tail != nil {
		n += l.tail.liveCount
	}
	return n
}

// LiveBytes returns the size of the live records.
func (l *Log) LiveBytes() int64 { return l.liveBytes }

// Size returns the size of a live record; about, if it is not in memory.
func (l *Log) Size(seq uint64) int {
	c, _ := l.find(seq)
	if c == nil {
		return 0
	}
	return c.size(int(seq - c.first))
}

// Next returns the sequence number that the next Append will give.
func (l *Log) Next() uint64 { return l.next }

// Bytes returns the memory that the log's chunks and notes take, in bytes.
func (l *Log) Bytes() int64 { return l.bytes + l.notes.bytes() }

// GoneRange removes the records from from up to to, as Gone does one, but by the chunk: a purge of a million records costs
// little more than one of a thousand.
func (l *Log) GoneRange(from, to uint64) {
	to = min(to, l.next)
	var parts [3]seqRange // of chunks of which something may stay: the first, the last, the tail
	n := 0
	part := func(c *chunk) {
		if r := (seqRange{max(from, c.first), min(to, c.next())}); r.from < r.to {
			parts[n] = r
			n++
		}
	}
	for i, c := range l.sealed.after(from) {
		if c.first >= to {
			break
		}
		if c.first < from || c.next() > to {
			part(c)
			continue
		}
		if l.durable {
			l.pend().gone.add(c.first, c.next())
		}
		l.liveBytes -= int64(c.liveBytes)
		l.unnote(seqRange{c.first, c.next()})
		l.sealed.clear(i)
		l.forget(c)
	}
	l.sealed.tidy()
	if l.tail != nil {
		part(l.tail)
	}
	for _, r := range parts[:n] {
		for seq := r.from; seq < r.to; seq++ {
			l.Gone(seq)
		}
	}
}

// Drop removes every record and gives the memory back: the queue was deleted. Sequence numbers go on, but a
// dropped log of a store keeps nothing across a restart.
func (l *Log) Drop() {
	for _, c := range l.sealed.all() {
		l.forget(c)
	}
	if l.tail != nil {
		l.forget(l.tail)
	}
	l.tail, l.sealed, l.notes = nil, ordered[*chunk]{}, notes{}
	l.bytes, l.liveBytes, l.sinceLook = 0, 0, 0
	if l.store != nil && !l.dropped {
		l.dropped = true
		if l.durable {
			l.pend().dropped = true
			l.durable = false
		}
		l.closePaging()
		l.store.forgetLog(l)
	}
}

// find returns the chunk that holds seq, or nil, and its place among the sealed ones (-1 for the tail).
func (l *Log) find(seq uint64) (*chunk, int) {
	if seq >= l.next {
		return nil, 0
	}
	if l.tail != nil && seq >= l.tail.first {
		return l.tail, -1
	}
	return l.sealed.find(seq)
}

// grow replaces the tail, which cannot take a record of size bytes. Chunks double with what the log holds or has
// taken in since the last commit: a short queue stays small, a long or a busy one has few chunks.
func (l *Log) grow(size int) {
	l.seal()
	want := size
	if size <= int(l.chunkBytes)/2 {
		// Twice the record, so that the next one like it finds room too.
		want = min(max(int(min(l.bytes, maxChunkBytes)), l.sinceSwap, 2*size), int(l.chunkBytes))
	}
	var meter *atomic.Int64
	if l.store != nil {
		meter = &l.store.resident
	}
	l.tail = takeChunk(l.next, want, meter)
	l.bytes += int64(cap(l.tail.data))
	if l.durable && l.store.gathering.Add(int64(cap(l.tail.data))) >= gatherBytes {
		l.store.writeNow()
	}
}

// seal ends the tail; the next record starts another chunk.
func (l *Log) seal() {
	switch {
	case l.tail == nil:
	case l.tail.liveCount == 0:
		l.forget(l.tail)
	default:
		l.sealed.push(l.tail.first, l.tail)
	}
	l.tail = nil
}

// empty is called when the last live record of c is gone. A small tail is used again from its beginning.
func (l *Log) empty(c *chunk, i int) {
	switch {
	case i >= 0:
		l.sealed.remove(i)
		l.forget(c)
	case cap(c.data) <= keepBytes:
		if l.pending != nil {
			l.pending.untouch(c) // all of it is elided
		}
		if c.refs.Load() == 1 {
			c.reset(l.next)
		}
	default:
		l.tail = nil
		l.forget(c)
	}
}

// forget ends the log's interest in c.
func (l *Log) forget(c *chunk) {
	if c.pagedOut {
		l.store.discardPagedOut(l.id, c.first, c.pageParts)
	}
	if l.paging.current == c {
		l.paging.current = nil
	}
	if c.resident() {
		l.bytes -= int64(cap(c.data))
		c.release()
	}
}

// shrinkSparse rewrites sealed chunks that are at least three quarters gone, if the log as a whole is. A queue
// that drains in order never comes here with anything to do; one whose consumers leave a message here and there
// would otherwise keep a chunk for each. The old memory is left to the garbage collector and not pooled, since
// the caller may still look at a record in it.
func (l *Log) shrinkSparse() {
	if l.bytes <= 4*l.liveBytes+4*maxChunkBytes {
		return
	}
	for _, c := range l.sealed.all() {
		before := cap(c.data)
		if before > minChunkBytes && c.liveBytes <= before/4 && c.refs.Load() == 1 {
			c.shrink()
			l.bytes -= int64(before - cap(c.data))
		}
	}
}
