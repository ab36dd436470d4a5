package storage

// buildLogs makes the queues' side of every durable log that recovery has found.
func (s *Store) buildLogs() {
	for _, state := range s.durable.logs {
		l := s.newLog(state)
		l.durable = true
		// What is appended from now on is not below the mark: it is new.
		l.next = max(state.next, state.mark)
		l.delivered.safe = state.mark
		state.notes.each(l.notes.set)
		for _, c := range state.chunks.all() {
			mem := c.rebuild()
			l.sealed.push(mem.first, mem)
			l.liveBytes += int64(mem.liveBytes)
			if mem.resident() {
				l.bytes += int64(cap(mem.data))
			}
		}
	}
}

// rebuild returns the queue's side of a durable chunk: its memory, or a stub if it is in Badger.
func (c *durableChunk) rebuild() *chunk {
	mem := c.mem
	if mem == nil {
		mem = &chunk{first: c.first, count: c.count, stored: true}
		// Right if all are live; otherwise as if they were alike, until the chunk is read.
		mem.liveBytes = (c.bytes - valueHeaderBytes - 4*c.keptCount) * c.liveCount / max(c.keptCount, 1)
		mem.gone = make([]uint64, len(c.live))
	} else {
		mem.retain()
		mem.liveBytes = 0
	}
	mem.liveCount, mem.low = c.liveCount, 0
	for i := range mem.gone {
		mem.gone[i] = ^uint64(0)
	}
	for i := range setBitsOf(c.live) {
		k := c.base + i
		mem.gone[k>>6] &^= 1 << (k & 63)
		if mem.resident() {
			mem.liveBytes += mem.size(k)
		}
	}
	return mem
}

// spill keeps the memory within its budget while the journal is replayed: what was read is durable.
func (s *Store) spill(ops *replayOps) error {
	if s.durable.journalBytes <= s.options.JournalMemory {
		return nil
	}
	for _, l := range s.durable.logs {
		ops.closeFilling(l)
	}
	return s.moveOverBudget()
}
