package storage

import (
	"encoding/binary"
)

// discard is a value of transient records that nobody wants any more.
type discard struct {
	log   LogID
	first uint64
	parts int
}

// discardPagedOut has transient records that were paged out deleted. The caller may hold locks.
func (s *Store) discardPagedOut(id LogID, first uint64, parts int) {
	s.pager.mu.Lock()
	defer s.pager.mu.Unlock()
	s.pager.discards = append(s.pager.discards, discard{id, first, parts})
}

// flushDiscards deletes them.
func (s *Store) flushDiscards() error {
	s.pager.mu.Lock()
	discards := s.pager.discards
	s.pager.discards = nil
	s.pager.mu.Unlock()
	w := s.newWriter()
	for _, d := range discards {
		for part := range d.parts {
			if err := w.delete(chunkKey(prefixPagedOut, d.log, d.first, part)); err != nil {
				return err
			}
			s.pager.deadBytes += maxChunkBytes
		}
	}
	return w.flush()
}

// sweep removes what has no owner: metas without a descriptor, and bodies without a meta. Both are left by a stop
// between two transactions, or come back after value-log GC.
func (s *Store) sweep() error {
	w := s.newWriter()
	for _, key := range s.garbage {
		if err := w.delete(key); err != nil {
			return err
		}
	}
	s.garbage = nil
	err := s.scanKeys([]byte{prefixChunk}, func(key []byte) error {
		id := LogID(binary.BigEndian.Uint64(key[1:]))
		if s.ownsBody(id, binary.BigEndian.Uint64(key[9:]), int(binary.BigEndian.Uint16(key[17:]))) {
			return nil
		}
		return w.delete(key)
	})
	if err != nil {
		return err
	}
	return w.flush()
}

// ownsBody reports whether the part belongs to a chunk that the durable state knows. The pager is the only one who adds
// some.
func (s *Store) ownsBody(id LogID, first uint64, part int) bool {
	d := s.durable
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.logs[id]
	if l == nil {
		return false
	}
	c, _ := l.chunks.find(first)
	return c != nil && c.stored && c.first == first && part >= c.part && part < c.part+c.parts
}
