package server

import (
	"encoding/binary"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/broker"
	"github.com/warren-mq/warren/queue"
)

// consumer takes what a queue gives to one basic.consume, or to the basic.gets of a channel on one queue.
type consumer struct {
	ch           *channel
	queue        *broker.Queue
	subscription *queue.Subscription // nil for basic.get
	tag          string
	noAck        bool
	prefix       []byte // a deliver frame up to the delivery tag, size still 0; nil for basic.get

	// Guarded by the outbox's lock:
	prefetch    int  // 0: no limit
	outstanding int  // unacknowledged deliveries
	starved     bool // refused for lack of credit; whoever gives credit resumes the queue
	parked      bool // refused because the outbox was full; the writer resumes the queue
	announced   bool // consume-ok was sent, so that the client knows the tag
	lost        bool // the queue is gone

	settling *settlement // what the reader has not yet told the queue; owned by the reader
}

const (
	largeBody = 64 << 10 // bytes
	frameRoom = 16 << 10 // bytes for what is around a large body
)

// Acquire locks the outbox for a run of deliveries.
func (k *consumer) Acquire() { k.ch.conn.out.lock() }

// Release unlocks the outbox.
func (k *consumer) Release() { k.ch.conn.out.unlock() }

// Wake lets the writer take what was delivered.
func (k *consumer) Wake() { k.ch.conn.out.wake() }

// Deliver appends basic.deliver, or basic.get-ok, with the message. It refuses when the consumer's or the channel's
// prefetch is used up or the client does not keep up.
func (k *consumer) Deliver(d *queue.Delivery) bool {
	ch, out := k.ch, k.ch.conn.out
	if k.prefix == nil {
		k.get(d)
		return true
	}
	switch {
	case k.queue == nil: // of direct replies, which nobody would bring again
		if ch.reply != k || len(out.buf) > maxWaitingReplies || out.closed {
			return false
		}
	case !k.hasCredit():
		k.starved = true
		return false
	case out.full():
		if !k.parked {
			k.parked = true
			out.parked = append(out.parked, k)
		}
		return false
	}
	tag := ch.lastTag + 1
	if k.queue != nil { // replies take no tags away from the channel's sequence (3.10.8)
		ch.lastTag = tag
	}
	if k.noAck {
		ch.stats.DeliveredNoAck++
	} else {
		ch.unacked.push(tag, d.Seq, k, d.Now)
		k.outstanding++
		ch.outstanding++
		ch.stats.Delivered++
	}
	m := d.Message
	if len(m.Body) >= largeBody {
		out.reserve(len(m.Body) + len(m.Properties) + frameRoom)
	}
	buf := out.buf
	mark := len(buf)
	buf = append(buf, k.prefix...)
	buf = binary.BigEndian.AppendUint64(buf, tag)
	if d.Redelivered {
		ch.stats.Redelivered++
		buf = append(buf, 1)
	} else {
		buf = append(buf, 0)
	}
	buf = append(buf, byte(len(m.Exchange)))
	buf = append(buf, m.Exchange...)
	buf = append(buf, byte(len(m.RoutingKey)))
	buf = append(buf, m.RoutingKey...)
	buf = amqp.EndFrame(buf, mark)
	out.buf = ch.appendContent(buf, m)
	out.delivered += len(out.buf) - mark
	out.frames += 3
	return true
}

// hasCredit says whether prefetch allows another delivery. The outbox's lock is held. Consumers without
// acknowledgements have no limit of their own, but wait while the channel's is used up (3.10.8).
func (k *consumer) hasCredit() bool {
	if k.ch.ending {
		return false
	}
	if g := k.ch.globalPrefetch; g > 0 && k.ch.outstanding >= g {
		return false
	}
	return k.noAck || k.prefetch == 0 || k.outstanding < k.prefetch
}

// get answers a basic.get. It is not limited by prefetch.
func (k *consumer) get(d *queue.Delivery) {
	ch, out := k.ch, k.ch.conn.out
	ch.lastTag++
	if k.noAck {
		ch.stats.GotNoAck++
	} else {
		ch.unacked.push(ch.lastTag, d.Seq, k, d.Now)
		k.outstanding++
		ch.stats.Got++
	}
	if d.Redelivered {
		ch.stats.Redelivered++
	}
	m := d.Message
	buf, mark := amqp.BeginFrame(out.buf, amqp.FrameMethod, ch.number)
	ok := amqp.BasicGetOk{
		DeliveryTag: ch.lastTag, Redelivered: d.Redelivered,
		Exchange: m.Exchange, RoutingKey: m.RoutingKey, MessageCount: d.Ready,
	}
	buf = amqp.EndFrame(ok.Append(buf), mark)
	out.buf = ch.appendContent(buf, m)
	out.frames += 3
}

// deliverPrefix renders a deliver frame up to the delivery tag.
func deliverPrefix(channel uint16, tag string) []byte {
	buf, _ := amqp.BeginFrame(nil, amqp.FrameMethod, channel)
	buf = append(buf, 0, 60, 0, 60, byte(len(tag)))
	return append(buf, tag...)
}

// appendContent appends the header and body frames of a message.
func (ch *channel) appendContent(buf []byte, m *queue.Message) []byte {
	buf = amqp.AppendContentHeader(buf, ch.number, classBasic, uint64(len(m.Body)), m.Properties)
	return amqp.AppendBody(buf, ch.number, m.Body, ch.conn.frameMax)
}

// announce sends consume-ok, unless the client does not wait for it, and the cancellation after it if the queue is gone
// already.
func (k *consumer) announce(noWait bool) {
	out := k.ch.conn.out
	out.lock()
	defer out.unlock()
	if !noWait {
		out.buf = amqp.AppendMethod(out.buf, k.ch.number, &amqp.BasicConsumeOk{ConsumerTag: k.tag})
		out.frames++
	}
	k.announced = true
	if k.lost {
		k.appendCancel()
	}
}

// Cancelled tells the client that a queue which it consumes from is gone, if it can take that.
func (k *consumer) Cancelled(*queue.Subscription) {
	ch, out := k.ch, k.ch.conn.out
	out.lock()
	if ch.consumers[k.tag] == k {
		delete(ch.consumers, k.tag)
		if k.lost = true; k.announced {
			k.appendCancel()
		}
	}
	out.unlock()
	out.wake()
}

// appendCancel appends basic.cancel. The outbox is locked.
func (k *consumer) appendCancel() {
	ch, out := k.ch, k.ch.conn.out
	if ch.conn.capabilities.consumerCancelNotify && !ch.ending {
		out.buf = amqp.AppendMethod(out.buf, ch.number, &amqp.BasicCancel{ConsumerTag: k.tag, NoWait: true})
		out.frames++
	}
}

var _ broker.Consumer = (*consumer)(nil)
