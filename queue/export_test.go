package queue

import (
	"fmt"
	"iter"
	"slices"

	"github.com/warren-mq/warren/amqp"
)

// Check returns an error if the queue breaks one of its invariants. It counts everything anew.
func (q *Queue) Check() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.checkMessagesLocked(); err != nil {
		return err
	}
	return q.checkRingsLocked()
}

func (q *Queue) checkMessagesLocked() error {
	if q.mu.closed {
		if q.mu.ready != 0 || q.mu.unacked != 0 || q.mu.waiting.len() != 0 || q.mu.subscriptions.count != 0 {
			return fmt.Errorf("closed, but %d ready, %d unacked, %d waiting, %d subscriptions",
				q.mu.ready, q.mu.unacked, q.mu.waiting.len(), q.mu.subscriptions.count)
		}
		return nil
	}
	waits, err := q.checkWaitingLocked()
	if err != nil {
		return err
	}
	ready, unacked := 0, 0
	var readyBytes, unackedBytes int64
	q.mu.lanes.each(func(l *lane) {
		if err != nil {
			return
		}
		var isBack map[uint64]bool
		if isBack, err = q.checkReturnedLocked(l); err != nil {
			return
		}
		laneReady := 0
		for seq := l.log.First(); seq < l.log.Next(); seq++ {
			rec, ok := l.log.Peek(seq)
			switch {
			case !ok, waits[seq|uint64(l.priority)<<seqBits]:
			case seq >= l.cursor || isBack[seq]:
				laneReady++
				readyBytes += bodySize(rec)
				if e := q.checkExpiryLocked(l, seq, rec, isBack[seq]); e != nil {
					err = e
				}
				if mayExpire(rec) && !q.mu.expiring {
					err = fmt.Errorf("%d of priority %d may expire, and nobody cares", seq, l.priority)
				}
			default:
				unacked++
				unackedBytes += bodySize(rec)
			}
		}
		if p := q.mu.lanes.others; p != nil {
			if busy := p.busy[l.priority/64]>>(l.priority%64)&1 == 1; busy != (laneReady > 0) {
				err = fmt.Errorf("priority %d has %d ready and is busy: %t", l.priority, laneReady, busy)
			}
		}
		if laneReady != l.ready {
			err = fmt.Errorf("priority %d counts %d ready, has %d", l.priority, l.ready, laneReady)
		}
		ready += laneReady
	})
	if err != nil {
		return err
	}
	if ready != q.mu.ready || readyBytes != q.mu.readyBytes || unacked != q.mu.unacked || unackedBytes != q.mu.unackedBytes {
		return fmt.Errorf("counted %d (%d B) ready and %d (%d B) unacked, found %d (%d B) and %d (%d B)",
			q.mu.ready, q.mu.readyBytes, q.mu.unacked, q.mu.unackedBytes, ready, readyBytes, unacked, unackedBytes)
	}
	if q.mu.keys != nil {
		return q.checkKeysLocked()
	}
	if q.mu.ready > 0 && q.mu.rings.top != nil && (q.mu.rate == nil || q.mu.wakeAt == 0) {
		return fmt.Errorf("%d messages are ready while %q stands in a ring", q.mu.ready, q.mu.rings.top.head.Tag())
	}
	return nil
}

// checkWaitingLocked returns what waits.
func (q *Queue) checkWaitingLocked() (map[uint64]bool, error) {
	w := &q.mu.waiting
	waits, bytes := map[uint64]bool{}, int64(0)
	for i, e := range w.heap {
		l, at := q.mu.lanes.of(e.seq)
		rec, ok := l.log.At(at)
		_, notBefore := l.log.Noted(at)
		switch {
		case !ok || waits[e.seq] || at >= l.cursor && (q.mu.keys == nil || !q.mu.keys.held[at]) || bodySize(rec) != e.size:
			return nil, fmt.Errorf("%d waits and is gone, there twice, beyond the cursor or of another size", e.seq)
		case i > 0 && e.before(w.heap[(i-1)/2]):
			return nil, fmt.Errorf("%d waits out of order", e.seq)
		case notBefore < e.at:
			return nil, fmt.Errorf("%d waits until %d, its note says %d", e.seq, e.at, notBefore)
		}
		waits[e.seq] = true
		bytes += e.size
	}
	if bytes != w.bytes || w.len() > 0 && (q.mu.wakeAt == 0 || q.mu.wakeAt > w.heap[0].at) {
		return nil, fmt.Errorf("%d bytes wait, counted %d; a Tick was asked for %d", bytes, w.bytes, q.mu.wakeAt)
	}
	return waits, nil
}

