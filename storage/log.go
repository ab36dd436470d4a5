package storage

import "math/bits"

const (
	// keepBytes is the largest tail chunk that an empty log keeps. A busy queue at depth 0 works in it without
	// touching the pool; ten thousand idle queues that were busy once keep 40 MiB.
	keepBytes = 4 << 10

	// sparseBytes of records gone, and again so many, make a log look whether it holds much more memory than
	// its live records need.
	sparseBytes = maxChunkBytes
)

// Log keeps the records of one queue, or of one priority of it, in sequence order. Sequence numbers start at 0,
// are dense, and are never used twice.
//
// All methods are called under the lock of the queue that owns the log. Append, At, Gone and Live take constant
// time for records of the first and the last chunk, and a binary search over the chunks for those between.
//
// Memory: chunks double from 1 KiB with what the log holds, up to Options.ChunkBytes. A chunk whose records are
// all gone is given back at once. Chunks that few live records pin are rewritten into smaller ones, so that a log
// holds no more than four times its live bytes and about a megabyte.
type Log struct {
	chunkBytes int
	next       uint64

	tail   *chunk // the only chunk that is appended to; nil if there is none
	sealed sealedChunks

	bytes     int64 // capacity of all chunks
	liveBytes int64
	sinceLook int // bytes of records gone since the log last looked for sparse chunks
}

// NewLog returns an empty log that lives in memory.
func NewLog(o Options) *Log {
	size := o.ChunkBytes
	if size <= 0 {
		size = maxChunkBytes
	}
	size = min(max(size, minChunkBytes), maxChunkBytes)
	return &Log{chunkBytes: 1 << bits.Len(uint(size-1))}
}

// Append reserves size bytes for a new record at the end and returns its sequence number. The caller fills the
// record before it releases the queue's lock; until then it may append further ones. A log in memory makes no
// difference between persistent and other records.
func (l *Log) Append(size int, _ bool) (seq uint64, record []byte) {
	if l.tail == nil || !l.tail.fits(size) {
		l.grow(size)
	}
	seq = l.next
	l.next++
	l.liveBytes += int64(size)
	return seq, l.tail.append(size)
}

// At returns the record with the sequence number seq, and false if it is gone or was never there. The view is
// valid until the record is gone or the queue's lock is released.
func (l *Log) At(seq uint64) (record []byte, ok bool) {
	c, _ := l.find(seq)
	if c == nil || c.isGone(int(seq-c.first)) {
		return nil, false
	}
	return c.record(int(seq - c.first)), true
}

// Live reports whether the record seq is in the log.
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
	size, ok := c.setGone(int(seq - c.first))
	if !ok {
		return
	}
	l.liveBytes -= int64(size)
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

// Next returns the sequence number that the next Append will give.
func (l *Log) Next() uint64 { return l.next }

// Bytes returns the memory that the log's chunks take, in bytes.
func (l *Log) Bytes() int64 { return l.bytes }

// Drop removes every record and gives the memory back: the queue was deleted. Sequence numbers go on.
func (l *Log) Drop() {
	for c := range l.sealed.all() {
		giveChunk(c)
	}
	if l.tail != nil {
		giveChunk(l.tail)
	}
	l.tail, l.sealed = nil, sealedChunks{}
	l.bytes, l.liveBytes, l.sinceLook = 0, 0, 0
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

// grow replaces the tail, which cannot take a record of size bytes. Chunks double with what the log holds: a
// short queue stays small, a long one has few chunks.
func (l *Log) grow(size int) {
	if l.tail != nil && l.tail.liveCount == 0 {
		l.release(l.tail)
	} else if l.tail != nil {
		l.sealed.push(l.tail)
	}
	want := size
	if size <= l.chunkBytes/2 {
		// Twice the record, so that the next one like it finds room too.
		want = min(max(int(min(l.bytes, maxChunkBytes)), 2*size), l.chunkBytes)
	}
	l.tail = takeChunk(l.next, want)
	l.bytes += int64(cap(l.tail.data))
}

// empty is called when the last live record of c is gone. A small tail is used again from its beginning.
func (l *Log) empty(c *chunk, i int) {
	switch {
	case i >= 0:
		l.sealed.remove(i)
		l.release(c)
	case cap(c.data) <= keepBytes:
		c.reset(l.next)
	default:
		l.tail = nil
		l.release(c)
	}
}

func (l *Log) release(c *chunk) {
	l.bytes -= int64(cap(c.data))
	giveChunk(c)
}

// shrinkSparse rewrites sealed chunks that are at least three quarters gone, if the log as a whole is. A queue
// that drains in order never comes here with anything to do; one whose consumers leave a message here and there
// would otherwise keep a chunk for each. The old memory is left to the garbage collector and not pooled, since
// the caller may still look at a record in it.
func (l *Log) shrinkSparse() {
	if l.bytes <= 4*l.liveBytes+4*maxChunkBytes {
		return
	}
	for c := range l.sealed.all() {
		if before := cap(c.data); before > minChunkBytes && c.liveBytes <= before/4 {
			c.shrink()
			l.bytes -= int64(before - cap(c.data))
		}
	}
}
