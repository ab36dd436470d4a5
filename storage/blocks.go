package storage

// blockBytes is the unit in which the journal is written: whole blocks at multiples of it, from memory at a multiple of
// it. So the bytes go to the disk past the page cache, where that is possible.
const blockBytes = 4096

// alignedBytes returns n bytes that begin at a multiple of blockBytes: the runtime puts large objects at the beginning of
// a page. If it did not, the journal would be written through the page cache (osFile.WriteAt); a test tells.
func alignedBytes(n int) []byte { return make([]byte, max(n, largeBytes))[:n:n] }

// largeBytes is more than what the runtime puts beside others.
const largeBytes = 64 << 10

// wholeBlocks rounds up.
func wholeBlocks(n int64) int64 { return (n + blockBytes - 1) &^ (blockBytes - 1) }

// groupBuffer is the memory of a group: it lies there as far behind the beginning of a block as it will in the file.
type groupBuffer struct{ memory []byte }

// room returns an empty slice for a group of up to n bytes that will begin lead bytes into a block.
func (g *groupBuffer) room(lead, n int) []byte {
	if need := int(wholeBlocks(int64(lead + n))); need > len(g.memory) {
		g.memory = alignedBytes(max(need, min(2*len(g.memory), keepGroupBytes)))
	}
	return g.memory[lead:lead]
}

// blocks returns the blocks of the file that the group reaches into. head is what the first of them holds before the
// group; behind the group are zeros. The group is moved if it lies elsewhere.
func (g *groupBuffer) blocks(head, group []byte) []byte {
	end := len(head) + len(group)
	padded := int(wholeBlocks(int64(end)))
	if padded > len(g.memory) {
		g.memory = alignedBytes(padded)
	}
	if &group[0] != &g.memory[len(head)] {
		copy(g.memory[len(head):], group)
	}
	copy(g.memory, head)
	clear(g.memory[end:padded])
	return g.memory[:padded]
}

// trim forgets memory that a large group needed.
func (g *groupBuffer) trim() {
	if len(g.memory) > keepGroupBytes {
		g.memory = nil
	}
}
