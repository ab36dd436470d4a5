package queue

// Settlement is what one channel's acks, rejects and requeues mean to one queue. It names messages by the sequence
// numbers of their deliveries, each of which is settled once. Deliveries that need no ack are never settled.
type Settlement struct {
	Acked    []uint64
	Rejected []uint64 // not to be delivered again: dropped or dead-lettered
	Requeued []uint64 // given back by the client
	Returned []uint64 // given back since the channel ended

	// Resume are subscriptions of this queue that can take messages again.
	Resume []*Subscription
}

// Reset empties the settlement and keeps the memory.
func (s *Settlement) Reset() {
	clear(s.Resume)
	s.Acked, s.Rejected, s.Requeued = s.Acked[:0], s.Rejected[:0], s.Requeued[:0]
	s.Returned, s.Resume = s.Returned[:0], s.Resume[:0]
}

// Settle applies a settlement, then delivers what is ready to whoever can take it. After the queue was deleted it
// does nothing.
func (q *Queue) Settle(now int64, s *Settlement, fx *Effects) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.closed {
		return
	}
	q.mu.counters.Ack += uint64(len(s.Acked))
	q.settledLocked(s.Acked, "", fx)
	q.settledLocked(s.Rejected, Rejected, fx)
	q.requeueLocked(s.Requeued, q.rules.countReturns && !q.rules.hasDeliveryLimit, fx)
	q.requeueLocked(s.Returned, false, fx)
	if q.rules.limited {
		// Before anybody gets them: what came back above the limit is lost first (RabbitMQ 3.10.8 behaviour).
		q.dropExcessLocked(fx)
	}
	for _, sub := range s.Resume {
		if !sub.cancelled {
			q.enterLocked(sub)
		}
	}
	q.deliverLocked(now, fx)
	fx.done()
}

// settledLocked drops unacked messages; those that died for a reason are dead-lettered.
func (q *Queue) settledLocked(seqs []uint64, reason string, fx *Effects) {
	for _, seq := range seqs {
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

// requeueLocked makes unacked messages ready again: at their old position, or with toTail behind all others.
func (q *Queue) requeueLocked(seqs []uint64, toTail bool, fx *Effects) {
	for _, seq := range seqs {
		l, at := q.mu.lanes.of(seq)
		if !l.log.Live(at) {
			continue
		}
		size := l.bodySize(at)
		q.unackedLocked(size)
		if q.rules.countReturns && !q.countReturnLocked(seq, fx) {
			continue
		}
		rec, ok := l.log.At(at)
		if !ok || mayExpire(rec) {
			q.mu.expiring = true
		}
		switch {
		case toTail && ok:
			seq = q.moveToTailLocked(seq, rec)
		case q.rules.countReturns:
			l.returned.pushLast(at)
		default:
			l.returned.push(at)
		}
		q.readyLocked(seq, size)
	}
}
