package queue

import "bytes"

// discards are the dead messages of a queue that dead-letters at least once (x-dead-letter-strategy). They leave it only
// together with their arrival where they go, and are kept in a log of their own until then: neither ready nor unacked,
// in the order of their deaths. Its records are a byte for the reason, then the record of the message; the time of the
// note beside one is that of its first try.
//
// A cursor passes over them in rounds. What is behind it was tried in this round and is stuck. A new death is tried at
// once, and the next round begins after discardRetry or when the topology changes. All is guarded by the queue's lock.
type discards struct {
	open    func() Log
	log     Log // nil until the first comes
	count   int
	bytes   int64 // of bodies
	cursor  uint64
	old     uint64 // those below may have been forwarded by a broker that was killed before it had noted that
	stuck   int    // in this round
	busy    bool   // somebody forwards
	retryAt int64
	// taken names the queues that have a stuck message already, of those that it goes to. It is lost in a crash: then they
	// get it twice (RabbitMQ 3.10.8 behaviour).
	taken map[uint64][]string
}

const (
	// discardRetry is the time in milliseconds between two rounds. RabbitMQ 3.10.8 tries again after three minutes.
	discardRetry = 10_000
	// discardWindow is how many stuck messages end a round, so that a round over many costs little. What is behind them
	// waits (as in RabbitMQ 3.10.8 behind 32).
	discardWindow = 1000
	// discardSlice is how many messages one call forwards at the most; the rest follows in the next Tick.
	discardSlice = 1000
)

// Discard is a dead message on its way out. It owns its bytes.
type Discard struct {
	DeadLetter
	DiedAt int64 // unix milliseconds
	// First says that it was not tried before.
	First bool
	// Taken names the queues that have it already. The caller adds to it.
	Taken []string

	seq uint64
}

// keepDiscards makes the queue one that dead-letters at least once. open makes the log; found says that there is one
// from before.
func (q *Queue) keepDiscards(open func() Log, found bool) {
	if !q.rules.atLeastOnce {
		return
	}
	if open == nil {
		q.rules.atLeastOnce = false
		return
	}
	d := &discards{open: open}
	if q.mu.discards = d; found {
		d.log = open()
		d.count, d.bytes, d.cursor, d.old = d.log.Count(), d.log.LiveBytes(), d.log.First(), d.log.Next()
	}
}

// discardLocked moves a dead message to the discards. rec is its record; again says that it may have been delivered
// elsewhere.
func (q *Queue) discardLocked(rec []byte, reason string, again bool, fx *Effects) {
	d := q.mu.discards
	if d.log == nil {
		d.log = d.open()
		d.cursor = d.log.First()
	}
	_, kept := d.log.Append(1+len(rec), q.durable)
	kept[0] = byte(reasonIndex(reason))
	copy(kept[1:], rec)
	if again {
		kept[1] |= flagRedelivered
	}
	d.count++
	d.bytes += bodySize(rec)
	fx.Discards = true
}

// waits says whether there are any.
func (d *discards) waits() bool { return d != nil && d.count > 0 }

// dropped takes a discard out of the counts. The sums of those that were not in memory are estimates.
func (d *discards) dropped(size int64) {
	d.bytes = max(d.bytes-size, 0)
	if d.count--; d.count == 0 {
		d.bytes = 0
	}
}

// AtLeastOnce reports whether the queue keeps its dead letters until somebody else has them.
func (q *Queue) AtLeastOnce() bool { return q.rules.atLeastOnce }

// ForwardDiscards hands one discard after the other to forward, which says whether all that it goes to have it now:
// then it is gone. Only one caller forwards at a time; what comes meanwhile is forwarded by that one.
//
// It is called between Enter and Leave of the store, without any queue's lock, and forward publishes to other queues:
// so a message leaves this one in the very commit in which it arrives there.
func (q *Queue) ForwardDiscards(now int64, forward func(*Discard) bool, fx *Effects) {
	q.mu.Lock()
	defer q.mu.Unlock()
	d := q.mu.discards
	if d == nil || d.busy || q.mu.closed {
		return
	}
	d.busy = true
	for n := 0; ; n++ {
		if n == discardSlice {
			q.wakeLocked(now, fx)
			break
		}
		var m Discard
		if !q.nextDiscardLocked(now, &m) {
			break
		}
		q.mu.Unlock()
		gone := forward(&m)
		q.mu.Lock()
		if q.mu.closed {
			break
		}
		q.forwardedLocked(now, &m, gone)
	}
	d.busy = false
	if d.stuck > 0 && d.retryAt == 0 && !q.mu.closed {
		d.retryAt = now + discardRetry
	}
	if d.retryAt > 0 {
		q.wakeLocked(d.retryAt, fx)
	}
}

// nextDiscardLocked takes the next discard of the round, if it is in memory; if not, Ready is called when it is.
func (q *Queue) nextDiscardLocked(now int64, m *Discard) bool {
	d := q.mu.discards
	if d.log == nil || d.stuck >= discardWindow {
		return false
	}
	for end := d.log.Next(); d.cursor < end; d.cursor++ {
		rec, ok := d.log.At(d.cursor)
		switch {
		case !ok && d.log.Live(d.cursor):
			return false
		case !ok:
			continue
		}
		_, died := d.log.Noted(d.cursor)
		*m = Discard{DiedAt: died, First: died == 0, Taken: d.taken[d.cursor], seq: d.cursor}
		if m.First {
			m.DiedAt = now
		}
		d.cursor++
		m.Reason = reasons[min(int(rec[0]), len(reasons)-1)]
		decodeRecord(bytes.Clone(rec[1:]), &m.Message)
		m.Message.Redelivered = m.Message.Redelivered || m.seq < d.old
		return true
	}
	return false
}

// forwardedLocked notes what came of a discard.
func (q *Queue) forwardedLocked(now int64, m *Discard, gone bool) {
	d := q.mu.discards
	if gone {
		delete(d.taken, m.seq)
		d.log.Gone(m.seq)
		d.dropped(int64(len(m.Message.Body)))
		return
	}
	d.stuck++
	if m.First {
		d.log.Note(m.seq, 0, now)
	}
	if len(m.Taken) > 0 {
		if d.taken == nil {
			d.taken = make(map[uint64][]string)
		}
		d.taken[m.seq] = m.Taken
	}
}

// RetryDiscards asks for a new round, since what the discards wait for may be there now. The caller has Tick called. It
// reports whether there is anything to try.
func (q *Queue) RetryDiscards(now int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.mu.discards.waits() || q.mu.closed {
		return false
	}
	q.mu.discards.retryAt = now
	return true
}

// tickDiscardsLocked begins a new round when it is time.
func (q *Queue) tickDiscardsLocked(now int64, fx *Effects) {
	d := q.mu.discards
	if !d.waits() {
		return
	}
	if d.retryAt > 0 && now >= d.retryAt {
		d.retryAt, d.stuck, d.cursor = 0, 0, d.log.First()
	}
	fx.Discards = true
}
