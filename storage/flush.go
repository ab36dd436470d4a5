package storage

// logChange is what Badger lacks of a log.
type logChange struct {
	id      LogID
	desc    descriptor
	metas   []metaChange
	deletes []*durableChunk
	notes   []noteChange
	dropped bool
}

type metaChange struct {
	first uint64
	meta  chunkMeta
}

// flushLogs brings bitmaps, descriptors and deletes to Badger. With all it takes every log that changed, as a
// checkpoint has to; without, only those for which it gives space back.
func (s *Store) flushLogs(all bool) error {
	changes := s.takeChanges(all)
	w := s.newWriter()
	for i := range changes {
		if err := w.writeChange(&changes[i]); err != nil {
			return err
		}
	}
	if err := w.flush(); err != nil {
		return err
	}
	// The metas are gone for certain: now the bodies may go.
	for i := range changes {
		for _, c := range changes[i].deletes {
			if err := s.deleteBody(w, changes[i].id, c); err != nil {
				return err
			}
		}
	}
	return w.flush()
}

// deleteBody removes the value of a chunk that no meta names any more.
func (s *Store) deleteBody(w *writer, id LogID, c *durableChunk) error {
	for part := c.part; part < c.part+c.parts; part++ {
		if err := w.delete(chunkKey(prefixChunk, id, c.first, part)); err != nil {
			return err
		}
	}
	s.pager.deadBytes += int64(c.bytes)
	return nil
}

func (s *Store) takeChanges(all bool) []logChange {
	d := s.durable
	d.mu.Lock()
	defer d.mu.Unlock()
	var changes []logChange
	rest := d.dirty[:0]
	for _, l := range d.dirty {
		if !all && !l.dropped && len(l.touched) == 0 && len(l.deletes) == 0 {
			rest = append(rest, l)
			continue
		}
		l.dirty = false
		if l.dropped && !l.inDB {
			continue // came and went without Badger
		}
		c := logChange{
			id: l.id, deletes: l.deletes, notes: l.takeNotes(), dropped: l.dropped,
			desc: descriptor{next: l.next, moved: l.moved, mark: l.mark, tag: l.tag},
		}
		for t := range l.touched {
			live := append([]uint64(nil), t.live...)
			meta := chunkMeta{count: t.count, part: t.part, parts: t.parts, bytes: t.bytes, kept: t.kept, live: live}
			c.metas = append(c.metas, metaChange{t.first, meta})
		}
		clear(l.touched)
		l.deletes = nil
		l.inDB = true
		changes = append(changes, c)
	}
	clear(d.dirty[len(rest):])
	d.dirty = rest
	return changes
}

func (w *writer) writeChange(c *logChange) error {
	key := logKey(prefixDescriptor, c.id)
	if c.dropped {
		// First the descriptor: without it the rest is garbage, whatever is left of it.
		if err := w.delete(key); err != nil {
			return err
		}
	} else if err := w.setInline(key, c.desc.encode(key)); err != nil {
		return err
	}
	for i := range c.metas {
		m := &c.metas[i]
		key := metaKey(c.id, m.first)
		if err := w.setInline(key, m.meta.encode(key)); err != nil {
			return err
		}
	}
	for _, d := range c.deletes {
		if err := w.delete(metaKey(c.id, d.first)); err != nil {
			return err
		}
	}
	return w.writeNotes(c.notes)
}

// flushTable brings the ordered table to Badger.
func (s *Store) flushTable() error {
	t := &s.durable.table
	s.durable.mu.Lock()
	changes := make(map[string][]byte, len(t.pending))
	for k, v := range t.pending {
		changes[k] = v
	}
	s.durable.mu.Unlock()
	w := s.newWriter()
	for k, v := range changes {
		if err := s.writeTableEntry(w, []byte(k), v); err != nil {
			return err
		}
	}
	if err := w.flush(); err != nil {
		return err
	}
	s.durable.mu.Lock()
	defer s.durable.mu.Unlock()
	for k, v := range changes {
		if now, ok := t.pending[k]; ok && sameSlice(now, v) {
			delete(t.pending, k)
		}
	}
	if len(t.pending) == 0 {
		t.pending = map[string][]byte{} // a map keeps the size that it once had
	}
	return nil
}

// sameSlice reports whether a and b are the very same value, not just equal ones.
func sameSlice(a, b []byte) bool {
	return len(a) == len(b) && cap(a) == cap(b) && (a == nil) == (b == nil) &&
		(cap(a) == 0 || &a[:1][0] == &b[:1][0])
}
