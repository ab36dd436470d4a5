package storage

import "time"

// noSpaceRetry is how long the committer waits before it asks a full disk again.
const noSpaceRetry = 200 * time.Millisecond

// keepGroupBytes is the largest group buffer that is kept for the next one.
const keepGroupBytes = 8 << 20

// committer is what the committer's goroutine owns.
type committer struct {
	pending []*pending
	table   []tableOp
	buffer  groupBuffer
	bodies  groupBodies
}

// commitEvery is how long what nobody waits for may gather before it is written: acknowledgements and publishes without
// confirms. Each of them alone is not worth a sync, which would hold up those that somebody does wait for; and of what
// gathers, more is gone before it has to be written.
const commitEvery = 5 * time.Millisecond

// gatherBytes is how much may gather before it is written, though nobody waits for it.
const gatherBytes = 1 << 20

// enlist puts what a log has pending on the list for the next group. The caller is between Enter and Leave.
func (s *Store) enlist(p *pending) {
	s.commit.Lock()
	s.commit.pending = append(s.commit.pending, p)
	s.commit.Unlock()
	s.writeSoon()
}

func (s *Store) enlistTable(op tableOp) {
	s.commit.Lock()
	s.commit.table = append(s.commit.table, op)
	s.commit.Unlock()
	s.writeSoon()
}

// writeSoon makes sure that what is pending is written, though nobody may wait for it. The timer runs out at most once in
// commitEvery, however much comes.
func (s *Store) writeSoon() {
	if s.soon != nil && !s.soonSet.Load() && s.soonSet.CompareAndSwap(false, true) {
		s.soon.Reset(commitEvery)
	}
}

func (s *Store) soonPassed() {
	s.soonSet.Store(false)
	s.writeNow()
}

// writeNow has the committer write what is pending, though nobody may wait for it.
func (s *Store) writeNow() {
	s.due.Store(true)
	s.signal()
}

// Want says that somebody waits for commit: it is written as soon as the disk is free.
func (s *Store) Want(commit Commit) {
	for {
		wanted := s.wanted.Load()
		if uint64(commit) <= wanted {
			return
		}
		if s.wanted.CompareAndSwap(wanted, uint64(commit)) {
			s.signal()
			return
		}
	}
}

func (s *Store) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// runCommitter writes groups until the store is closed or fails. What somebody waits for has no timer: while one group
// is synced the next gathers.
func (s *Store) runCommitter() {
	for {
		select {
		case <-s.wake:
		case <-s.closing:
			s.commitPending()
			return
		}
		// Without the look a second call of Want for the same commit would cost a sync.
		if due := s.due.Swap(false); (due || s.wanted.Load() > s.takenTo) && !s.commitPending() {
			return
		}
	}
}

// sealJournal ends a journal that is closed in order with an empty group. It shows at the next start that the group
// before it was promised: damage there is not taken for a torn write.
func (s *Store) sealJournal() {
	if !s.commitPending() || s.journal.file == nil {
		return
	}
	s.epoch.Lock()
	commit := s.number
	s.number++
	s.epoch.Unlock()
	if s.writeGroup(beginGroup(nil), commit) {
		s.durableTo.Store(uint64(commit))
	}
}

// commitPending makes what is pending durable. It returns false when the store has failed.
func (s *Store) commitPending() bool {
	commit, ok := s.swap()
	if !ok {
		return s.Err() == nil
	}
	c := &s.committer
	b := beginGroup(c.buffer.room(len(s.journal.head), c.size()))
	for i := range c.table {
		b = c.table[i].appendOp(b)
	}
	for _, p := range c.pending {
		b = p.appendOps(b, c.bodies)
	}
	if !s.writeGroup(b, commit) {
		return false
	}
	s.apply(commit)
	c.buffer.trim()
	s.durableTo.Store(uint64(commit))
	s.notify.Lock()
	calls := s.notify.calls
	s.notify.Unlock()
	for _, call := range calls {
		call(commit)
	}
	s.afterCommit()
	return true
}

