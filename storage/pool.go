package storage

import (
	"math/bits"
	"sync"
)

// chunkPools holds free chunks by size, from minChunkBytes up in powers of two. What stays unused is given back
// to the machine by the garbage collector.
var chunkPools [9]sync.Pool // 1 KiB … 256 KiB

func sizeClass(size int) int {
	return bits.Len(uint(max(size, minChunkBytes)-1)) - bits.Len(uint(minChunkBytes-1))
}

// takeChunk returns an empty chunk with room for size bytes: a pooled one of the next power of two, or, above
// maxChunkBytes, one of exactly that size, which is never pooled since few others could use it.
func takeChunk(first uint64, size int) *chunk {
	if size > maxChunkBytes {
		return &chunk{first: first, data: make([]byte, 0, size)}
	}
	class := sizeClass(size)
	if c, _ := chunkPools[class].Get().(*chunk); c != nil {
		c.reset(first)
		return c
	}
	return &chunk{first: first, data: make([]byte, 0, minChunkBytes<<class)}
}

// giveChunk takes back a chunk that nobody has a view of any more.
func giveChunk(c *chunk) {
	size := cap(c.data)
	if size < minChunkBytes || size > maxChunkBytes || size&(size-1) != 0 {
		return
	}
	chunkPools[sizeClass(size)].Put(c)
}
