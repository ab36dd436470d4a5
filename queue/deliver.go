package queue

import (
	"fmt"

	"github.com/warren-mq/warren/amqp"
)

// outboxRun keeps the outbox of one subscription acquired over consecutive deliveries to it.
type outboxRun struct{ held *Subscription }

// hold acquires the outbox of s, after it has released another one.
func (r *outboxRun) hold(s *Subscription) {
	if r.held == s {
		return
	}
	r.end()
	r.held = s
	s.consumer.Acquire()
}

// end releases what is held.
func (r *outboxRun) end() {
	if r.held != nil {
		r.held.consumer.Release()
		r.held = nil
	}
}

// deliverLocked is the delivery pass: it hands out what is ready until nothing is left or nobody can take more. What
// has expired is dropped where it would have been delivered.
func (q *Queue) deliverLocked(now int64, fx *Effects) {
	if q.mu.exact != nil && q.mu.expiring {
		q.expireLocked(now, fx) // in the order of expiry, which is not that of delivery
	}
	for {
		if q.mu.ready > 0 && q.mu.rings.top != nil {
			q.passOnceLocked(now, fx)
		}
		if q.mu.expiring {
			q.expireLocked(now, fx)
		}
		if q.mu.rings.top == nil || !q.stalledLocked() {
			return
		}
	}
}

// passOnceLocked delivers until nobody can take more, or nothing more is at hand.
func (q *Queue) passOnceLocked(now int64, fx *Effects) {
	var run outboxRun
	d := &fx.delivery
	d.Now = now
	for q.mu.ready > 0 && q.mu.rings.top != nil {
		if q.mu.keys == nil {
			if !q.plainHeadLocked(d, &fx.message) {
				break
			}
		} else if q.nextKeyedLocked(d, &fx.message) != atHand {
			break
		}
		if at := fx.message.ExpiresAt; at != 0 && now >= at {
			q.dropHeadLocked(Expired, fx)
			continue
		}
		if q.mu.rate != nil && !q.mayTakeLocked(now, fx) || !q.mayDeliverLocked(d) {
			break
		}
		if q.rules.countReturns {
			q.showReturnsLocked(d, false)
		}
		q.deliverHeadLocked(now, d, &run, fx)
	}
	run.end()
}

// deliverHeadLocked gives the message of d, the first of those that are ready, to the first consumer that takes it.
func (q *Queue) deliverHeadLocked(now int64, d *Delivery, run *outboxRun, fx *Effects) {
	for {
		top := q.mu.rings.top
		if top == nil {
			return
		}
		s := top.head
		if s.rated && q.heldBackLocked(s, now, fx) {
			continue
		}
		run.hold(s)
		d.Subscription = s
		if !s.consumer.Deliver(d) {
			q.mu.rings.park(s)
			continue
		}
		if q.mu.traced {
			fx.trace(d, s.consumer)
		}
		top.head = s.next
		if !s.touched {
			fx.touch(s)
		}
		if s.options.NoAck {
			q.countersLocked().DeliverNoAck++
		} else {
			q.countersLocked().Deliver++
		}
		if s.rated {
			q.tookLocked(s)
		}
		q.takenLocked(d, s.options.NoAck)
		return
	}
}

// headLocked sets d to the first message that is ready; there must be one. It stays ready. It returns false if the
// message is not in memory; Ready is called when it is.
func (q *Queue) headLocked(d *Delivery, m *Message) bool {
	if q.mu.keys != nil {
		return q.headKeyedLocked(d, m)
	}
	return q.plainHeadLocked(d, m)
}

