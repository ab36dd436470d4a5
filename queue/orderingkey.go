package queue

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"

	"github.com/warren-mq/warren/amqp"
)

// argOrderingKey names what messages are ordered by: a header, or the routing key.
const (
	argOrderingKey    = "x-ordering-key"
	byRoutingKey      = "routing-key"
	argExactTTL       = "x-exact-ttl"
	maxHeaderNameSize = 255
)

// checkOrderingKey checks x-ordering-key, an argument of Warren's own.
func checkOrderingKey(v any, args amqp.Table) string {
	if reason := checkString(v, args); reason != "" {
		return reason
	}
	switch name := v.(string); {
	case name == "":
		return erlangString("unsupported ordering key ''")
	case len(name) > maxHeaderNameSize:
		return erlangString(fmt.Sprintf("a header's name has at most %d bytes, this one %d", maxHeaderNameSize, len(name)))
	}
	if kindOf(args) == kindClassic && integer(args, "x-max-priority", 0) > 0 {
		return erlangString("unsupported together with x-max-priority")
	}
	return ""
}

// keySeed makes the hashes of keys unforeseeable for those who publish.
var keySeed = maphash.MakeSeed()

// keyOf returns the hash of the key that m is ordered by. False means that it has none: it lacks the header.
func (q *Queue) keyOf(m *Message) (hash uint64, ok bool) {
	if q.rules.orderingKey == byRoutingKey {
		return maphash.Bytes(keySeed, m.RoutingKey), true
	}
	var p amqp.Properties
	if p.Decode(m.Properties) != nil || !p.Has(amqp.FlagHeaders) {
		return 0, false
	}
	v, ok := p.Headers.Get(q.rules.orderingKey)
	if !ok || v.Tag == 'V' {
		return 0, false
	}
	if n, ok := v.Int(); ok { // whatever its size on the wire
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], uint64(n))
		return maphash.Bytes(keySeed, b[:]) ^ 'l', true
	}
	return maphash.Bytes(keySeed, v.Data) ^ uint64(v.Tag), true
}

// Reasons why the next message of a queue with an ordering key is or is not at hand.
type outlook uint8

const (
	nothing  outlook = iota // all that is ready waits for messages in flight
	expected                // it has to be read; Ready is called when it is there
	atHand
)

// nextKeyedLocked sets d to the message that may be delivered next: headLocked for queues with an ordering key. What it
// passes on the way is remembered with its key.
func (q *Queue) nextKeyedLocked(d *Delivery, m *Message) outlook {
	l, k := &q.mu.lanes.first, q.mu.keys
	k.stalled = false
	for {
		q.choose(d, l, k.free.first())
		if !d.returned && d.key == nil {
			if o := q.seekLocked(l); o != atHand {
				return o
			}
			d.Seq = l.cursor
		}
		if !q.viewLocked(d, l, m) {
			return expected
		}
		if d.key != nil {
			return atHand
		}
		d.hash, d.keyed = q.keyOf(m)
		if d.returned {
			return atHand // without a key when it was delivered first, and so now
		}
		key := k.known.get(d.hash)
		if !d.keyed || key == nil {
			return atHand
		}
		if k.full() {
			k.stalled = true
			return nothing
		}
		q.passLocked(key, d.Seq, m.ExpiresAt)
		l.cursor++
	}
}

// passLocked lets a message wait for the one of its key that is in flight.
func (q *Queue) passLocked(key *orderedKey, at uint64, expires int64) {
	q.mu.keys.pass(key, at)
	if q.mu.exact != nil {
		q.noteExpiryLocked(&q.mu.lanes.first, at, expires)
	}
}

// headKeyedLocked is headLocked for queues with an ordering key: it sets d to the oldest message that is ready, whether
// or not its key is in flight.
func (q *Queue) headKeyedLocked(d *Delivery, m *Message) bool {
	l := &q.mu.lanes.first
	q.choose(d, l, q.mu.keys.oldest())
	if !d.returned && d.key == nil {
		if q.seekLocked(l) != atHand {
			return false
		}
		d.Seq = l.cursor
	}
	return q.viewLocked(d, l, m)
}

