package queue

// Settlement is what one channel's acks, rejects and requeues mean to one queue. It names messages by the sequence
// numbers of their deliveries, each of which is settled once. Deliveries that need no ack are never settled.
type Settlement struct {
	Acked    []uint64
	Rejected []uint64 // not to be delivered again: dropped or dead-lettered
	Requeued []uint64 // given back by the client
	Failed   []int    // places in Requeued, rising, of what was given back by basic.reject
	Returned []uint64 // given back since the channel ended

	// Resume are subscriptions of this queue that can take messages again.
	Resume []*Subscription
}

// Reset empties the settlement and keeps the memory.
func (s *Settlement) Reset() {
	clear(s.Resume)
	s.Acked, s.Rejected, s.Requeued = s.Acked[:0], s.Rejected[:0], s.Requeued[:0]
	s.Failed, s.Returned, s.Resume = s.Failed[:0], s.Returned[:0], s.Resume[:0]
}

// Settle applies a settlement, then delivers what is ready to whoever can take it. After the queue was deleted it
// does nothing.
func (q *Queue) Settle(now int64, s *Settlement, fx *Effects) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.closed {
		return
	}
	q.applyLocked(now, s, fx)
	// What came back above the limit is lost first, in a classic queue before anybody gets it, in a quorum queue if nobody
	// does (RabbitMQ 3.10.8 behaviour).
	classic := q.kind == kindClassic
	if q.rules.limited && classic {
		q.dropExcessLocked(fx)
	}
	for _, sub := range s.Resume {
		if !sub.cancelled {
			q.enterLocked(sub)
		}
	}
	if len(q.mu.dying) > 0 {
		fx.Burying = true
	}
	q.deliverLocked(now, fx)
	if q.rules.limited && !classic {
		q.dropExcessLocked(fx)
		q.deliverLocked(now, fx) // goes on with what is in front now
	}
	fx.done()
}

// applyLocked drops what is settled for good, and takes back what is not.
func (q *Queue) applyLocked(now int64, s *Settlement, fx *Effects) {
	q.countersLocked().Ack += uint64(len(s.Acked))
	q.settledLocked(s.Acked, "", fx)
	q.settledLocked(s.Rejected, Rejected, fx)
	q.requeueLocked(now, s, fx)
	q.returnLocked(now, s.Returned, fx)
}

// settledLocked drops unacked messages; those that died for a reason are dead-lettered.
func (q *Queue) settledLocked(seqs []uint64, reason string, fx *Effects) {
	for _, seq := range seqs {
		q.landLocked(seq)
		l, at := q.mu.lanes.of(seq)
		if !l.log.Live(at) {
			continue
		}
		q.unackedLocked(l.bodySize(at))
		if reason != "" {
			q.dieLocked(seq, reason, fx)
		} else {
			q.forgetLocked(seq)
		}
	}
}

// landLocked frees the key of a message that is not in flight any more, if the queue orders by keys.
func (q *Queue) landLocked(seq uint64) {
	if q.mu.keys != nil {
		q.mu.keys.land(seq)
	}
}

// inFlightLocked says whether a message holds its key, so that it stays where it is.
func (q *Queue) inFlightLocked(seq uint64) bool {
	return q.mu.keys != nil && q.mu.keys.inFlight.get(seq) != nil
}

// requeueLocked takes back what clients gave back: to its old position or, in a quorum queue without a limit, behind all
// others (RabbitMQ 3.10.8 behaviour).
func (q *Queue) requeueLocked(now int64, s *Settlement, fx *Effects) {
	toTail := q.rules.returnOrder && !q.rules.hasDeliveryLimit
	failed := s.Failed
	for i, seq := range s.Requeued {
		hasFailed := len(failed) > 0 && failed[0] == i
		if hasFailed {
			failed = failed[1:]
		}
		q.takeBackLocked(now, seq, hasFailed, toTail, fx)
	}
}

// returnLocked takes back what came back since its channel ended.
func (q *Queue) returnLocked(now int64, seqs []uint64, fx *Effects) {
	for _, seq := range seqs {
		q.takeBackLocked(now, seq, true, false, fx)
	}
}

// takeBackLocked makes an unacked message ready again, or lets it wait until it is.
func (q *Queue) takeBackLocked(now int64, seq uint64, failed, toTail bool, fx *Effects) {
	l, at := q.mu.lanes.of(seq)
	if !l.log.Live(at) {
		q.landLocked(seq)
		return
	}
	size := l.bodySize(at)
	q.unackedLocked(size)
	if q.rules.countReturns {
		until, ok := q.countReturnLocked(now, seq, failed, fx)
		if !ok {
			q.landLocked(seq)
			return
		}
		if until > now {
			q.waitLocked(seq, until, size, fx) // and its key with it, if it has one
			return
		}
	}
	rec, ok := l.log.At(at)
	if ok && toTail && !q.inFlightLocked(seq) {
		expires := expiryOf(rec)
		moved := q.moveToTailLocked(seq, rec)
		q.readyLocked(moved, size)
		if expires != 0 {
			q.mu.expiring = true
			if q.mu.exact != nil {
				l, at = q.mu.lanes.of(moved)
				q.noteExpiryLocked(l, at, expires)
			}
		}
		return
	}
	q.backLocked(seq, size, !ok || mayExpire(rec))
}
