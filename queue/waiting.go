package queue

// waiting holds the messages that were given back and are not to be delivered before their time, the one that is due
// first at the top. They count in the queue and toward its limits, and are neither ready nor unacked.
type waiting struct {
	heap  []waiter // binary min-heap
	bytes int64    // of bodies
}

// waiter is a message that waits.
type waiter struct {
	at   int64 // when it is due or, if that is sooner and known, when it expires; unix milliseconds
	seq  uint64
	size int64 // of its body
}

// before orders by time, then as the messages came.
func (w waiter) before(o waiter) bool { return w.at < o.at || w.at == o.at && w.seq < o.seq }

// dueSlice is how many messages return in one call at the most, so that the queue's lock is not held for long.
const dueSlice = 10_000

func (w *waiting) len() int { return len(w.heap) }

func (w *waiting) push(e waiter) {
	w.bytes += e.size
	h := append(w.heap, e)
	i := len(h) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if h[parent].before(e) {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = e
	w.heap = h
}

// pop removes the first; there must be one.
func (w *waiting) pop() waiter {
	h := w.heap
	top, last := h[0], h[len(h)-1]
	w.bytes -= top.size
	h = h[:len(h)-1]
	if len(h) == 0 {
		*w = waiting{}
		return top
	}
	i := 0
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child+1].before(h[child]) {
			child++
		}
		if last.before(h[child]) {
			break
		}
		h[i] = h[child]
		i = child
	}
	h[i] = last
	w.heap = h
	return top
}

// bound brings what is due after latest to that time. The order stays.
func (w *waiting) bound(latest int64) {
	for i := range w.heap {
		w.heap[i].at = min(w.heap[i].at, latest)
	}
}

// waitLocked lets an unacked message, which is not counted any more, wait until a time.
func (q *Queue) waitLocked(seq uint64, until, size int64, fx *Effects) {
	l, at := q.mu.lanes.of(seq)
	until = l.untilExpiry(at, until)
	q.mu.waiting.push(waiter{until, seq, size})
	q.wakeLocked(until, fx)
}

// untilExpiry returns until or, if that is sooner, when a record expires. Of one that is not in memory that is not known:
// it expires when it comes back.
func (l *lane) untilExpiry(at uint64, until int64) int64 {
	if rec, ok := l.log.Peek(at); ok {
		if e := expiryOf(rec); e != 0 {
			return min(until, e)
		}
	}
	return until
}

// dueLocked makes ready again what is due, at most so many messages, and asks for a Tick when the next one is. What
// has expired meanwhile is dropped.
func (q *Queue) dueLocked(now int64, limit int, fx *Effects) {
	w := &q.mu.waiting
	if w.len() > 0 && w.heap[0].at > now+q.rules.longestRetry {
		w.bound(now + q.rules.longestRetry) // the clock was set back: nobody waits for longer than was asked for
	}
	for dead := 0; w.len() > 0 && w.heap[0].at <= now; limit-- {
		if limit == 0 || dead == expirySlice {
			q.wakeLocked(now, fx)
			return
		}
		e := w.pop()
		l, at := q.mu.lanes.of(e.seq)
		if !l.log.Live(at) {
			q.landLocked(e.seq)
			continue // lost with a damaged part of the store
		}
		rec, ok := l.log.Peek(at)
		if expires := int64(0); ok {
			if expires = expiryOf(rec); expires != 0 && expires <= now {
				q.landLocked(e.seq)
				q.dieLocked(e.seq, Expired, fx)
				dead++
				continue
			}
		}
		q.backLocked(e.seq, e.size, !ok || mayExpire(rec))
	}
	if w.len() > 0 {
		q.wakeLocked(w.heap[0].at, fx)
	}
}

// backLocked makes a message that was given back ready: at its old position or, in a quorum queue, behind what came
// back before it.
func (q *Queue) backLocked(seq uint64, size int64, mayExpire bool) {
	l, at := q.mu.lanes.of(seq)
	if mayExpire {
		q.mu.expiring = true
		if q.mu.exact != nil {
			q.noteBackLocked(l, at)
		}
	}
	switch {
	case q.mu.keys != nil && q.mu.keys.giveBack(at): // before all others of its key
	case q.rules.returnOrder:
		l.returned.pushLast(at)
	default:
		l.returned.push(at)
	}
	q.readyLocked(seq, size)
}

// dropWaitingLocked drops the message that would be back first.
func (q *Queue) dropWaitingLocked(fx *Effects) {
	e := q.mu.waiting.pop()
	q.landLocked(e.seq)
	if q.liveLocked(e.seq) {
		q.dieLocked(e.seq, MaxLen, fx)
	}
}

// Recovered tells a queue that was found when the broker started what time it is, before anybody uses it: what still has
// to wait is not ready. The queue itself was not idle meanwhile.
func (q *Queue) Recovered(now int64, fx *Effects) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.rules.retries {
		q.mu.lanes.each(func(l *lane) { q.findWaitingLocked(l, now) })
		q.dueLocked(now, 0, fx)
	}
	q.usedLocked(now, fx)
	if q.mu.expiring || q.mu.discards.waits() {
		q.wakeLocked(now, fx)
	}
	fx.done()
}

// findWaitingLocked finds in the log of a new lane what still waits. All of that had been delivered, and so had what stands
// between: it is taken for given back, and the cursor goes behind it.
func (q *Queue) findWaitingLocked(l *lane, now int64) {
	l.log.EachNote(func(at uint64, _, notBefore int64) {
		if notBefore <= now || !l.log.Live(at) {
			return
		}
		seq, size := at|uint64(l.priority)<<seqBits, int64(l.log.Size(at))
		q.uncountLocked(l, size)
		q.mu.waiting.push(waiter{l.untilExpiry(at, notBefore), seq, size})
		if q.mu.keys != nil {
			q.mu.keys.hold(at) // what stands between may have been passed
			return
		}
		for l.cursor < at {
			between := l.cursor
			l.cursor++
			if l.log.Live(between) {
				l.returned.pushLast(between)
				if q.mu.exact != nil {
					q.noteBackLocked(l, between)
				}
			}
		}
		l.cursor++
	})
}
