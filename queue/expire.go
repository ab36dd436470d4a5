package queue

// expirySlice is how many messages expire in one call at the most, so that neither the queue's lock nor the memory for
// dead letters is held for a whole backlog. The rest follows in the next Tick.
const expirySlice = 1000

// expireLocked drops expired messages from the head up to the first that lives on, and asks to be woken when that one
// expires. What stands behind it stays, even if its own time has come (RabbitMQ 3.10.8 behaviour of classic queues), unless
// the queue has x-exact-ttl.
func (q *Queue) expireLocked(now int64, fx *Effects) {
	if fx.Later {
		q.wakeLocked(now, fx)
		return
	}
	if !q.expireSomeLocked(now, expirySlice, fx) {
		q.wakeLocked(now, fx)
	}
}

// expireSomeLocked does so for so many messages at the most, and reports whether it came to an end.
func (q *Queue) expireSomeLocked(now int64, limit int, fx *Effects) bool {
	if q.mu.exact != nil {
		return q.expireExactLocked(now, limit, fx)
	}
	for range limit {
		if q.mu.ready == 0 {
			q.mu.expiring = false
			return true
		}
		if !q.headLocked(&fx.delivery, &fx.message) {
			return true // Ready goes on
		}
		switch at := fx.message.ExpiresAt; {
		case at == 0:
			return true
		case now < at:
			q.wakeLocked(at, fx)
			return true
		}
		q.dropHeadLocked(Expired, fx)
	}
	return false
}

// wakeLocked asks for a Tick at that time, unless one comes sooner.
func (q *Queue) wakeLocked(at int64, fx *Effects) {
	if q.mu.wakeAt == 0 || at < q.mu.wakeAt {
		q.mu.wakeAt, fx.WakeAt = at, at
	}
}

// Tick does what is due: it drops what has expired, makes ready what has waited for its time, delivers what a rate
// limit has held back, and closes a queue that was unused for the time of its x-expires;
// fx.Deleted says so then.
func (q *Queue) Tick(now int64, fx *Effects) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.closed {
		return
	}
	q.mu.wakeAt = 0
	if q.rules.expires > 0 && q.mu.subscriptions.count == 0 {
		end := q.mu.idleSince + q.rules.expires
		if now >= end {
			fx.Deleted = true
			q.closeLocked(fx)
			return
		}
		q.wakeLocked(end, fx)
	}
	if q.rules.limited {
		q.dropExcessLocked(fx) // what Later has put off
	}
	if q.mu.exact != nil && q.mu.expiring {
		q.readExpiriesLocked(now, fx)
	}
	if q.mu.waiting.len() > 0 {
		q.dueLocked(now, dueSlice, fx)
	}
	if q.mu.heldBack != nil {
		q.letInLocked(now, fx)
	}
	q.deliverLocked(now, fx)
	q.tickDiscardsLocked(now, fx)
	fx.done()
}

// Used tells that a client has declared the queue, which restarts the time of its x-expires.
func (q *Queue) Used(now int64, fx *Effects) {
	if q.rules.expires == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.mu.closed {
		q.usedLocked(now, fx)
	}
}

// usedLocked restarts the time of x-expires. It runs only while there are no consumers.
func (q *Queue) usedLocked(now int64, fx *Effects) {
	if q.rules.expires == 0 {
		return
	}
	q.mu.idleSince = now
	if q.mu.subscriptions.count == 0 {
		q.wakeLocked(now+q.rules.expires, fx)
	}
}
