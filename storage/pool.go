package storage

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// chunkPools holds free chunks by size, from minChunkBytes up in powers of two. What stays unused is given back
// to the machine by the garbage collector.
var chunkPools [9]sync.Pool // 1 KiB … 256 KiB

func sizeClass(size int) int {
	return bits.Len(uint(max(size, minChunkBytes)-1)) - bits.Len(uint(minChunkBytes-1))
}

// takeChunk returns an empty chunk with room for size bytes and one reference: a pooled one of the next power of
// two, or, above maxChunkBytes, one of exactly that size, which is never pooled since few others could use it.
// Its capacity is added to meter, which may be nil, until it is given back.
func takeChunk(first uint64, size int, meter *atomic.Int64) *chunk {
	var c *chunk
	if size > maxChunkBytes {
		c = &chunk{data: make([]byte, 0, size)}
	} else {
		class := sizeClass(size)
		if c, _ = chunkPools[class].Get().(*chunk); c == nil {
			c = &chunk{data: make([]byte, 0, minChunkBytes<<class)}
		}
	}
	c.reset(first)
	c.refs.Store(1)
	if c.meter = meter; meter != nil {
		meter.Add(int64(cap(c.data)))
	}
	return c
}

func (c *chunk) retain() { c.refs.Add(1) }

// release gives up one reference; with the last one the chunk goes back to the pool.
func (c *chunk) release() {
	if c.refs.Add(-1) > 0 || !c.resident() {
		return
	}
	size := cap(c.data)
	if c.meter != nil {
		c.meter.Add(-int64(size))
	}
	if size >= minChunkBytes && size <= maxChunkBytes && size&(size-1) == 0 {
		chunkPools[sizeClass(size)].Put(c)
	}
}
