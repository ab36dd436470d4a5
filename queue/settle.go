package queue

// Settlement is what one channel's acks, rejects and requeues mean to one queue. It names messages by the sequence
// numbers of their deliveries, each of which is settled once. Deliveries that need no ack are never settled.
type Settlement struct {
	Acked    []uint64
	Rejected []uint64 // not to be delivered again: dropped
	Requeued []uint64 // back to their old position, flagged redelivered

	// Resume are subscriptions of this queue that can take messages again.
	Resume []*Subscription
}

// Reset empties the settlement and keeps the memory.
func (s *Settlement) Reset() {
	clear(s.Resume)
	s.Acked, s.Rejected, s.Requeued, s.Resume = s.Acked[:0], s.Rejected[:0], s.Requeued[:0], s.Resume[:0]
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
	q.goneLocked(s.Acked)
	q.goneLocked(s.Rejected)
	q.requeueLocked(s.Requeued)
	for _, sub := range s.Resume {
		if !sub.cancelled {
			q.mu.rings.enter(sub)
		}
	}
	q.deliverLocked(now, fx)
	fx.done()
}

// goneLocked drops unacked messages.
func (q *Queue) goneLocked(seqs []uint64) {
	for _, seq := range seqs {
		if q.mu.log.Live(seq) {
			q.settledLocked(seq)
			q.mu.log.Gone(seq)
		}
	}
}

// settledLocked takes a record out of the unacked ones and returns the size of its body. Of a record that is not in
// memory the size is an estimate; so that this does not add up, the sums start over whenever nothing is left.
func (q *Queue) settledLocked(seq uint64) (size int64) {
	size = int64(q.mu.log.Size(seq))
	if rec, ok := q.mu.log.At(seq); ok {
		size = bodySize(rec)
	}
	q.mu.unackedBytes = max(q.mu.unackedBytes-size, 0)
	if q.mu.unacked--; q.mu.unacked == 0 {
		q.mu.unackedBytes = 0
	}
	return size
}

// requeueLocked makes unacked messages ready again.
func (q *Queue) requeueLocked(seqs []uint64) {
	for _, seq := range seqs {
		if q.mu.log.Live(seq) {
			q.mu.ready++
			q.mu.readyBytes += q.settledLocked(seq)
			q.mu.returned.push(seq)
		}
	}
}
