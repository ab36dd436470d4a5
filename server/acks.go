package server

import "github.com/warren-mq/warren/queue"

// outcome is what a client says of deliveries.
type outcome int

const (
	acked outcome = iota
	rejected
	requeued
)

// settleDeliveries takes deliveries off the channel's unacknowledged ones. The queues learn of it with the batch,
// or at the commit of a transaction.
func (ch *channel) settleDeliveries(tag uint64, multiple bool, what outcome) error {
	c := ch.conn
	if len(c.pubs) > 0 {
		c.settlePublishes()
	}
	out := c.out
	out.mu.Lock()
	defer out.mu.Unlock()
	if ch.tx != nil {
		part := txPart{what: what}
		err := ch.unacked.take(tag, multiple, func(d delivery) { part.deliveries = append(part.deliveries, d) })
		if err == nil {
			ch.tx.settled = append(ch.tx.settled, part)
			ch.counts.uncommittedAcks.Add(int64(len(part.deliveries)))
		}
		return err
	}
	return ch.unacked.take(tag, multiple, func(d delivery) { c.note(d, what) })
}

// note remembers the outcome of a delivery for its queue. The outbox's lock is held.
func (c *conn) note(d delivery, what outcome) {
	k := d.consumer
	k.outstanding--
	if k.prefix != nil {
		k.ch.outstanding--
	}
	if !k.unsettled {
		k.unsettled = true
		c.settling = append(c.settling, k)
	}
	s := &k.settlement
	switch what {
	case acked:
		s.Acked = append(s.Acked, d.seq)
		k.ch.stats.Acked++
	case rejected:
		s.Rejected = append(s.Rejected, d.seq)
	case requeued:
		s.Requeued = append(s.Requeued, d.seq)
	}
}

// settleAcks tells the queues what became of their messages and lets consumers that have credit again go on.
func (c *conn) settleAcks() {
	now := c.now()
	for i, k := range c.settling {
		c.out.mu.Lock()
		if k.starved && k.hasCredit() {
			k.starved = false
			k.settlement.Resume = append(k.settlement.Resume, k.subscription)
		}
		shared := k.ch.globalPrefetch > 0
		c.out.mu.Unlock()
		k.queue.Settle(now, &k.settlement, &c.fx)
		k.settlement = queue.Settlement{
			Acked: k.settlement.Acked[:0], Rejected: k.settlement.Rejected[:0],
			Requeued: k.settlement.Requeued[:0], Resume: k.settlement.Resume[:0],
		}
		k.unsettled = false
		c.settling[i] = nil
		if shared {
			c.resumeStarved(k.ch)
		}
	}
	c.settling = c.settling[:0]
}

// resumeStarved lets all consumers of a channel go on that were refused and have credit now: the limit of the
// channel has room again, or is another one.
func (c *conn) resumeStarved(ch *channel) {
	c.out.mu.Lock()
	var hungry []*consumer
	for _, k := range ch.consumers {
		if k.starved && k.hasCredit() {
			k.starved = false
			hungry = append(hungry, k)
		}
	}
	c.out.mu.Unlock()
	for _, k := range hungry {
		k.queue.Resume(c.now(), k.subscription, &c.fx)
	}
}
