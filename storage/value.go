package storage

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/bits"
	"sync"
)

// maxPartBytes is the size of the pieces in which large chunks are stored: Badger refuses values above the size of
// a value log file.
const maxPartBytes = 1 << 20

// Values of 'c' and 'x' keys, all parts together:
//
//	crc32c(4), of the key of part 0 and all that follows | format(1) | zero(3) | n(4) | n × size(4) | records
const valueHeaderBytes = 12

// encodeValue writes the records of which the bit in kept is set; bit i stands for the record base+i.
func encodeValue(b, key, data []byte, ends []uint32, base int, kept []uint64) []byte {
	be := binary.BigEndian
	b = append(b[:0], 0, 0, 0, 0, formatInDatabase, 0, 0, 0)
	b = be.AppendUint32(b, uint32(countBits(kept)))
	for i := range setBitsOf(kept) {
		start, end := bounds(ends, base+i)
		b = be.AppendUint32(b, end-start)
	}
	for i := range setBitsOf(kept) {
		start, end := bounds(ends, base+i)
		b = append(b, data[start:end]...)
	}
	be.PutUint32(b, checksumAt(key, b[4:]))
	return b
}

// decodeValue calls visit with the records of a value, each with the index of its bit in kept.
func decodeValue(value, key []byte, kept []uint64, visit func(i int, record []byte)) error {
	be := binary.BigEndian
	if len(value) < valueHeaderBytes {
		return fmt.Errorf("value of %d bytes is too short", len(value))
	}
	if crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value[4:]) != be.Uint32(value) {
		return fmt.Errorf("wrong checksum")
	}
	if value[4] != formatInDatabase {
		return &FormatError{Found: uint32(value[4])}
	}
	n := int(be.Uint32(value[8:]))
	sizes := value[valueHeaderBytes:]
	if n != countBits(kept) || len(sizes) < 4*n {
		return fmt.Errorf("value holds %d records, its meta says %d", n, countBits(kept))
	}
	records := sizes[4*n:]
	k := 0
	for i := range setBitsOf(kept) {
		size := int(be.Uint32(sizes[4*k:]))
		if size > len(records) {
			return fmt.Errorf("value ends within record %d", k)
		}
		visit(i, records[:size])
		records = records[size:]
		k++
	}
	return nil
}

// bufferPool keeps buffers for the values of large chunks.
type bufferPool struct{ pool sync.Pool }

var valueBuffers bufferPool

// pooledBytes is the size of a buffer from the pool. For a value below an eighth of it one is made: a transaction may be of
// thousands of small values, all of them in memory at once.
const pooledBytes = maxChunkBytes + maxChunkBytes/4

// take returns an empty buffer with room for size bytes, or with as many as the pool's have.
func (p *bufferPool) take(size int) []byte {
	if size < pooledBytes/8 {
		return make([]byte, 0, size)
	}
	if b, _ := p.pool.Get().(*[]byte); b != nil {
		return (*b)[:0]
	}
	return make([]byte, 0, pooledBytes)
}

func (p *bufferPool) put(b []byte) {
	if cap(b) >= pooledBytes && cap(b) <= 2*maxChunkBytes {
		p.pool.Put(&b)
	}
}

// setBitsOf lists the indexes of the bits that are set.
func setBitsOf(words []uint64) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for w, word := range words {
			for word != 0 {
				i := bits.TrailingZeros64(word)
				word &= word - 1
				if !yield(w<<6 + i) {
					return
				}
			}
		}
	}
}
