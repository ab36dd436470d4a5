package storage

import "math/bits"

const (
	minChunkBytes = 1 << 10   // an idle queue that once held a message keeps this much
	maxChunkBytes = 256 << 10 // see Options.ChunkBytes

	// maxChunkRecords bounds the offsets of a chunk whose records are tiny or empty.
	maxChunkRecords = 1 << 14
)

// chunk is a run of records with consecutive sequence numbers, back to back in one piece of memory that never
// moves while a caller may hold a view of it.
//
//	data  | record 0 | record 1 | … | record n-1 |      room      |
//	ends             ^          ^                ^
//	gone  bit i: record i is acked, expired, dropped or purged
type chunk struct {
	first     uint64   // seq of record 0
	data      []byte   // len is what records use, cap is what the chunk costs
	ends      []uint32 // end of record i in data
	gone      []uint64 // INVARIANT: exactly enough words for len(ends) bits
	low       int      // every record before it is gone
	liveCount int
	liveBytes int
}

func (c *chunk) next() uint64 { return c.first + uint64(len(c.ends)) }

func (c *chunk) fits(size int) bool {
	return size <= cap(c.data)-len(c.data) && len(c.ends) < maxChunkRecords
}

// append reserves size bytes for the next record. The caller has checked that they fit.
func (c *chunk) append(size int) []byte {
	start := len(c.data)
	end := start + size
	c.data = c.data[:end]
	if len(c.ends)&63 == 0 {
		c.gone = append(c.gone, 0)
	}
	c.ends = append(c.ends, uint32(end))
	c.liveCount++
	c.liveBytes += size
	return c.data[start:end:end]
}

func (c *chunk) bounds(i int) (start, end uint32) {
	if i > 0 {
		start = c.ends[i-1]
	}
	return start, c.ends[i]
}

func (c *chunk) record(i int) []byte {
	start, end := c.bounds(i)
	return c.data[start:end:end]
}

func (c *chunk) isGone(i int) bool { return c.gone[i>>6]&(1<<(i&63)) != 0 }

// setGone marks record i; it reports the record's size, and false if it was gone already.
func (c *chunk) setGone(i int) (size int, ok bool) {
	word, bit := i>>6, uint64(1)<<(i&63)
	if c.gone[word]&bit != 0 {
		return 0, false
	}
	c.gone[word] |= bit
	start, end := c.bounds(i)
	size = int(end - start)
	c.liveCount--
	c.liveBytes -= size
	return size, true
}

// lowest returns the index of the first record that is not gone, len(ends) if there is none. It moves low
// forward a word of the bitmap at a time, so that a whole drain costs O(records/64).
func (c *chunk) lowest() int {
	n := len(c.ends)
	for c.low < n {
		live := ^c.gone[c.low>>6] >> (c.low & 63)
		if live != 0 {
			c.low += bits.TrailingZeros64(live)
			break
		}
		c.low = (c.low | 63) + 1
	}
	c.low = min(c.low, n)
	return c.low
}

// reset empties the chunk; its next record will be seq first.
func (c *chunk) reset(first uint64) {
	c.first = first
	c.data, c.ends, c.gone = c.data[:0], c.ends[:0], c.gone[:0]
	c.low, c.liveCount, c.liveBytes = 0, 0, 0
}

// shrink moves the live records into memory of just their size; those that are gone become empty. Views of the
// old memory stay good.
func (c *chunk) shrink() {
	data := make([]byte, 0, c.liveBytes)
	start := uint32(0)
	for i, end := range c.ends {
		if !c.isGone(i) {
			data = append(data, c.data[start:end]...)
		}
		start, c.ends[i] = end, uint32(len(data))
	}
	c.data = data
}
