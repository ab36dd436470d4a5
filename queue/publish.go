package queue

// Publish adds messages: those of msgs whose indices are in idx, in that order. After the queue was deleted it does
// nothing.
//
// A message that a consumer can take at once goes to its outbox straight from msgs. With no ack to come it never
// touches the log.
func (q *Queue) Publish(now int64, msgs []Message, idx []int32, fx *Effects) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.closed {
		return
	}
	q.mu.counters.Publish += uint64(len(idx))
	// By the invariant nothing is ready while someone can take a message, so what is published now is next.
	// Unless what is ready has to be waited for: that must not be overtaken.
	if q.mu.rings.top != nil && q.mu.ready == 0 {
		idx = idx[q.deliverStraightLocked(msgs, idx, fx):]
		fx.done()
	}
	for _, i := range idx {
		m := &msgs[i]
		q.appendLocked(m, fx)
		q.mu.ready++
		q.mu.readyBytes += int64(len(m.Body))
	}
}

// appendLocked writes m to the end of the log.
func (q *Queue) appendLocked(m *Message, fx *Effects) (seq uint64) {
	durable := q.durable && (m.Persistent || q.kind == kindQuorum)
	fx.Durable = fx.Durable || durable
	seq, rec := q.mu.log.Append(recordSize(m), durable)
	encodeRecord(rec, m)
	return seq
}

// deliverStraightLocked delivers messages to waiting consumers as long as there are any, and returns how many of
// idx it dealt with. The last of these may have found nobody after all and be ready in the log.
func (q *Queue) deliverStraightLocked(msgs []Message, idx []int32, fx *Effects) (n int) {
	var run outboxRun
	d := &fx.delivery
	d.Redelivered = false
	for q.mu.rings.top != nil && n < len(idx) && q.mu.ready == 0 {
		d.Message = &msgs[idx[n]]
		q.deliverNewLocked(d, &run, fx)
		n++
	}
	run.end()
	return n
}

// deliverNewLocked delivers the message of d, which is new, to the first consumer that takes it. One that needs
// an ack is appended to the log first. If nobody takes it, it is ready in the log.
func (q *Queue) deliverNewLocked(d *Delivery, run *outboxRun, fx *Effects) {
	appended := false
	for {
		top := q.mu.rings.top
		if top == nil {
			break
		}
		s := top.head
		if !appended && !s.options.NoAck {
			d.Seq = q.appendLocked(d.Message, fx)
			appended = true
			if !q.mu.log.Deliver(d.Seq) {
				break
			}
		}
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
		if appended {
			q.mu.cursor = d.Seq + 1
		}
		if s.options.NoAck {
			q.mu.counters.DeliverNoAck++
			if appended {
				q.mu.log.Gone(d.Seq)
			}
		} else {
			q.mu.counters.Deliver++
			q.mu.unacked++
			q.mu.unackedBytes += int64(len(d.Message.Body))
		}
		return
	}
	if !appended {
		q.appendLocked(d.Message, fx)
	}
	q.mu.ready++
	q.mu.readyBytes += int64(len(d.Message.Body))
}