// plainHeadLocked is headLocked for queues without an ordering key, in which the first is also what is delivered next.
func (q *Queue) plainHeadLocked(d *Delivery, m *Message) bool {
	l := q.mu.lanes.top()
	if q.mu.exact != nil {
		l.skipDropped()
	}
	var rec []byte
	var ok bool
	if d.returned = l.returned.len() > 0; d.returned {
		d.Seq = l.returned.lowest()
		rec, ok = l.log.At(d.Seq)
	} else {
		rec, ok = q.recordAtCursorLocked(l)
		d.Seq = l.cursor
	}
	d.Redelivered = d.returned || d.Seq < l.redelivered
	d.Seq |= uint64(l.priority) << seqBits
	if !ok {
		return false
	}
	if !decodeRecord(rec, m) {
		panic(fmt.Sprintf("queue: record %d of %s is damaged", d.Seq, q.resource()))
	}
	d.Message, d.Redelivered = m, d.Redelivered || m.Redelivered
	return true
}

// mayDeliverLocked asks whether the head, as headLocked set it, may be handed out now. If not, Ready is called when it
// may.
func (q *Queue) mayDeliverLocked(d *Delivery) bool {
	l, at := q.mu.lanes.of(d.Seq)
	return d.returned || l.log.Deliver(at)
}

// recordAtCursorLocked moves the cursor over records that are gone to the first live one, and returns it if it is in
// memory.
func (q *Queue) recordAtCursorLocked(l *lane) (rec []byte, ok bool) {
	for end := l.log.Next(); l.cursor < end; l.cursor++ {
		if rec, ok = l.log.At(l.cursor); ok {
			return rec, true
		}
		if l.log.Live(l.cursor) {
			return nil, false
		}
	}
	panic(fmt.Sprintf("queue: %s counts %d messages that its log does not have", q.resource(), l.ready))
}

// unreadyLocked takes the head, as headLocked set it, out of what is ready.
func (q *Queue) unreadyLocked(d *Delivery) {
	l, at := q.mu.lanes.of(d.Seq)
	switch {
	case d.key != nil:
		q.mu.keys.popFirst(d.key)
	case d.returned:
		l.returned.pop()
	default:
		l.cursor = at + 1
	}
	if d.returned && q.mu.exact != nil {
		q.mu.exact.back.remove(rank(d.Seq))
	}
	q.uncountLocked(l, int64(len(d.Message.Body)))
}

// uncountLocked takes a message of a lane out of the counts of what is ready.
func (q *Queue) uncountLocked(l *lane, size int64) {
	q.mu.lanes.removed(l)
	q.unreadyCountLocked(size)
}

// unreadyCountLocked counts a message that is not ready any more.
func (q *Queue) unreadyCountLocked(size int64) {
	q.mu.readyBytes = max(q.mu.readyBytes-size, 0)
	if q.mu.ready--; q.mu.ready == 0 {
		q.mu.readyBytes = 0 // the sizes of what was not in memory were estimates
	}
}

// takenLocked notes that the message of d, which is the next one, was handed over.
func (q *Queue) takenLocked(d *Delivery, noAck bool) {
	if d.key != nil {
		d.hash, d.keyed = d.key.hash, true // the key itself may be forgotten with the last that waits
	}
	q.unreadyLocked(d)
	if d.Redelivered {
		q.countersLocked().Redeliver++
	}
	if noAck {
		q.forgetLocked(d.Seq)
		return
	}
	q.mu.unacked++
	q.mu.unackedBytes += int64(len(d.Message.Body))
	if d.keyed {
		q.mu.keys.fly(q.mu.keys.get(d.hash), d.Seq)
	}
}

// CheckGet refuses basic.get where it is not possible: a quorum queue with a single active consumer is for that one
// alone (405, RabbitMQ 3.10.8 behaviour).
func (q *Queue) CheckGet() error {
	if q.rules.singleActive && q.kind == kindQuorum {
		return amqp.Errorf(amqp.ResourceLocked, "cannot obtain access to locked %s. basic.get operations are not supported by quorum queues with single active consumer", q.resource())
	}
	return nil
}

