package storage

import (
	"math/bits"
	"slices"
	"time"
)

// Chunks of which few records are left are rewritten, neighbours together, when too much of what Badger holds is dead.
// A stored chunk is never changed in place. In this order:
//
//  1. Bodies, from what was durably live when the pager looked. Without a meta they are garbage.
//  2. In one transaction, the new meta and the deletes of the old ones: each record is in one chunk at any moment.
//  3. The durable side, then the queues' stubs, take the new chunk for the old ones.
//  4. The old bodies, which nothing names any more, are deleted.
//
// moved-up-to is above all of it and stays as it is. Records keep their sequence numbers: what went before the rewriting
// is a gap, what goes after it is gone, as ever.

const (
	rewriteTime  = 500 * time.Millisecond // at a time: a flush is every few seconds
	rewriteRead  = 32 << 20               // bytes of old values in one slice of it
	rewriteRun   = 64                     // chunks that become one, at most
	rewriteLooks = 10_000                 // sparse chunks that are looked at for a slice, while the committer waits
)

// rewriting is neighbouring chunks on their way to become one.
type rewriting struct {
	log  *durableLog
	old  []rewritten
	next *durableChunk // what they become
	buf  []byte
}

// rewritten is a chunk as it was when the pager looked.
type rewritten struct {
	*durableChunk
	body storedChunk
	live []uint64
}

// rewriteSparse rewrites until little of what is stored is dead, time is up, or the journal needs the pager.
func (s *Store) rewriteSparse() error {
	for began := time.Now(); time.Since(began) < rewriteTime && s.tooSparse() && s.spaceForPager(); {
		if s.stopped.Load() || s.journal.liveSegments() > s.options.retireAt() || s.journalBytes() > s.options.JournalMemory {
			return nil
		}
		n, err := s.rewriteSlice()
		if err != nil || n == 0 {
			return err
		}
	}
	return nil
}

// tooSparse reports whether more than an eighth of what is live is dead beside it, small stores apart.
func (s *Store) tooSparse() bool {
	d := s.durable
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.storedDead > (d.storedBytes-d.storedDead)/8+s.options.ValueLogBytes/16
}

// rewriteSlice rewrites some chunks, and returns how many.
func (s *Store) rewriteSlice() (int, error) {
	list, n := s.chooseSparse()
	if len(list) == 0 {
		return 0, nil
	}
	list, err := s.writeRewritten(list)
	if err != nil {
		return 0, err
	}
	if err := s.replaceMetas(list); err != nil {
		return 0, err
	}
	s.markRewritten(list)
	w := s.newWriter()
	for _, r := range list {
		for i := range r.old {
			if err := s.deleteBody(w, r.log.id, r.old[i].durableChunk); err != nil {
				return 0, err
			}
		}
	}
	s.unmapMuch()
	return n, w.flush()
}

// chooseSparse picks a slice of chunks, those first of which less than half is left, and their neighbours.
func (s *Store) chooseSparse() (list []*rewriting, n int) {
	d := s.durable
	d.mu.Lock()
	defer d.mu.Unlock()
	taken := map[*durableChunk]bool{}
	for _, eighths := range [...]int{4, 6, 7} {
		read, looks := 0, 0
		for c := range d.sparse {
			if looks++; read >= rewriteRead || looks > rewriteLooks {
				break
			}
			if !c.isSparse(eighths) || taken[c] {
				continue
			}
			r := d.neighbours(c, eighths, int(newLog(s.options).chunkBytes), taken)
			for i := range r.old {
				read += r.old[i].bytes
			}
			list, n = append(list, r), n+len(r.old)
		}
		if n > 0 {
			break
		}
	}
	return list, n
}

// isSparse reports whether so many eighths of the chunk's records, or less, are live, and it can be rewritten.
func (c *durableChunk) isSparse(eighths int) bool {
	return c.stored && !c.unreadable && c.liveCount*8 <= c.keptCount*eighths
}

// neighbours takes c and the chunks around it that are sparse too, or small, as long as they make one chunk together.
func (d *durableState) neighbours(c *durableChunk, eighths, chunkBytes int, taken map[*durableChunk]bool) *rewriting {
	at := c.log.chunks.search(c.first)
	run := []*durableChunk{c}
	from, to := c.liveSpan()
	size := int64(c.bytes) - c.dead()
	joins := func(o *durableChunk) bool {
		if taken[o] || o.unreadable || !o.stored || len(run) == rewriteRun || !o.isSparse(eighths) && o.bytes > chunkBytes/8 {
			return false
		}
		f, t := o.liveSpan()
		f, t = min(f, from), max(t, to)
		if t-f > maxChunkRecords || size+int64(o.bytes)-o.dead() > int64(chunkBytes) {
			return false
		}
		// Not around one that has ended and whose meta is still there: after a crash it would lie within the new one.
		if slices.ContainsFunc(c.log.deletes, func(gone *durableChunk) bool { return gone.first < t && gone.next() > f }) {
			return false
		}
		from, to, size = f, t, size+int64(o.bytes)-o.dead()
		run = append(run, o)
		return true
	}
	entries := c.log.chunks.entries
	for i := at - 1; i >= c.log.chunks.start && (entries[i].span == nil || joins(entries[i].span)); i-- {
	}
	slices.Reverse(run)
	for i := at + 1; i < len(entries) && (entries[i].span == nil || joins(entries[i].span)); i++ {
	}
	r := &rewriting{log: c.log, next: &durableChunk{log: c.log, first: from, count: int(to - from), sealed: true}}
	r.next.kept = make([]uint64, (r.next.count+63)/64)
	for _, o := range run {
		taken[o] = true
		r.old = append(r.old, rewritten{durableChunk: o, body: o.asStored(), live: slices.Clone(o.live)})
		for i := range setBitsOf(o.live) {
			setBit(r.next.kept, int(o.first-from)+i)
		}
		if o.first == from {
			r.next.part = o.part + o.parts // not where the old one is
		}
	}
	r.next.keptCount = countBits(r.next.kept)
	if r.next.part > maxFirstPart {
		r.next.part = 0 // whatever was there is long gone
	}
	return r
}

