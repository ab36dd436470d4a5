package queue

import "github.com/warren-mq/warren/amqp"

// Purge drops what is ready or waits to be, and returns how many messages that were. What consumers hold stays unacked.
func (q *Queue) Purge(_ *Effects) (ready int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.closed {
		return 0
	}
	for _, w := range q.mu.waiting.heap {
		q.forgetLocked(w.seq)
		q.landLocked(w.seq)
	}
	q.mu.lanes.each(q.purgeLocked)
	ready = q.mu.ready + q.mu.waiting.len()
	q.mu.ready, q.mu.readyBytes, q.mu.waiting = 0, 0, waiting{}
	return ready
}

func (q *Queue) purgeLocked(l *lane) {
	gone := func(at uint64) { q.forgetLocked(at | uint64(l.priority)<<seqBits) }
	l.returned.clear(gone)
	if q.mu.keys != nil {
		q.mu.keys.purge(gone)
	}
	if q.mu.exact != nil {
		q.mu.exact.purge()
	}
	if q.mu.present != nil {
		q.mu.present.leaveFrom(l)
	}
	// What was never delivered goes at once: nobody else can come to the queue, or to the disk, meanwhile.
	l.log.GoneRange(l.cursor, l.log.Next())
	l.cursor = l.log.Next()
	if l.ready > 0 {
		l.ready = 1
		q.mu.lanes.removed(l)
	}
}

// Delete closes the queue and drops its messages, the unacked ones too, unless a condition holds it: ifEmpty while
// messages are ready or wait to be, ifUnused while there are consumers (406, in this order of checks). Both conditions are
// refused by quorum queues (540). It returns how many messages were ready or waited. The check and the closing are one step:
// a refused Delete changes nothing.
//
// To delete again what was deleted meanwhile is no error. fx.Cancelled gets its subscriptions; fx.Deleted is not set,
// since the caller knows.
func (q *Queue) Delete(ifUnused, ifEmpty bool, fx *Effects) (ready int, err error) {
	if err := q.checkDeleteConditions(ifUnused, ifEmpty); err != nil {
		return 0, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.mu.closed:
		return 0, nil
	case ifEmpty && q.mu.ready+q.mu.waiting.len() > 0:
		return 0, amqp.Errorf(amqp.PreconditionFailed, "%s not empty", q.resource())
	case ifUnused && q.mu.subscriptions.count > 0:
		return 0, amqp.Errorf(amqp.PreconditionFailed, "%s in use", q.resource())
	}
	ready = q.mu.ready + q.mu.waiting.len()
	q.closeLocked(fx)
	return ready, nil
}

// checkDeleteConditions refuses the flags that a quorum queue does not know (RabbitMQ 3.10.8 behaviour).
func (q *Queue) checkDeleteConditions(ifUnused, ifEmpty bool) error {
	if q.kind != kindQuorum {
		return nil
	}
	const refused = "cannot delete %s. queue.delete operations with %s flag set are not supported by quorum queues"
	switch {
	case ifUnused:
		return amqp.Errorf(amqp.NotImplemented, refused, q.resource(), "if-unused")
	case ifEmpty:
		return amqp.Errorf(amqp.NotImplemented, refused, q.resource(), "if-empty")
	}
	return nil
}

// closeLocked ends the queue. Later publishes and settlements do nothing.
func (q *Queue) closeLocked(fx *Effects) {
	q.mu.closed = true
	q.mu.present = nil
	for s := range q.mu.subscriptions.all() {
		s.cancelled = true
		q.mu.rings.leave(s)
		fx.Cancelled = append(fx.Cancelled, s)
	}
	q.mu.subscriptions = subscribers{}
	q.mu.exclusive, q.mu.active, q.mu.heldBack = nil, nil, nil
	q.mu.ready, q.mu.unacked = 0, 0
	q.mu.readyBytes, q.mu.unackedBytes = 0, 0
	q.mu.dying, q.mu.expiring, q.mu.waiting = nil, false, waiting{}
	if q.mu.keys != nil {
		q.mu.keys.clear()
	}
	if q.mu.exact != nil {
		q.mu.exact = new(exactTTL)
	}
	if q.mu.arrival != nil {
		close(q.mu.arrival)
		q.mu.arrival = nil
	}
	q.mu.lanes.each(func(l *lane) {
		l.returned, l.ready = returned{}, 0
		l.log.Drop()
	})
	if d := q.mu.discards; d != nil && d.log != nil {
		d.log.Drop()
		d.count, d.bytes, d.taken = 0, 0, nil
	}
}

// Closed reports whether the queue was deleted. The name may be taken again then.
func (q *Queue) Closed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.mu.closed
}