// choose sets d to the older of what a key has waiting and what was given back without a key; to neither if there is
// neither.
func (q *Queue) choose(d *Delivery, l *lane, key *orderedKey) {
	d.key, d.keyed, d.returned = key, false, false
	if key != nil {
		d.Seq, d.returned = key.first(), key.given
	}
	if q.mu.exact != nil {
		l.skipDropped()
	}
	if l.returned.len() > 0 && (key == nil || l.returned.lowest() < d.Seq) {
		d.key, d.Seq, d.returned = nil, l.returned.lowest(), true
	}
}

// viewLocked sets the message of d; false means that it is not in memory, and has been asked for.
func (q *Queue) viewLocked(d *Delivery, l *lane, m *Message) bool {
	d.Redelivered = d.returned || d.Seq < l.redelivered
	rec, ok := l.log.At(d.Seq)
	if !ok {
		return false
	}
	if !decodeRecord(rec, m) {
		panic(fmt.Sprintf("queue: record %d of %s is damaged", d.Seq, q.resource()))
	}
	d.Message, d.Redelivered = m, d.Redelivered || m.Redelivered
	return true
}

// seekLocked moves the cursor of a queue with an ordering key to the next message that is ready. It goes over what is
// gone, and over what waits for its retry since before a restart, whose keys it finds to be in flight.
func (q *Queue) seekLocked(l *lane) outlook {
	k := q.mu.keys
	for end := l.log.Next(); l.cursor < end; l.cursor++ {
		if len(k.held) == 0 || !k.held[l.cursor] {
			if l.log.Live(l.cursor) {
				return atHand
			}
			continue
		}
		var m Message
		if rec, ok := l.log.At(l.cursor); ok {
			decodeRecord(rec, &m)
			if hash, ok := q.keyOf(&m); ok {
				k.fly(k.get(hash), l.cursor)
			}
		} else if l.log.Live(l.cursor) {
			return expected
		}
		delete(k.held, l.cursor)
	}
	return nothing
}

// publishKeyedLocked is publishLocked for queues with an ordering key. While all that is ready was looked at, a message
// whose key is free goes straight to a consumer.
func (q *Queue) publishKeyedLocked(now int64, msgs []Message, idx []int32, fx *Effects) {
	l, k := &q.mu.lanes.first, q.mu.keys
	var run outboxRun
	d := &fx.delivery
	if q.mu.exact != nil {
		l.skipDropped()
	}
	for _, i := range idx {
		m := &msgs[i]
		if q.mu.rings.top == nil || len(k.free) > 0 || l.returned.len() > 0 || q.seekLocked(l) != nothing ||
			q.mu.rate != nil && !q.mayTakeLocked(now, fx) {
			q.appendReadyLocked(now, m, fx)
			continue
		}
		*d = Delivery{Message: m, Now: now}
		d.hash, d.keyed = q.keyOf(m)
		key := k.known.get(d.hash)
		if !d.keyed || key == nil {
			q.deliverNewLocked(now, d, &run, fx)
			continue
		}
		seq := q.appendReadyLocked(now, m, fx)
		if k.stalled = k.full(); k.stalled {
			continue
		}
		q.passLocked(key, seq, q.rules.expiry(now, m))
		l.cursor = seq + 1
	}
	run.end()
}

// stalledLocked says that a delivery pass may find more than the last one did, which had passed as much as it may: one of
// those messages went, or the one that it could not pass.
func (q *Queue) stalledLocked() bool {
	k, l := q.mu.keys, &q.mu.lanes.first
	return k != nil && k.stalled && q.mu.ready > 0 && (!k.full() || !l.log.Live(l.cursor))
}
