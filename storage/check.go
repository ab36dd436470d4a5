package storage

// storedChunk names a chunk in Badger and what its value must hold.
type storedChunk struct {
	log         LogID
	first       uint64
	count       int
	kept        []uint64
	part, parts int
	bytes       int
}

func (c *durableChunk) asStored() storedChunk {
	return storedChunk{log: c.log.id, first: c.first, count: c.count, kept: c.kept, part: c.part, parts: c.parts, bytes: c.bytes}
}

// readChunk reads a chunk's value, appended to buf, which is empty, and calls visit with its records.
func (s *Store) readChunk(buf []byte, c *storedChunk, visit func(seq uint64, record []byte)) (value []byte, err error) {
	value, err = s.readValue(buf, prefixChunk, c.log, c.first, c.part, c.parts, c.bytes)
	if err != nil {
		return value, err
	}
	key := chunkKey(prefixChunk, c.log, c.first, c.part)
	return value, decodeValue(value, key, c.kept, func(i int, record []byte) { visit(c.first+uint64(i), record) })
}

// Check reads every chunk that is in Badger and calls report for each that cannot be read, with the sequence numbers
// that it spans. It returns how many it has read. The store may be in use.
func (s *Store) Check(report func(log LogID, from, to uint64, err error)) (chunks int) {
	var buf []byte
	for _, c := range s.storedChunks() {
		value, err := s.readChunk(buf[:0], &c, func(uint64, []byte) {})
		buf = value
		if err != nil && s.ownsBody(c.log, c.first, c.part) { // otherwise it went meanwhile
			report(c.log, c.first, c.first+uint64(c.count), err)
		}
		chunks++
	}
	return chunks
}

func (s *Store) storedChunks() (list []storedChunk) {
	d := s.durable
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.logs {
		for _, c := range l.chunks.all() {
			if c.stored {
				list = append(list, c.asStored())
			}
		}
	}
	return list
}