// checkReturnedLocked returns what of a lane was given back and is ready.
func (q *Queue) checkReturnedLocked(l *lane) (map[uint64]bool, error) {
	var back returned
	back.run = append(back.run, l.returned.run[l.returned.head:]...)
	back.heap = append(back.heap, l.returned.heap...)
	isBack := map[uint64]bool{}
	for last := uint64(0); back.len() > 0; back.pop() {
		seq := back.lowest()
		if q.mu.exact != nil && !l.log.Live(seq) {
			continue // dropped in its place
		}
		if isBack[seq] || seq < last && !q.rules.returnOrder || seq >= l.cursor || !l.log.Live(seq) {
			return nil, fmt.Errorf("returned: %d is there twice, out of order, beyond the cursor or gone", seq)
		}
		isBack[seq], last = true, seq
	}
	if q.mu.keys != nil {
		for _, key := range q.mu.keys.known.all() {
			if key.given {
				isBack[key.back] = true
			}
			for _, seq := range key.passed[key.head:] {
				isBack[seq] = true
			}
		}
	}
	return isBack, nil
}

// checkExpiryLocked returns an error if nobody will look at a ready message when it expires.
func (q *Queue) checkExpiryLocked(l *lane, at uint64, rec []byte, below bool) error {
	x, expires := q.mu.exact, expiryOf(rec)
	if x == nil || expires == 0 || len(x.unread) > 0 {
		return nil
	}
	id := rank(at | uint64(l.priority)<<seqBits)
	if i, ok := x.blocks.place[id>>blockBits]; ok && x.blocks.entries[i].at <= expires {
		return nil
	}
	if i, ok := x.back.place[id]; ok && below && x.back.entries[i].at <= expires {
		return nil
	}
	return fmt.Errorf("%d expires at %d unnoticed", at, expires)
}

// checkKeysLocked checks what a queue with an ordering key knows of its keys.
func (q *Queue) checkKeysLocked() error {
	k, l := q.mu.keys, &q.mu.lanes.first
	passed, inFlight := 0, 0
	for hash, key := range k.known.all() {
		passed += len(key.passed) - key.head
		if key.inFlight {
			inFlight++
		}
		h := *k.heap(key)
		if key.hash != hash || !key.inFlight && !key.waits() || key.waits() != (key.place != nowhere) ||
			key.place != nowhere && h[key.place] != key {
			return fmt.Errorf("key %x is not in its place: %+v", hash, key)
		}
		if rest := key.passed[key.head:]; !slices.IsSorted(rest) || key.given && len(rest) > 0 && key.back > rest[0] {
			return fmt.Errorf("what waits of key %x is out of order: %+v", hash, key)
		}
	}
	for _, h := range []keyHeap{k.free, k.blocked} {
		for i, key := range h {
			if i > 0 && h[(i-1)/2].first() > key.first() || k.known.get(key.hash) != key {
				return fmt.Errorf("a heap is broken at %d", i)
			}
		}
	}
	if passed != k.passed || passed > k.limit || inFlight != k.inFlight.len {
		return fmt.Errorf("counted %d passed and %d in flight, found %d and %d", k.passed, k.inFlight.len, passed, inFlight)
	}
	if q.mu.rings.top != nil && (q.mu.rate == nil || q.mu.wakeAt == 0) && (len(k.free) > 0 || l.hasReturned() || q.readyAheadLocked(l) && !(k.stalled && k.full())) {
		return fmt.Errorf("something can be delivered while %q stands in a ring: %d free keys, cursor %d of %d",
			q.mu.rings.top.head.Tag(), len(k.free), l.cursor, l.log.Next())
	}
	return nil
}

// hasReturned and readyAheadLocked look, and leave everything as it is: what the queue forgets to do must not be done by those
// who check it.
func (l *lane) hasReturned() bool {
	return slices.ContainsFunc(append(l.returned.run[l.returned.head:len(l.returned.run):len(l.returned.run)], l.returned.heap...), l.log.Live)
}