// Get hands the first message to c, if one is ready (basic.get) and the queue's rate limit has a token. It takes no part
// in round robin and credit: c does not refuse it.
//
// If the message has to be waited for, wait is closed when it is worth asking again.
func (q *Queue) Get(c Consumer, noAck bool, now int64, fx *Effects) (ok bool, wait <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	defer fx.done()
	if q.mu.closed {
		return false, nil
	}
	q.usedLocked(now, fx)
	if q.mu.expiring {
		q.expireSomeLocked(now, q.mu.ready+1, fx)
	}
	if q.mu.rate != nil && !q.mu.rate.has(now) {
		q.countersLocked().GetEmpty++
		return false, nil
	}
	d := &fx.delivery
	d.Now = now
	switch q.nextToGetLocked(now, d, fx) {
	case nothing:
		q.countersLocked().GetEmpty++
		return false, nil
	case expected:
		return false, q.arrivalLocked()
	}
	if q.rules.countReturns {
		q.showReturnsLocked(d, true)
	}
	d.Subscription = nil
	q.tookLocked(nil)
	q.takenLocked(d, false)
	d.Ready = uint32(q.mu.ready)
	if q.mu.expiring {
		// What is behind it may be dead. A quorum queue still counts it if the get is to be acknowledged (RabbitMQ 3.10.8).
		taken, m := *d, *d.Message
		q.expireLocked(now, fx)
		*d, fx.message = taken, m
		d.Message = &fx.message
		if q.kind == kindClassic || noAck {
			d.Ready = uint32(q.mu.ready)
		}
	}
	c.Acquire()
	c.Deliver(d)
	c.Release()
	if q.mu.traced {
		fx.trace(d, c)
	}
	fx.Wake = append(fx.Wake, c)
	if noAck {
		q.countersLocked().GetNoAck++
		q.unackedLocked(int64(len(d.Message.Body)))
		q.forgetLocked(d.Seq)
		q.landLocked(d.Seq)
	} else {
		q.countersLocked().Get++
	}
	return true, nil
}

// nextToGetLocked sets d to the message that a get may have now.
func (q *Queue) nextToGetLocked(now int64, d *Delivery, fx *Effects) outlook {
	for q.mu.ready > 0 {
		if q.mu.keys != nil {
			if o := q.nextKeyedLocked(d, &fx.message); o != atHand {
				return o
			}
		} else if !q.headLocked(d, &fx.message) {
			return expected
		}
		if at := fx.message.ExpiresAt; at != 0 && now >= at {
			q.dropHeadLocked(Expired, fx)
			continue
		}
		if !q.mayDeliverLocked(d) {
			return expected
		}
		return atHand
	}
	return nothing
}

// arrivalLocked returns the channel that the next call of Ready closes.
func (q *Queue) arrivalLocked() <-chan struct{} {
	if q.mu.arrival == nil {
		q.mu.arrival = make(chan struct{})
	}
	return q.mu.arrival
}

// unackedLocked takes an unacked message out of the counts. The size of a record that is not in memory is an estimate;
// so that this does not add up, the sums start over whenever nothing is left.
func (q *Queue) unackedLocked(size int64) {
	q.mu.unackedBytes = max(q.mu.unackedBytes-size, 0)
	if q.mu.unacked--; q.mu.unacked == 0 {
		q.mu.unackedBytes = 0
	}
}

// Ready tells that a message which had to be waited for may be there. What can be delivered now is.
func (q *Queue) Ready(now int64, fx *Effects) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.arrival != nil {
		close(q.mu.arrival)
		q.mu.arrival = nil
	}
	if q.mu.closed {
		return
	}
	q.buryLocked(fx)
	if d := q.mu.discards; d != nil && d.log != nil && d.cursor < d.log.Next() {
		fx.Discards = true
	}
	if q.mu.exact != nil && q.mu.expiring {
		q.readExpiriesLocked(now, fx)
	}
	if q.rules.limited {
		q.dropExcessLocked(fx)
	}
	q.deliverLocked(now, fx)
	fx.done()
}