// afterCommit wakes those who wait for a commit, or have to react to how much there is.
func (s *Store) afterCommit() {
	s.broadcast()
	if s.reader.waits() {
		s.reader.signal()
	}
	if s.journalBytes() > s.options.JournalMemory || s.resident.Load() > s.pager.evictAt.Load() ||
		s.journal.liveSegments() > s.options.retireAt() {
		s.wakePager()
	}
}

// await waits until commit is durable and applied.
func (s *Store) await(commit Commit) error {
	if s.manual {
		for s.Durable() < commit && s.commitPending() {
		}
		return s.Err()
	}
	s.Want(commit)
	s.awaiting.Lock()
	defer s.awaiting.Unlock()
	for s.Durable() < commit && s.Err() == nil {
		s.committed.Wait()
	}
	return s.Err()
}

// swap takes what is pending and fixes its commit number. It reports false if there is nothing.
func (s *Store) swap() (Commit, bool) {
	s.epoch.Lock()
	defer s.epoch.Unlock()
	c := &s.committer
	// Nobody enlists while the epoch is held for writing: commit.Mutex orders those who hold it for reading.
	c.pending, s.commit.pending = s.commit.pending, c.pending[:0]
	c.table, s.commit.table = s.commit.table, c.table[:0]
	if len(c.pending) == 0 && len(c.table) == 0 {
		return 0, false
	}
	for _, p := range c.pending {
		p.take()
	}
	c.bodies = c.bodies.reset(s.commit.bodies)
	s.commit.bodies = 0
	s.gathering.Store(0)
	commit := s.number
	s.number++
	s.takenTo = uint64(commit)
	return commit, true
}

// size is an upper bound of the group that was taken.
func (c *committer) size() int {
	n := groupHeaderBytes + 8
	for i := range c.table {
		n += len(c.table[i].key) + len(c.table[i].value) + 16
	}
	for _, p := range c.pending {
		n += p.bytes()
	}
	return n
}

// writeGroup writes and syncs the group. On a full disk it waits for space: nothing is promised and nothing lost
// meanwhile. Any other error poisons the store, since nobody knows what the disk holds then.
func (s *Store) writeGroup(b []byte, commit Commit) bool {
	for {
		if s.Err() != nil {
			return false
		}
		err := s.journal.append(&s.committer.buffer, b, commit, s.Durable())
		if err == nil {
			return true
		}
		if _, poisoned := err.(*writeError); poisoned || !isNoSpace(err) {
			s.fail(err)
			return false
		}
		s.options.logf("no space for the journal; nothing is confirmed until there is: %v", err)
		if !s.retryNoSpace() {
			s.fail(err)
		}
	}
}

// waitNoSpace waits a moment for space. It returns false when the store is being closed.
func (s *Store) waitNoSpace() bool {
	select {
	case <-s.closing:
		return false
	case <-time.After(noSpaceRetry):
		return true
	}
}

// apply brings the durable side to the group that was just synced.
func (s *Store) apply(commit Commit) {
	c, d := &s.committer, s.durable
	d.mu.Lock()
	d.commit, d.segment = commit, s.journal.active.number
	for i := range c.table {
		d.table.apply(&c.table[i])
	}
	for _, p := range c.pending {
		d.applyPending(p)
	}
	d.mu.Unlock()
	for i, p := range c.pending {
		p.recycle()
		c.pending[i] = nil
	}
	clear(c.table)
}

// applyPending applies the ops that appendOps wrote.
func (d *durableState) applyPending(p *pending) {
	l := p.log.state
	if p.dropped {
		if !p.created {
			d.drop(l)
		}
		return
	}
	if p.created {
		d.create(l)
	}
	gone := p.gone.sorted()
	for i := range p.pieces {
		e := &p.pieces[i]
		e.surviving(gone, func(from, to int) { d.enqueue(l, e, from, to) })
	}
	for _, r := range gone {
		if r.from >= p.from {
			break
		}
		d.gone(l, seqRange{r.from, min(r.to, p.from)})
	}
	if len(p.notes) > 0 {
		p.lastingNotes(gone, func(seq uint64, n note) { d.note(l, seq, n) })
	}
	if p.marked {
		d.deliver(l, p.mark)
	}
}
