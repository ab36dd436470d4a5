package storage

import (
	"math/bits"
	"sync/atomic"
)

const (
	minChunkBytes = 1 << 10   // an idle queue that once held a message keeps this much
	maxChunkBytes = 256 << 10 // see Options.ChunkBytes

	// maxChunkRecords bounds the offsets of a chunk whose records are tiny or empty, and with them its bitmaps,
	// which must stay below 8 KiB together to be kept inline by Badger.
	maxChunkRecords = 1 << 14

	// transientBit in an end offset marks a record that the journal leaves out. It shares the word with the
	// offset so that the committer may read it while the queue appends.
	transientBit = 1 << 31
)

// chunk is a run of records with consecutive sequence numbers, back to back in one piece of memory that never
// moves while a caller may hold a view of it.
//
//	data  | record 0 | record 1 | … | record n-1 |      room      |
//	ends             ^          ^                ^
//	gone  bit i: record i is acked, expired, dropped or purged
//
// The fields belong to the queue that appends, under its lock. The bytes and offsets of records that exist never
// change; others read them through copies of the two slice headers, taken under the epoch, and hold a reference
// meanwhile.
//
// A chunk that is only on disk is a stub: it has no data and no offsets.
type chunk struct {
	first      uint64   // seq of record 0
	count      int      // records
	data       []byte   // len is what records use, cap is what the chunk costs
	ends       []uint32 // end of record i in data, and transientBit
	gone       []uint64 // INVARIANT: exactly enough words for count bits
	low        int      // every record before it is gone
	liveCount  int
	liveBytes  int
	transients int // records with transientBit, gone or not

	// The chunk's persistent records (those that were live then) are in Badger: the durable side knows where.
	stored bool
	// Transient records that were live when the chunk was paged out are stored under first.
	pagedOut  bool
	pageParts int      // of that value
	transient []uint64 // the records in it
	requested bool     // a stub that the reader was asked for

	// refs counts who may look at data: the log, the pending group, the durable side, a reader. At zero the chunk
	// goes back to the pool.
	refs  atomic.Int32
	meter *atomic.Int64 // counts the capacity of all chunks of a store; may be nil
}

func (c *chunk) next() uint64 { return c.first + uint64(c.count) }

func (c *chunk) resident() bool { return c.data != nil }

func (c *chunk) fits(size int) bool {
	return size <= cap(c.data)-len(c.data) && c.count < maxChunkRecords
}

// append reserves size bytes for the next record. The caller has checked that they fit.
func (c *chunk) append(size int, flag uint32) []byte {
	start := len(c.data)
	end := start + size
	c.data = c.data[:end]
	if c.count&63 == 0 {
		c.gone = append(c.gone, 0)
	}
	c.ends = append(c.ends, uint32(end)|flag)
	c.count++
	if flag != 0 {
		c.transients++
	}
	c.liveCount++
	c.liveBytes += size
	return c.data[start:end:end]
}

// bounds returns where record i of a chunk with these end offsets lies.
func bounds(ends []uint32, i int) (start, end uint32) {
	if i > 0 {
		start = ends[i-1] &^ transientBit
	}
	return start, ends[i] &^ transientBit
}

func (c *chunk) record(i int) []byte {
	start, end := bounds(c.ends, i)
	return c.data[start:end:end]
}

func (c *chunk) isGone(i int) bool { return c.gone[i>>6]&(1<<(i&63)) != 0 }

// size returns the size of record i, an average if the chunk is not resident.
func (c *chunk) size(i int) int {
	if !c.resident() {
		return c.liveBytes / max(c.liveCount, 1)
	}
	start, end := bounds(c.ends, i)
	return int(end - start)
}

// setGone marks record i; it reports the record's size, and false if it was gone already.
func (c *chunk) setGone(i int) (size int, ok bool) {
	word, bit := i>>6, uint64(1)<<(i&63)
	if c.gone[word]&bit != 0 {
		return 0, false
	}
	size = c.size(i)
	c.gone[word] |= bit
	c.liveCount--
	c.liveBytes -= size
	return size, true
}

// lowest returns the index of the first record that is not gone, count if there is none. It moves low forward a
// word of the bitmap at a time, so that a whole drain costs O(records/64).
func (c *chunk) lowest() int {
	for c.low < c.count {
		live := ^c.gone[c.low>>6] >> (c.low & 63)
		if live != 0 {
			c.low += bits.TrailingZeros64(live)
			break
		}
		c.low = (c.low | 63) + 1
	}
	c.low = min(c.low, c.count)
	return c.low
}

// reset empties the chunk; its next record will be seq first. The caller is the only one who knows the chunk.
func (c *chunk) reset(first uint64) {
	c.first, c.count = first, 0
	c.data, c.ends, c.gone = c.data[:0], c.ends[:0], c.gone[:0]
	c.low, c.liveCount, c.liveBytes, c.transients = 0, 0, 0, 0
	c.stored, c.requested = false, false
	c.pagedOut, c.pageParts, c.transient = false, 0, nil
}

// shrink moves the live records into memory of just their size; those that are gone become empty. Views of the
// old memory stay good. Only for chunks that nobody else refers to.
func (c *chunk) shrink() {
	data := make([]byte, 0, c.liveBytes)
	start := uint32(0)
	for i, e := range c.ends {
		end := e &^ transientBit
		if !c.isGone(i) {
			data = append(data, c.data[start:end]...)
		}
		start, c.ends[i] = end, uint32(len(data))|e&transientBit
	}
	if c.meter != nil {
		c.meter.Add(int64(cap(data) - cap(c.data)))
	}
	c.data = data
}
