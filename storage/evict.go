package storage

import "time"

// transientPage is a chunk with transient records on its way to Badger.
type transientPage struct {
	log   *Log
	chunk *chunk // retained
	first uint64
	data  []byte
	ends  []uint32
	kept  []uint64 // the transient records that were live
	parts int
}

// use is what a log did between two looks of the pager at it.
type use struct {
	look            uint32 // the last one
	idle            bool   // nothing was appended or read between it and the one before
	next, readingAt uint64 // as they were then
}

// idleAt reports whether the log is not in use, at a look of the pager.
func (l *Log) idleAt(look uint32) bool {
	if u := &l.use; u.look != look {
		now := use{look: look, next: l.next, readingAt: l.paging.readingAt}
		now.idle = u.look != 0 && u.next == now.next && u.readingAt == now.readingAt
		l.use = now
	}
	return l.use.idle
}

// lookAnew lets evict look at everything again: what was in use may not be any more.
func (s *Store) lookAnew(now time.Time) {
	s.pager.looks++
	s.pager.looked = now
	s.pager.evictAt.Store(s.options.MemoryBytes)
}

// evict pages chunks out while those of all logs take more memory than allowed: those that are in Badger are just
// let go, transient records are written there first. What a log is reading, and the chunks right after it, stay, and so
// does the one that is appended to, unless the log is idle. If nothing is left that could go, the memory is in use:
// publishers do not wait for it, since that would be for ever. The memory alarm bounds it.
func (s *Store) evict() error {
	for s.resident.Load() > s.pager.evictAt.Load() {
		before := s.resident.Load()
		e := s.evictStored(before - s.options.MemoryBytes)
		err := s.writePages(e.pages)
		if err == nil {
			s.evictPages(e.pages)
		}
		for _, p := range e.pages {
			p.chunk.release()
		}
		switch {
		case err != nil:
			return err
		case !e.freed && len(e.pages) == 0:
			s.pager.evictAt.Store(s.resident.Load() + s.options.JournalMemory/4)
			s.broadcast()
		case s.resident.Load() >= before:
			return nil
		}
	}
	return nil
}

// evictStored lets go of chunks that are empty or in Badger, until about so many bytes are free, and finds chunks whose
// transient records have to be written first if those did not suffice. Logs that are to be kept come last, and leave
// publishers half of the room that they have.
func (s *Store) evictStored(excess int64) eviction {
	s.epoch.Lock()
	defer s.epoch.Unlock()
	e := eviction{excess: excess}
	for _, kept := range []bool{false, true} {
		for l := range s.logs {
			if l.paging.kept == kept && e.excess > 0 {
				e.take(l, l.idleAt(s.pager.looks) && !kept)
			}
		}
		e.excess -= s.options.JournalMemory / 2
	}
	return e
}

// eviction is what evictStored has done so far.
type eviction struct {
	excess  int64           // bytes that are still to be freed
	freed   bool            // some were
	pages   []transientPage // that have to be written first
	writing int64           // bytes of these
}

// take lets go of chunks of a log, of all if it is idle.
func (e *eviction) take(l *Log, idle bool) {
	e.takeTail(l, idle)
	near, far := l.reading()
	for i, c := range l.sealed.all() {
		if e.excess <= 0 {
			return
		}
		if !c.resident() || !idle && i >= near && i <= far {
			continue
		}
		size := int64(cap(c.data))
		kept := c.liveTransient()
		onDisk := c.stored || !c.hasPersistent()
		switch {
		case onDisk && (kept == nil || c.pagedOut):
			l.stub(i, c)
			e.excess -= size
			e.freed = true
		case onDisk && e.writing < maxTxnBodies:
			c.retain()
			e.pages = append(e.pages, transientPage{log: l, chunk: c, first: c.first, data: c.data, ends: c.ends, kept: kept})
			e.writing += size
			e.excess -= size
		}
	}
}

// takeTail lets go of a tail that is empty, and ends one of an idle log with nothing but transient records, so that it can
// be paged out. Persistent ones have to go to Badger first, which move sees to.
func (e *eviction) takeTail(l *Log, idle bool) {
	c := l.tail
	switch {
	case c == nil:
	case c.liveCount == 0:
		e.excess -= int64(cap(c.data))
		e.freed = true
		l.seal()
	case idle && !c.hasPersistent():
		l.seal()
	}
}

// reading returns the indexes of the first and the last sealed chunk that the log is reading or soon will.
func (l *Log) reading() (near, far int) {
	near = l.sealed.search(l.paging.readingAt)
	return near, near + readAhead
}

// liveTransient returns which records are live and transient, nil if none are.
func (c *chunk) liveTransient() []uint64 {
	if c.transients == 0 {
		return nil
	}
	var kept []uint64
	for i, end := range c.ends {
		if end&transientBit != 0 && !c.isGone(i) {
			if kept == nil {
				kept = make([]uint64, len(c.gone))
			}
			kept[i>>6] |= 1 << (i & 63)
		}
	}
	return kept
}

// hasPersistent reports whether any live record is one that the journal has.
func (c *chunk) hasPersistent() bool {
	for i, end := range c.ends {
		if end&transientBit == 0 && !c.isGone(i) {
			return true
		}
	}
	return false
}

// stub replaces the sealed chunk i by one without memory. The caller holds the epoch for writing.
func (l *Log) stub(i int, c *chunk) *chunk {
	if l.paging.current == c {
		l.paging.current = nil
	}
	s := &chunk{
		first: c.first, count: c.count, gone: append([]uint64(nil), c.gone...), low: c.low,
		liveCount: c.liveCount, liveBytes: c.liveBytes,
		stored: c.stored, pagedOut: c.pagedOut, pageParts: c.pageParts, transient: c.transient,
	}
	l.sealed.entries[i].span = s
	l.bytes -= int64(cap(c.data))
	c.release()
	return s
}

// writePages stores transient records. No journal knows them; they are dropped when the store is opened.
func (s *Store) writePages(pages []transientPage) error {
	w := s.newWriter()
	for i := range pages {
		p := &pages[i]
		key := chunkKey(prefixPagedOut, p.log.id, p.first, 0)
		value := encodeValue(nil, key, p.data, p.ends, 0, p.kept)
		p.parts = partsOf(len(value))
		if err := w.setParts(prefixPagedOut, p.log.id, p.first, 0, value); err != nil {
			return err
		}
	}
	return w.flush()
}

// evictPages lets go of the chunks that were written, unless they have gone meanwhile.
func (s *Store) evictPages(pages []transientPage) {
	s.epoch.Lock()
	defer s.epoch.Unlock()
	for i := range pages {
		p := &pages[i]
		c, at := p.log.find(p.first)
		if c != p.chunk || at < 0 || p.log.dropped {
			s.discardPagedOut(p.log.id, p.first, p.parts)
			continue
		}
		c.pagedOut, c.transient, c.pageParts = true, p.kept, p.parts
		p.log.stub(at, c)
	}
}