func (q *Queue) readyAheadLocked(l *lane) bool {
	for at := l.cursor; at < l.log.Next(); at++ {
		if l.log.Live(at) && !q.mu.keys.held[at] {
			return true
		}
	}
	return false
}

// SetMaxPassed lets a queue with an ordering key remember only so many messages that it has passed.
func (q *Queue) SetMaxPassed(n int) { q.mu.keys.limit = n }

func (q *Queue) checkRingsLocked() error {
	members, inRings := map[*level]int{}, 0
	for s := range q.mu.subscriptions.all() {
		if s.cancelled || s.touched || s.level.priority != s.priority {
			return fmt.Errorf("%q: cancelled %t, touched %t, priority %d", s.Tag(), s.cancelled, s.touched, s.priority)
		}
		members[s.level]++
		if s.next != nil {
			inRings++
			if q.rules.singleActive && s != q.mu.active {
				return fmt.Errorf("%q is not the active one and stands in a ring", s.Tag())
			}
		}
	}
	if len(members) != len(q.mu.rings.levels) {
		return fmt.Errorf("%d levels have members, %d are listed", len(members), len(q.mu.rings.levels))
	}
	for i, l := range q.mu.rings.levels {
		if i > 0 && l.priority >= q.mu.rings.levels[i-1].priority {
			return fmt.Errorf("level %d does not come below the one before", l.priority)
		}
		if l.subscriptions != members[l] {
			return fmt.Errorf("level %d counts %d members, has %d", l.priority, l.subscriptions, members[l])
		}
		for s := l.head; s != nil; {
			inRings--
			if s.level != l || s.next.prev != s {
				return fmt.Errorf("ring of level %d is broken at %q", l.priority, s.Tag())
			}
			if s = s.next; s == l.head {
				break
			}
		}
	}
	if inRings != 0 {
		return fmt.Errorf("%d subscriptions believe to be in a ring and are not (or the reverse)", inRings)
	}
	if q.mu.rings.top != q.mu.rings.highest() {
		return fmt.Errorf("top is not the highest level with a subscription")
	}
	return nil
}

// EncodeRecord and DecodeRecord are exported for tests.
func EncodeRecord(m *Message) []byte {
	rec := make([]byte, recordSize(m, m.ExpiresAt))
	encodeRecord(rec, m, m.ExpiresAt)
	return rec
}

func DecodeRecord(rec []byte, m *Message) bool { return decodeRecord(rec, m) }

func BodySize(rec []byte) int64 { return bodySize(rec) }

// RetryDelays are the steps of a ladder, RetryDelay what one return costs.
func RetryDelays(args amqp.Table) []int64 {
	r, _ := retryOf(args)
	return r.steps
}

func RetryDelay(args amqp.Table, seq uint64, count int64) int64 {
	r, _ := retryOf(args)
	return r.delay(seq, count, true)
}

// ExpiryEntries is how many times of expiry a queue with exact expiry remembers.
func (q *Queue) ExpiryEntries() int {
	return len(q.mu.exact.blocks.entries) + len(q.mu.exact.back.entries)
}

// KnownKeys is how many keys a queue with an ordering key knows, and how many messages it has passed.
func (q *Queue) KnownKeys() (keys, passed int) { return q.mu.keys.known.len, q.mu.keys.passed }

// Bucket is a rate limit's.
type Bucket struct{ bucket }

func NewBucket(args amqp.Table) *Bucket { return &Bucket{*rateLimitOf(args)} }

func (b *Bucket) Clone() *Bucket { clone := *b; return &clone }

// Take takes a token if there is one.
func (b *Bucket) Take(now int64) bool {
	has := b.has(now)
	if has {
		b.take()
	}
	return has
}

// Next is when to ask again, Burst how many tokens there are at most, PerMilli how many come in a millisecond.
func (b *Bucket) Next() int64       { return b.next() }
func (b *Bucket) Burst() float64    { return float64(b.capacity) / float64(b.period) }
func (b *Bucket) PerMilli() float64 { return float64(b.rate) / float64(b.period) }

// all gives the numbers and keys in no order.
func (t *keyTable) all() iter.Seq2[uint64, *orderedKey] {
	return func(yield func(uint64, *orderedKey) bool) {
		for _, s := range t.slots {
			if s.key != nil && !yield(s.id, s.key) {
				return
			}
		}
	}
}
