package storage

// storedChunk names a chunk in Badger and what its value must hold.
type storedChunk struct {
	log          LogID
	first        uint64
	count        int
	kept         []uint64
	parts, bytes int
}

// Check reads every chunk that is in Badger and calls report for each that cannot be read, with the sequence numbers
// that it spans. It returns how many it has read. The store may be in use.
func (s *Store) Check(report func(log LogID, from, to uint64, err error)) (chunks int) {
	var buf []byte
	for _, c := range s.storedChunks() {
		key := chunkKey(prefixChunk, c.log, c.first, 0)
		value, err := s.readValue(buf[:0], prefixChunk, c.log, c.first, c.parts, c.bytes)
		if buf = value; err == nil {
			err = decodeValue(value, key, c.kept, func(int, []byte) {})
		}
		if err != nil && s.ownsChunk(c.log, c.first) { // otherwise it went meanwhile
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
	for id, l := range d.logs {
		for _, c := range l.chunks.all() {
			if c.stored {
				list = append(list, storedChunk{log: id, first: c.first, count: c.count, kept: c.kept, parts: c.parts, bytes: c.bytes})
			}
		}
	}
	return list
}
