package server

import (
	"github.com/warren-mq/warren/broker"
	"github.com/warren-mq/warren/queue"
)

// outcome is what a client says of deliveries.
type outcome int

const (
	acked outcome = iota
	rejected
	requeued
	failed   // requeued by basic.reject
	returned // not by the client: its channel has ended
)

// settleDeliveries takes deliveries off the channel's unacknowledged ones. The queues learn of it with the batch,
// or at the commit of a transaction. Publishes of the batch stay where they are: settled on their own they could become
// durable before an acknowledgement that was sent earlier.
func (ch *channel) settleDeliveries(tag uint64, multiple bool, what outcome) error {
	if ch.tx != nil && ch.committing.Load() {
		return committing()
	}
	c := ch.conn
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

// settlement is what the reader has taken off unacked and not yet told one queue. All consumers of the connection at
// that queue share it, so that what they give back together returns in its old order.
type settlement struct {
	queue.Settlement
	queue     *broker.Queue
	consumers []*consumer
}

const (
	// maxKeptSettlement is how many places a settlement may have that is kept for the next batch.
	maxKeptSettlement = 4096
	// maxSpareSettlements is how many are kept.
	maxSpareSettlements = 8
)

// note remembers the outcome of a delivery for its queue. The outbox's lock is held.
func (c *conn) note(d delivery, what outcome) {
	k := d.consumer
	k.outstanding--
	if k.prefix != nil {
		k.ch.outstanding--
	}
	s := k.settling
	if s == nil {
		s = c.settlementFor(k)
	}
	switch what {
	case acked:
		s.Acked = append(s.Acked, d.seq)
		k.ch.stats.Acked++
	case rejected:
		s.Rejected = append(s.Rejected, d.seq)
		c.givenBack = true
	case failed:
		s.Failed = append(s.Failed, len(s.Requeued))
		s.Requeued = append(s.Requeued, d.seq)
		c.givenBack = true
	case requeued:
		s.Requeued = append(s.Requeued, d.seq)
		c.givenBack = true
	case returned:
		s.Returned = append(s.Returned, d.seq)
	}
}

// settlementFor lets a consumer take part in the settlement of its queue.
func (c *conn) settlementFor(k *consumer) *settlement {
	s := c.settlements[k.queue]
	if s == nil {
		if n := len(c.spareSettlements); n > 0 {
			s, c.spareSettlements = c.spareSettlements[n-1], c.spareSettlements[:n-1]
		} else {
			s = new(settlement)
		}
		s.queue = k.queue
		if c.settlements == nil {
			c.settlements = make(map[*broker.Queue]*settlement)
		}
		c.settlements[k.queue] = s
		c.settling = append(c.settling, s)
	}
	s.consumers = append(s.consumers, k)
	k.settling = s
	return s
}

// settleAcks tells the queues what became of their messages and lets consumers that have credit again go on. tied says
// that acknowledgements must be part of the commit at hand, since a publish or the answer to a transaction is.
func (c *conn) settleAcks(tied bool) {
	entered := c.enter()
	now := c.now()
	c.givenBack = false
	large := c.settling[:0]
	for _, s := range c.settling {
		delete(c.settlements, s.queue)
		c.creditBack(now, s)
		if !tied && s.Len() > queue.SettleSlice {
			large = append(large, s)
			continue
		}
		s.queue.Settle(now, &s.Settlement, &c.fx)
		c.keepSettlement(s)
	}
	for _, s := range large {
		c.settleInSlices(now, s)
	}
	clear(c.settling)
	c.settling = c.settling[:0]
	for i, ch := range c.sharing {
		c.resumeStarved(ch)
		c.sharing[i] = nil
	}
	c.sharing = c.sharing[:0]
	c.leave(entered)
}

// settleInSlices settles so much that others would wait long for the queue and, worse, for the next commit. What happens in
// a slice is one commit, and the next is part of the same or a later one.
func (c *conn) settleInSlices(now int64, s *settlement) {
	c.breathe(func() { s.queue.Arrange(&s.Settlement) })
	for s.Len() > queue.SettleSlice {
		s.queue.SettleSome(now, &s.Settlement, &c.fx)
		c.breathe(nil)
	}
	s.queue.Settle(now, &s.Settlement, &c.fx)
}

// breathe lets a commit begin in the middle of work on queues.
func (c *conn) breathe(meanwhile func()) {
	c.srv.broker.Leave()
	if meanwhile != nil {
		meanwhile()
	}
	c.commit = c.srv.broker.Enter()
}

// creditBack notes who can take messages again, now that s is settled.
func (c *conn) creditBack(now int64, s *settlement) {
	var shared *channel // whose limit for all of its consumers has room again
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	for _, k := range s.consumers {
		k.settling = nil
		k.ch.active.Store(now)
		if k.starved && k.hasCredit() {
			k.starved = false
			s.Resume = append(s.Resume, k.subscription)
		}
		if k.ch.globalPrefetch > 0 && k.ch != shared {
			shared = k.ch
			c.sharing = append(c.sharing, shared)
		}
	}
}

// keepSettlement keeps a settlement that is done with for the next batch, unless it has grown large.
func (c *conn) keepSettlement(s *settlement) {
	if len(c.spareSettlements) >= maxSpareSettlements ||
		cap(s.Acked)+cap(s.Rejected)+cap(s.Requeued)+cap(s.Returned)+cap(s.consumers) > maxKeptSettlement {
		return
	}
	s.Reset()
	clear(s.consumers)
	s.queue, s.consumers = nil, s.consumers[:0]
	c.spareSettlements = append(c.spareSettlements, s)
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
