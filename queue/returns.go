package queue

import (
	"cmp"
	"slices"

	"github.com/warren-mq/warren/amqp"
)

// countReturnLocked counts that a message came back, and notes it with the record. It returns until when the message has
// to wait, 0 if it has not. False means that this was once too often for the queue's delivery limit, and that the message
// is gone.
func (q *Queue) countReturnLocked(now int64, seq uint64, failed bool, fx *Effects) (until int64, ok bool) {
	l, at := q.mu.lanes.of(seq)
	n, _ := l.log.Noted(at)
	if n++; q.rules.hasDeliveryLimit && n > q.rules.deliveryLimit {
		q.dieLocked(seq, DeliveryLimit, fx)
		return 0, false
	}
	if q.rules.retries {
		if d := q.rules.retry.delay(seq, n, failed); d > 0 {
			until = now + d
		}
	}
	l.log.Note(at, n, until)
	return until, true
}

// moveToTailLocked moves an unacked message behind all others, where a quorum queue without a delivery limit puts what
// a client gives back (RabbitMQ 3.10.8 behaviour). It is not ready yet.
func (q *Queue) moveToTailLocked(seq uint64, rec []byte) (moved uint64) {
	l, at := q.mu.lanes.of(seq)
	n, _ := l.log.Noted(at)
	moved, copied := l.log.Append(len(rec), true)
	copy(copied, rec)
	_ = l.log.Deliver(moved) // it was delivered once, and has to come back flagged after a restart
	q.forgetLocked(seq)
	l.log.Note(moved, n, 0)
	return moved | uint64(l.priority)<<seqBits
}

// showReturns puts the header x-delivery-count on a message of a quorum queue: on what was given back, and on whatever
// basic.get gets (RabbitMQ 3.10.8 behaviour).
func (q *Queue) showReturnsLocked(d *Delivery, got bool) {
	l, at := q.mu.lanes.of(d.Seq)
	n, _ := l.log.Noted(at)
	d.Redelivered = d.Redelivered || n > 0
	if n == 0 && !got {
		return
	}
	var p amqp.Properties
	if p.Decode(d.Message.Properties) != nil {
		return
	}
	var headers amqp.Table
	if p.Has(amqp.FlagHeaders) {
		var err error
		if headers, err = p.Headers.Decode(); err != nil {
			return
		}
	}
	headers = headers.With("x-delivery-count", n)
	slices.SortStableFunc(headers, func(a, b amqp.Field) int { return cmp.Compare(a.Name, b.Name) })
	p.Flags |= amqp.FlagHeaders
	p.Headers = amqp.AppendTableBody(nil, headers)
	d.Message.Properties = p.Append(nil)
}
