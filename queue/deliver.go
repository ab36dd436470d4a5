package queue

import "fmt"

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

// deliverLocked is the delivery pass: it hands out what is ready until nothing is left or nobody can take more.
func (q *Queue) deliverLocked(_ int64, fx *Effects) {
	if q.mu.ready == 0 || q.mu.rings.top == nil {
		return
	}
	var run outboxRun
	d := &fx.delivery
	for q.mu.ready > 0 && q.mu.rings.top != nil && q.headLocked(d, &fx.message) {
		q.deliverHeadLocked(d, &run, fx)
	}
	run.end()
}

// deliverHeadLocked gives the message of d, the first of those that are ready, to the first consumer that takes it.
func (q *Queue) deliverHeadLocked(d *Delivery, run *outboxRun, fx *Effects) {
	for {
		top := q.mu.rings.top
		if top == nil {
			return
		}
		s := top.head
		run.hold(s)
		d.Subscription = s
		if !s.consumer.Deliver(d) {
			q.mu.rings.park(s)
			continue
		}
		top.head = s.next
		if !s.touched {
			fx.touch(s)
		}
		if s.options.NoAck {
			q.mu.counters.DeliverNoAck++
		} else {
			q.mu.counters.Deliver++
		}
		q.takenLocked(d, s.options.NoAck)
		return
	}
}

// headLocked sets d to the message that is next, which must exist. It stays ready. It returns false if the message
// cannot be handed out yet; Ready is called when it can.
func (q *Queue) headLocked(d *Delivery, m *Message) bool {
	var rec []byte
	var ok bool
	if d.Redelivered = q.mu.returned.len() > 0; d.Redelivered {
		d.Seq = q.mu.returned.lowest()
		rec, ok = q.mu.log.At(d.Seq)
	} else {
		rec, ok = q.recordAtCursorLocked()
		d.Seq = q.mu.cursor
		d.Redelivered = d.Seq < q.mu.redelivered
		ok = ok && q.mu.log.Deliver(d.Seq)
	}
	if !ok {
		return false
	}
	if !decodeRecord(rec, m) {
		panic(fmt.Sprintf("queue: record %d of %s is damaged", d.Seq, q.resource()))
	}
	d.Message = m
	return true
}

// recordAtCursorLocked moves the cursor over records that are gone to the first live one, and returns it if it is in
// memory.
func (q *Queue) recordAtCursorLocked() (rec []byte, ok bool) {
	for end := q.mu.log.Next(); q.mu.cursor < end; q.mu.cursor++ {
		if rec, ok = q.mu.log.At(q.mu.cursor); ok {
			return rec, true
		}
		if q.mu.log.Live(q.mu.cursor) {
			return nil, false
		}
	}
	panic(fmt.Sprintf("queue: %s counts %d messages that its log does not have", q.resource(), q.mu.ready))
}

// takenLocked notes that the head, as headLocked set it, was handed over.
func (q *Queue) takenLocked(d *Delivery, noAck bool) {
	size := int64(len(d.Message.Body))
	if d.Redelivered {
		q.mu.counters.Redeliver++
	}
	if d.Seq < q.mu.cursor {
		q.mu.returned.pop()
	} else {
		q.mu.cursor = d.Seq + 1
	}
	q.mu.readyBytes = max(q.mu.readyBytes-size, 0)
	if q.mu.ready--; q.mu.ready == 0 {
		q.mu.readyBytes = 0
	}
	if noAck {
		q.mu.log.Gone(d.Seq)
		return
	}
	q.mu.unacked++
	q.mu.unackedBytes += size
}

// Get hands the first message to c, if one is ready (basic.get). It takes no part in round robin and credit.
//
// If the message has to be waited for, wait is closed when it is worth asking again.
func (q *Queue) Get(c Consumer, noAck bool, _ int64, fx *Effects) (ok bool, wait <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.closed {
		return false, nil
	}
	if q.mu.ready == 0 {
		q.mu.counters.GetEmpty++
		return false, nil
	}
	d := &fx.delivery
	if !q.headLocked(d, &fx.message) {
		fx.done()
		if q.mu.arrival == nil {
			q.mu.arrival = make(chan struct{})
		}
		return false, q.mu.arrival
	}
	d.Subscription, d.Ready = nil, uint32(q.mu.ready-1)
	c.Acquire()
	ok = c.Deliver(d)
	c.Release()
	if ok {
		fx.Wake = append(fx.Wake, c)
		if noAck {
			q.mu.counters.GetNoAck++
		} else {
			q.mu.counters.Get++
		}
		q.takenLocked(d, noAck)
	}
	fx.done()
	return ok, nil
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
	q.deliverLocked(now, fx)
	fx.done()
}
