package queue

// Stats are the figures of a queue at one moment. The counters count since the queue was made and carry RabbitMQ's
// names and meaning (message_stats of its management API).
type Stats struct {
	Ready, Unacked           int
	ReadyBytes, UnackedBytes int64 // bodies only
	Delayed                  int   // messages that wait to be ready again
	DelayedBytes             int64
	Consumers                int
	MemoryBytes              int64 // what the log takes
	// Discarded are dead messages that nobody has taken yet, see ForwardDiscards. They are neither ready nor unacked.
	Discarded      int
	DiscardedBytes int64

	Publish      uint64
	Deliver      uint64 // to consumers that ack
	DeliverNoAck uint64
	Get          uint64 // answered basic.get that ack
	GetNoAck     uint64
	GetEmpty     uint64
	Redeliver    uint64 // part of the four above
	Ack          uint64
	// Dropped are deaths in a queue without a dead-letter exchange.
	Dropped Deaths

	Deduplicated uint64 // dropped since the queue held the same already (x-message-deduplication)
}

// Messages is how many messages are in the queue, whatever their state.
func (s *Stats) Messages() int { return s.Ready + s.Unacked + s.Delayed + s.Discarded }

// Bytes is the size of their bodies.
func (s *Stats) Bytes() int64 {
	return s.ReadyBytes + s.UnackedBytes + s.DelayedBytes + s.DiscardedBytes
}

// countersLocked makes the counters when the first counts: a queue that is not used does without.
func (q *Queue) countersLocked() *Stats {
	if q.mu.counters == nil {
		q.mu.counters = new(Stats)
	}
	return q.mu.counters
}

// Stats returns the figures, all of the same moment.
func (q *Queue) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	var s Stats
	if q.mu.counters != nil {
		s = *q.mu.counters
	}
	s.Ready, s.ReadyBytes = q.mu.ready, q.mu.readyBytes
	s.Unacked, s.UnackedBytes = q.mu.unacked, q.mu.unackedBytes
	s.Delayed, s.DelayedBytes = q.mu.waiting.len(), q.mu.waiting.bytes
	s.Consumers = q.mu.subscriptions.count
	q.mu.lanes.each(func(l *lane) { s.MemoryBytes += l.log.Bytes() })
	if d := q.mu.discards; d != nil && d.log != nil {
		s.Discarded, s.DiscardedBytes = d.count, d.bytes
		s.MemoryBytes += d.log.Bytes()
	}
	return s
}