// maxFirstPart leaves room for the parts of the largest chunk.
const maxFirstPart = 1 << 15

func setBit(words []uint64, i int) { words[i>>6] |= 1 << (i & 63) }

// liveSpan returns where the live records of c begin and end; it has some.
func (c *durableChunk) liveSpan() (from, to uint64) {
	lo, hi := 0, len(c.live)-1
	for c.live[lo] == 0 {
		lo++
	}
	for c.live[hi] == 0 {
		hi--
	}
	from = c.first + uint64(lo<<6+bits.TrailingZeros64(c.live[lo]))
	return from, c.first + uint64(hi<<6+bits.Len64(c.live[hi]))
}

// writeRewritten makes the new bodies durable, and returns the runs that could be read.
func (s *Store) writeRewritten(list []*rewriting) ([]*rewriting, error) {
	w := s.newWriter()
	readable := list[:0]
	for _, r := range list {
		if !s.gather(r) {
			continue
		}
		readable = append(readable, r)
		s.pager.mapped += len(r.buf)
		if err := w.setParts(prefixChunk, r.log.id, r.next.first, r.next.part, r.buf); err != nil {
			return nil, err
		}
	}
	return readable, w.flush()
}

// gather reads the old values and makes the new one. It returns false if one cannot be read: that is for the reader to
// report, when somebody wants it.
func (s *Store) gather(r *rewriting) bool {
	c := r.next
	var data, value []byte
	ends := make([]uint32, c.count)
	for i := range r.old {
		o := &r.old[i]
		var err error
		value, err = s.readChunk(value[:0], &o.body, func(seq uint64, record []byte) {
			if k := seq - o.first; o.live[k>>6]&(1<<(k&63)) != 0 {
				data = append(data, record...)
				ends[seq-c.first] = uint32(len(data))
			}
		})
		if err != nil {
			s.options.logf("records %d to %d of log %d cannot be rewritten: %v", o.first, o.next()-1, r.log.id, err)
			s.durable.mu.Lock()
			o.unreadable = true
			s.durable.mu.Unlock()
			return false
		}
		s.pager.mapped += len(value)
	}
	for i := 1; i < len(ends); i++ { // what is not there is empty
		ends[i] = max(ends[i], ends[i-1])
	}
	r.buf = encodeValue(nil, chunkKey(prefixChunk, r.log.id, c.first, c.part), data, ends, 0, c.kept)
	c.bytes, c.parts = len(r.buf), partsOf(len(r.buf))
	return true
}

// replaceMetas makes the new chunks part of their logs, and the old ones garbage, each run in one transaction.
func (s *Store) replaceMetas(list []*rewriting) error {
	w := s.newWriter()
	for _, r := range list {
		c := r.next
		key := metaKey(r.log.id, c.first)
		meta := chunkMeta{count: c.count, part: c.part, parts: c.parts, bytes: c.bytes, kept: c.kept, live: c.kept}
		value := meta.encode(key)
		if err := w.reserve(len(key)+len(value)+(len(r.old)+1)*128, len(r.old)+1); err != nil {
			return err
		}
		for i := range r.old {
			if r.old[i].first == c.first {
				continue // overwritten
			}
			if err := w.delete(metaKey(r.log.id, r.old[i].first)); err != nil {
				return err
			}
		}
		if err := w.setInline(key, value); err != nil {
			return err
		}
	}
	return w.flush()
}

// markRewritten puts the new chunks in the place of the old ones, whatever has gone meanwhile.
func (s *Store) markRewritten(list []*rewriting) {
	d := s.durable
	d.mu.Lock()
	for _, r := range list {
		d.replace(r)
	}
	d.mu.Unlock()
	s.epoch.Lock()
	defer s.epoch.Unlock()
	for _, r := range list {
		if l := r.log.log; l != nil {
			l.mergeStubs(r.next.first, r.next.next())
		}
	}
}

func (d *durableState) replace(r *rewriting) {
	l, c := r.log, r.next
	c.live = make([]uint64, len(c.kept))
	var places []int
	for i := range r.old {
		o := r.old[i].durableChunk
		if o.liveCount == 0 {
			continue // ended meanwhile, with the log perhaps
		}
		d.unstore(o)
		for k := range setBitsOf(o.live) {
			setBit(c.live, int(o.first-c.first)+k)
		}
		_, at := l.chunks.find(o.first)
		places = append(places, at)
	}
	for _, at := range places {
		l.chunks.clear(at)
	}
	c.liveCount = countBits(c.live)
	// Their metas are gone or another's, and their bodies are about to be deleted.
	l.deletes = slices.DeleteFunc(l.deletes, func(gone *durableChunk) bool {
		return slices.ContainsFunc(r.old, func(o rewritten) bool { return o.durableChunk == gone })
	})
	if n := len(places); n > 0 {
		l.chunks.fill(places[n-1], c.first, c)
	}
	d.store(c)
	l.chunks.tidy()
}
