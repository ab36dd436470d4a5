package schedule

// find looks for a message in the buckets that hold its time, by a binary search: logs are in the order of serials. With
// wait a record has to be read from disk first.
func (s *Schedule) find(id ID) (b *bucket, seq uint64, rec []byte, wait bool) {
	if id.Due < 0 {
		return nil, 0, nil, false
	}
	for l := range Levels {
		if b = s.byBlock[blockAt(uint8(l), id.Due)]; b == nil {
			continue
		}
		if seq, rec, wait = b.find(id.Serial); rec != nil || wait {
			break
		}
	}
	if rec == nil {
		return nil, 0, nil, wait
	}
	if found, _ := idOf(rec); found != id {
		return nil, 0, nil, false
	}
	return b, seq, rec, false
}

func (b *bucket) find(serial uint64) (seq uint64, rec []byte, wait bool) {
	for lo, hi := b.log.First(), b.log.Next(); lo < hi; {
		mid := lo + (hi-lo)/2
		seq = mid
		for seq < hi && !b.log.Live(seq) {
			seq++
		}
		if seq == hi {
			hi = mid
			continue
		}
		rec, ok := b.log.At(seq)
		if !ok {
			if b.log.Live(seq) {
				return 0, nil, true
			}
			continue // lost just now
		}
		switch id, _ := idOf(rec); {
		case id.Serial == serial:
			return seq, rec, false
		case id.Serial < serial:
			lo = seq + 1
		default:
			hi = mid
		}
	}
	return 0, nil, false
}

// Find returns a message as views, valid until the owner's lock is released. With wait it has to be read from disk first:
// the caller tries again when it has come.
func (s *Schedule) Find(id ID) (e Entry, ok, wait bool) {
	_, _, rec, wait := s.find(id)
	if rec == nil || !decode(rec, &e) {
		return Entry{}, false, wait
	}
	return e, true, false
}

// Cancel removes a message. With wait it has to be looked for on disk first, as by Find.
func (s *Schedule) Cancel(id ID) (ok, wait bool) {
	b, seq, rec, wait := s.find(id)
	if rec == nil {
		return false, wait
	}
	s.cancel(b, seq, len(rec))
	return true, false
}

func (s *Schedule) cancel(b *bucket, seq uint64, size int) {
	// If it has a place in the index, that goes when it comes up.
	b.gone(seq)
	s.count--
	if b.empty() && !b.near {
		s.remove(b)
	}
}

// Reschedule gives a message another time, and with it another id: among those that are due together it comes last. With
// wait it has to be looked for on disk first, as by Find; stepAt is as Add's.
func (s *Schedule) Reschedule(now int64, id ID, due int64) (moved ID, stepAt int64, ok, wait bool) {
	b, seq, rec, wait := s.find(id)
	var e Entry
	if rec == nil || !decode(rec, &e) {
		return ID{}, Never, false, wait
	}
	e.own()
	s.cancel(b, seq, len(rec))
	moved, stepAt = s.Add(now, due, &e.Message)
	return moved, stepAt, true, false
}
