package storage

// mappedBytes of values written, or read, may stay in memory as pages of Badger's mapped files.
const mappedBytes = 16 << 20

// moving is a chunk on its way to Badger, as it was when the pager looked.
type moving struct {
	*durableChunk
	mem  *chunk // retained
	data []byte
	ends []uint32
	base int
	kept []uint64 // live at that moment, in mem's index space shifted by base

	buf []byte
}

// move stores the oldest chunks for which want is true, up to about one transaction of bodies, and returns how many
// it was done with. Chunks of a log are moved in order since all chunks are looked at in the order of their age.
func (s *Store) move(want func(*durableChunk) bool) (int, error) {
	list := s.choose(want)
	if len(list) == 0 {
		return 0, nil
	}
	defer func() {
		for i := range list {
			list[i].mem.release()
			valueBuffers.put(list[i].buf)
		}
	}()
	if err := s.sealTails(list); err != nil {
		return 0, err
	}
	n := len(list)
	s.snapshot(list)
	if err := s.writeBodies(list); err != nil {
		return 0, err
	}
	if err := s.writeMetas(list); err != nil {
		return 0, err
	}
	s.markStored(list)
	s.unmapMuch()
	return n, nil
}

// unmapMuch gives mapped pages back when much was read or written.
func (s *Store) unmapMuch() {
	if s.pager.mapped > mappedBytes {
		s.pager.mapped = 0
		s.dropMapped()
	}
}

// choose picks chunks and keeps their memory from being used again.
func (s *Store) choose(want func(*durableChunk) bool) []moving {
	d := s.durable
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []moving
	size := 0
	for c := d.oldest; c != nil && want(c); c = c.younger {
		if size += len(c.data); size > maxTxnBodies && len(list) > 0 {
			break
		}
		c.mem.retain()
		list = append(list, moving{durableChunk: c, mem: c.mem})
	}
	return list
}

// sealTails ends those chunks that are still appended to, and waits until all their records are durable: a stored
// chunk is never written again.
func (s *Store) sealTails(list []moving) error {
	d := s.durable
	d.mu.Lock()
	var open []*moving
	for i := range list {
		if !list[i].sealed {
			open = append(open, &list[i])
		}
	}
	d.mu.Unlock()
	if len(open) == 0 {
		return nil
	}
	s.epoch.Lock()
	for _, m := range open {
		if l := m.log.log; l != nil && l.tail == m.mem {
			l.seal()
		}
	}
	commit := s.number
	if len(s.commit.pending) == 0 && len(s.commit.table) == 0 {
		commit-- // nothing gathers, but a group may be on its way to the disk
	}
	s.epoch.Unlock()
	if err := s.await(commit); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, m := range open {
		m.sealed = true
	}
	return nil
}

// snapshot fixes what of the chunks is live. What goes later is a matter of their bitmaps.
func (s *Store) snapshot(list []moving) {
	d := s.durable
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range list {
		m := &list[i]
		m.data, m.ends, m.base = m.durableChunk.data, m.durableChunk.ends, m.durableChunk.base
		m.kept = append([]uint64(nil), m.live...)
	}
}

// writeBodies makes the bodies durable, before anything refers to them.
func (s *Store) writeBodies(list []moving) error {
	w := s.newWriter()
	for i := range list {
		m := &list[i]
		if countBits(m.kept) == 0 {
			continue
		}
		key := chunkKey(prefixChunk, m.log.id, m.first, 0)
		m.buf = encodeValue(valueBuffers.take(m.maxBytes()), key, m.data, m.ends, m.base, m.kept)
		m.parts, m.bytes = partsOf(len(m.buf)), len(m.buf)
		s.pager.mapped += len(m.buf)
		if err := w.setParts(prefixChunk, m.log.id, m.first, 0, m.buf); err != nil {
			return err
		}
	}
	return w.flush()
}

// maxBytes is the most that the chunk's value takes.
func (m *moving) maxBytes() int { return valueHeaderBytes + 4*len(m.ends) + len(m.data) }

// writeMetas makes the chunks part of their logs. The descriptor, with moved-up-to, is in the same transaction as the
// meta that it covers.
func (s *Store) writeMetas(list []moving) error {
	w := s.newWriter()
	for i := range list {
		m := &list[i]
		if countBits(m.kept) == 0 {
			continue
		}
		meta := chunkMeta{count: m.count, parts: m.parts, bytes: m.bytes, kept: m.kept, live: m.kept}
		s.durable.mu.Lock()
		l := m.log
		d := descriptor{next: l.next, moved: m.next(), mark: l.mark, tag: l.tag}
		s.durable.mu.Unlock()
		if err := w.setMeta(l.id, m.first, &meta, &d); err != nil {
			return err
		}
	}
	return w.flush()
}

// setMeta writes a meta and its log's descriptor in one transaction.
func (w *writer) setMeta(id LogID, first uint64, m *chunkMeta, d *descriptor) error {
	mk, lk := metaKey(id, first), logKey(prefixDescriptor, id)
	mv, lv := m.encode(mk), d.encode(lk)
	if err := w.reserve(len(mk)+len(mv)+len(lk)+len(lv)+256, 2); err != nil {
		return err
	}
	if err := w.setInline(mk, mv); err != nil {
		return err
	}
	return w.setInline(lk, lv)
}

// setParts writes a value in pieces, numbered from part on.
func (w *writer) setParts(prefix byte, id LogID, first uint64, part int, value []byte) error {
	for ; len(value) > 0; part++ {
		n := min(len(value), maxPartBytes)
		if err := w.set(chunkKey(prefix, id, first, part), value[:n]); err != nil {
			return err
		}
		value = value[n:]
	}
	return nil
}

func partsOf(bytes int) int { return (bytes + maxPartBytes - 1) / maxPartBytes }

// markStored records that Badger has the chunks, first on the durable side, then for the queues, which may now do
// without the memory.
func (s *Store) markStored(list []moving) {
	d := s.durable
	d.mu.Lock()
	for i := range list {
		m := &list[i]
		if countBits(m.kept) == 0 {
			continue
		}
		m.log.inDB = true
		m.log.moved = max(m.log.moved, m.next())
		m.durableChunk.kept, m.keptCount = m.kept, countBits(m.kept)
		d.store(m.durableChunk)
		d.letGo(m.durableChunk)
	}
	d.mu.Unlock()
	s.epoch.Lock()
	defer s.epoch.Unlock()
	for i := range list {
		m := &list[i]
		l := m.log.log
		if l == nil || countBits(m.kept) == 0 {
			continue
		}
		if c, _ := l.find(m.first); c == m.mem {
			c.stored = true
		}
	}
}
