package queue

import "bytes"

// Reasons for which a message dies, as the header x-death spells them.
const (
	Rejected      = "rejected"
	Expired       = "expired"
	MaxLen        = "maxlen"
	DeliveryLimit = "delivery_limit"
	// Duplicate is a reason of Warren's own: the message was there before (x-dedup-window, which the broker watches).
	Duplicate = "duplicate"
)

// DeadLetter is a message that a queue has given up and that belongs to its dead-letter exchange. It owns its bytes.
type DeadLetter struct {
	Reason  string
	Message Message
}

// deadLetter notes that a message died, in a queue that has an exchange for such. rec is a whole record.
func (q *Queue) deadLetter(rec []byte, reason string, fx *Effects) {
	fx.DeadLetters = append(fx.DeadLetters, DeadLetter{Reason: reason})
	decodeRecord(bytes.Clone(rec), &fx.DeadLetters[len(fx.DeadLetters)-1].Message)
}

// dying is a dead message that is not in memory.
type dying struct {
	seq    uint64
	reason string
}

// dieLocked removes a message for good and dead-letters it, if the queue has an exchange for such. What has to be read
// first waits for Ready.
func (q *Queue) dieLocked(seq uint64, reason string, fx *Effects) {
	if q.rules.deadLetters {
		q.mu.dying = append(q.mu.dying, dying{seq, reason})
		q.buryLocked(fx)
		return
	}
	q.countersLocked().Dropped.Add(reason, 1)
	q.forgetLocked(seq)
}

// buryLocked dead-letters what is dying, in order, as far as it is in memory.
func (q *Queue) buryLocked(fx *Effects) {
	n := 0
	for _, d := range q.mu.dying {
		l, at := q.mu.lanes.of(d.seq)
		rec, ok := l.log.At(at)
		if !ok && l.log.Live(at) {
			break
		}
		if ok {
			q.giveUpLocked(d.seq, rec, d.reason, fx)
		}
		n++
	}
	if n > 0 { // or each of many that have to be read would have all before it moved
		q.mu.dying = append(q.mu.dying[:0], q.mu.dying[n:]...)
	}
}

// Burying returns a channel that is closed when it is worth to ask again, as long as dead messages wait to be read; nil
// when all are dead-lettered.
func (q *Queue) Burying() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.mu.dying) == 0 {
		return nil
	}
	return q.arrivalLocked()
}

// Fetch asks for the record of an unacked message that may have to be dead-lettered. It returns nil if that is in memory,
// else a channel that is closed when it is worth to ask again.
func (q *Queue) Fetch(seq uint64) (wait <-chan struct{}) {
	if !q.rules.deadLetters {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.closed {
		return nil
	}
	l, at := q.mu.lanes.of(seq)
	if _, ok := l.log.At(at); !ok && l.log.Live(at) {
		wait = q.arrivalLocked()
	}
	return wait
}

// giveUpLocked removes a message, whose record is in memory, for good and dead-letters it if the queue has an exchange for
// such.
func (q *Queue) giveUpLocked(seq uint64, rec []byte, reason string, fx *Effects) {
	l, at := q.mu.lanes.of(seq)
	again := at < l.redelivered // it may have died before, and have been delivered elsewhere, in a broker that was killed
	switch {
	case q.rules.atLeastOnce:
		q.discardLocked(rec, reason, again, fx)
	case q.rules.deadLetters:
		q.deadLetter(rec, reason, fx)
		if last := len(fx.DeadLetters) - 1; again {
			fx.DeadLetters[last].Message.Redelivered = true
		}
	default:
		q.countersLocked().Dropped.Add(reason, 1)
	}
	q.forgetLocked(seq)
}

// dropHeadLocked drops the message that headLocked has put into fx.
func (q *Queue) dropHeadLocked(reason string, fx *Effects) {
	d := &fx.delivery
	q.unreadyLocked(d)
	q.dieLocked(d.Seq, reason, fx)
}
