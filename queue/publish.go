package queue

// Publish adds messages: those of msgs whose indices are in idx, in that order. After the queue was deleted it does
// nothing. A message that the queue has no room for and refuses is noted in fx.Refused.
//
// A message that a consumer can take at once goes to its outbox straight from msgs. With no ack to come it never
// touches the log.
func (q *Queue) Publish(now int64, msgs []Message, idx []int32, fx *Effects) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.closed {
		return
	}
	if q.mu.exact != nil && q.mu.expiring {
		q.expireLocked(now, fx) // what has expired leaves its room
	}
	if q.rules.limited {
		q.publishLimitedLocked(now, msgs, idx, fx)
	} else {
		q.publishLocked(now, msgs, idx, fx)
	}
	if q.mu.expiring {
		q.expireLocked(now, fx)
	}
	if q.stalledLocked() {
		q.deliverLocked(now, fx)
	}
	fx.done()
}

// publishLocked takes messages without asking for room.
func (q *Queue) publishLocked(now int64, msgs []Message, idx []int32, fx *Effects) {
	if q.mu.present != nil {
		q.publishNewLocked(now, msgs, idx, fx)
		return
	}
	q.publishAllLocked(now, msgs, idx, fx)
}

func (q *Queue) publishAllLocked(now int64, msgs []Message, idx []int32, fx *Effects) {
	q.countersLocked().Publish += uint64(len(idx))
	if q.mu.keys != nil {
		q.publishKeyedLocked(now, msgs, idx, fx)
		return
	}
	// By the invariant nothing is ready while someone can take a message, so what is published now is next. Unless
	// what is ready has to be waited for: that must not be overtaken.
	if q.mu.rings.top != nil && q.mu.ready == 0 {
		idx = idx[q.deliverStraightLocked(now, msgs, idx, fx):]
	}
	for _, i := range idx {
		q.appendReadyLocked(now, &msgs[i], fx)
	}
}

// appendLocked writes m to the end of its lane's log.
func (q *Queue) appendLocked(now int64, m *Message, fx *Effects) (seq uint64) {
	l := q.laneForLocked(m.Priority)
	at := q.rules.expiry(now, m)
	if at != 0 {
		q.mu.expiring = true
	}
	durable := q.Keeps(m)
	if durable {
		fx.Durable = max(fx.Durable, q.durability)
	}
	seq, rec := l.log.Append(recordSize(m, at), durable)
	encodeRecord(rec, m, at)
	if m.Several && durable {
		l.log.Share(seq, &m.Shared, len(m.Body))
	}
	seq |= uint64(l.priority) << seqBits
	if q.mu.present != nil {
		q.mu.present.enter(seq)
	}
	return seq
}

// appendReadyLocked appends a message that is ready then.
func (q *Queue) appendReadyLocked(now int64, m *Message, fx *Effects) (seq uint64) {
	seq = q.appendLocked(now, m, fx)
	q.addLocked(now, seq, m)
	return seq
}

// addLocked counts a message that is new and ready.
func (q *Queue) addLocked(now int64, seq uint64, m *Message) {
	q.readyLocked(seq, int64(len(m.Body)))
	if q.mu.exact != nil {
		l, at := q.mu.lanes.of(seq)
		q.noteExpiryLocked(l, at, q.rules.expiry(now, m))
	}
}

// readyLocked counts a message that has become ready.
func (q *Queue) readyLocked(seq uint64, size int64) {
	l, _ := q.mu.lanes.of(seq)
	q.mu.lanes.added(l)
	q.mu.ready++
	q.mu.readyBytes += size
}

// deliverStraightLocked delivers messages to waiting consumers as long as there are any, and returns how many of
// idx it dealt with. The last of these may have found nobody after all and be ready in the log.
func (q *Queue) deliverStraightLocked(now int64, msgs []Message, idx []int32, fx *Effects) (n int) {
	var run outboxRun
	d := &fx.delivery
	d.Now = now
	rated := q.mu.rate != nil
	for q.mu.rings.top != nil && n < len(idx) && q.mu.ready == 0 && (!rated || q.mayTakeLocked(now, fx)) {
		d.Message = &msgs[idx[n]]
		d.Redelivered = d.Message.Redelivered
		q.deliverNewLocked(now, d, &run, fx)
		n++
	}
	run.end()
	return n
}

// deliverNewLocked delivers the message of d, which is new, to the first consumer that takes it. One that needs
// an ack is appended to the log first. If nobody takes it, it is ready in the log.
func (q *Queue) deliverNewLocked(now int64, d *Delivery, run *outboxRun, fx *Effects) {
	appended := false
	for {
		top := q.mu.rings.top
		if top == nil {
			break
		}
		s := top.head
		if s.rated && q.heldBackLocked(s, now, fx) {
			continue
		}
		if !appended && (!s.options.NoAck || q.rules.firm) {
			d.Seq = q.appendLocked(now, d.Message, fx)
			appended = true
			if l, at := q.mu.lanes.of(d.Seq); !l.log.Deliver(at) {
				break
			}
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
		if s.rated {
			q.tookLocked(s)
		}
		if !s.touched {
			fx.touch(s)
		}
		if appended {
			l, at := q.mu.lanes.of(d.Seq)
			l.cursor = at + 1
		}
		if s.options.NoAck {
			q.countersLocked().DeliverNoAck++
			if appended {
				q.forgetLocked(d.Seq)
			}
		} else {
			q.countersLocked().Deliver++
			q.mu.unacked++
			q.mu.unackedBytes += int64(len(d.Message.Body))
			if d.keyed {
				q.mu.keys.fly(q.mu.keys.get(d.hash), d.Seq)
			}
		}
		return
	}
	if !appended {
		d.Seq = q.appendLocked(now, d.Message, fx)
	}
	q.addLocked(now, d.Seq, d.Message)
}
