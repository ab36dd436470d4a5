package queue

// publishLimitedLocked takes messages one by one, since each may push another out or find no room itself.
func (q *Queue) publishLimitedLocked(now int64, msgs []Message, idx []int32, fx *Effects) {
	for i := range idx {
		m := &msgs[idx[i]]
		if q.rules.overflow != dropHead && q.wouldExceedLocked(m) {
			fx.Refused = append(fx.Refused, idx[i])
			if q.rules.overflow == rejectPublishDLX {
				q.deadLetterNewLocked(now, m, fx)
			}
			continue
		}
		q.publishLocked(now, msgs, idx[i:i+1], fx)
		if q.rules.overflow == dropHead {
			q.publishedLocked(now, fx)
		}
		if q.mu.expiring {
			q.expireLocked(now, fx)
		}
	}
}

// wouldExceedLocked says whether the queue is too full for m. That somebody could take it at once is not considered
// (RabbitMQ 3.10.8 behaviour).
func (q *Queue) wouldExceedLocked(m *Message) bool {
	w := &q.mu.waiting
	count, bytes := q.mu.ready+w.len(), q.mu.readyBytes+w.bytes
	if d := q.mu.discards; d != nil {
		count, bytes = count+d.count, bytes+d.bytes
	}
	return int64(count)+1 > q.rules.maxLength || bytes+int64(len(m.Body)) > q.rules.maxBytes
}

// publishedLocked drops what the queue holds beyond its limits since a message was published.
func (q *Queue) publishedLocked(now int64, fx *Effects) {
	if fx.Later {
		q.wakeLocked(now, fx)
		return
	}
	waited := q.mu.waiting.len()
	q.dropExcessLocked(fx)
	if q.mu.keys != nil && (q.mu.waiting.len() < waited || q.stalledLocked()) {
		q.deliverLocked(now, fx) // what was dropped had held up its key while it waited, or was passed
	}
}

// dropExcessLocked drops from the head what the queue holds beyond its limits. What is ready counts, and what waits to
// be: that came first and is dropped first, as what was given back is lost first (RabbitMQ 3.10.8 behaviour).
func (q *Queue) dropExcessLocked(fx *Effects) {
	if q.rules.overflow != dropHead {
		return
	}
	w := &q.mu.waiting
	for int64(q.mu.ready+w.len()) > q.rules.maxLength || q.mu.readyBytes+w.bytes > q.rules.maxBytes {
		if w.len() > 0 {
			q.dropWaitingLocked(fx)
			continue
		}
		if !q.headLocked(&fx.delivery, &fx.message) {
			return // Ready goes on
		}
		q.dropHeadLocked(MaxLen, fx)
	}
}

// deadLetterNewLocked notes the death of a message that never came into the queue. One that cannot wait for the next
// Tick, since it is nowhere, is lost when there are too many.
func (q *Queue) deadLetterNewLocked(now int64, m *Message, fx *Effects) {
	if !q.rules.deadLetters || fx.Later {
		q.countersLocked().Dropped.Add(MaxLen, 1)
		return
	}
	at := q.rules.expiry(now, m)
	rec := make([]byte, recordSize(m, at))
	encodeRecord(rec, m, at)
	q.deadLetter(rec, MaxLen, fx)
}
