package storage

// Options are the sizes that a log works with. The zero value means the defaults.
type Options struct {
	// ChunkBytes is the size of the largest regular chunk, in bytes; records above half of it get a chunk of
	// their own. Smaller chunks come back sooner when old messages linger, larger ones cost less per message.
	// 0 means 256 KiB. It is rounded up to a power of two and kept between 1 KiB and 256 KiB.
	ChunkBytes int
}
