package queue

// Add adds up the figures of several queues.
func (s *Stats) Add(o Stats) {
	s.Ready += o.Ready
	s.Unacked += o.Unacked
	s.ReadyBytes += o.ReadyBytes
	s.UnackedBytes += o.UnackedBytes
	s.Delayed += o.Delayed
	s.DelayedBytes += o.DelayedBytes
	s.Consumers += o.Consumers
	s.MemoryBytes += o.MemoryBytes
	s.Discarded += o.Discarded
	s.DiscardedBytes += o.DiscardedBytes

	s.Publish += o.Publish
	s.Deliver += o.Deliver
	s.DeliverNoAck += o.DeliverNoAck
	s.Get += o.Get
	s.GetNoAck += o.GetNoAck
	s.GetEmpty += o.GetEmpty
	s.Redeliver += o.Redeliver
	s.Ack += o.Ack
	s.Dropped.addAll(&o.Dropped)
	s.Deduplicated += o.Deduplicated
}

// Counters returns the figures that never go down; the others are 0.
func (s Stats) Counters() Stats {
	s.Ready, s.Unacked, s.ReadyBytes, s.UnackedBytes, s.Consumers, s.MemoryBytes = 0, 0, 0, 0, 0, 0
	s.Delayed, s.DelayedBytes = 0, 0
	s.Discarded, s.DiscardedBytes = 0, 0
	return s
}
