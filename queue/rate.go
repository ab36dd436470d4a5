package queue

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/warren-mq/warren/amqp"
)

// argRateLimit is an argument of Warren's own, of queues and of consumers.
const argRateLimit = "x-rate-limit"

const (
	// maxRate is the largest number in a rate limit.
	maxRate = 1_000_000_000
	// rateStep is the shortest time, in milliseconds, for which deliveries are held back together: a rate of 50,000/s
	// costs a hundred ticks a second, and each delivers five hundred messages.
	rateStep = 10
)

// bucket holds the tokens of a rate limit, one for each message that may be delivered now. It begins full. The share is
// what a token consists of: rate of them come in a millisecond, period of them make a token, so nothing is rounded.
//
// INVARIANT: there is room for what comes until next and a millisecond longer. So whoever asks on time loses nothing to a bucket
// that ran over, and the rate is kept in the long run.
type bucket struct {
	rate, period int64
	capacity     int64 // shares
	level        int64 // shares
	filled       int64 // when, unix milliseconds; 0: it was not asked yet
}

func newBucket(rate, period, burst int64) *bucket {
	b := &bucket{rate: rate, period: period}
	b.level = max(burst*period, b.batch())
	b.capacity = max(b.level, b.batch()+rate)
	return b
}

// batch is what is waited for: a token, or what comes in a rateStep if that is more.
func (b *bucket) batch() int64 { return max(b.period, rateStep*b.rate) }

// has reports whether there is a token, after what has come since was filled in. A clock that was set back brings none.
func (b *bucket) has(now int64) bool {
	if now == b.filled {
		return b.level >= b.period
	}
	switch elapsed := now - b.filled; {
	case b.filled == 0 || elapsed < 0:
	case elapsed > b.capacity/b.rate:
		b.level = b.capacity
	default:
		b.level = min(b.level+elapsed*b.rate, b.capacity)
	}
	b.filled = now
	return b.level >= b.period
}

// take takes a token, which must be there.
func (b *bucket) take() { b.level -= b.period }

// next is when it is worth asking again.
func (b *bucket) next() int64 {
	missing := b.batch() - b.level
	return b.filled + max((missing+b.rate-1)/b.rate, 1)
}

// rateLimitOf reads the rate limit of a queue or a consumer, which has been checked; nil if there is none.
func rateLimitOf(args amqp.Table) *bucket {
	v, ok := args.Get(argRateLimit)
	if !ok {
		return nil
	}
	b, _ := parseRate(v)
	return b
}

// parseRate reads a rate limit: messages in a second, or text.
//
//	limit = number [ "/" ( "s" | "m" | "h" ) ] [ " burst " number ]
//
// Without a burst, it is what comes in a tenth of a second, at least 1.
func parseRate(v any) (*bucket, bool) {
	s, ok := v.(string)
	if n, is := amqp.Integer(v); is {
		s, ok = strconv.FormatInt(n, 10), true
	}
	if !ok {
		return nil, false
	}
	number, burst, hasBurst := strings.Cut(s, " burst ")
	number, unit, hasUnit := strings.Cut(number, "/")
	period, known := map[string]int64{"s": 1000, "m": 60_000, "h": 3_600_000}[unit]
	switch {
	case !hasUnit:
		period = 1000
	case !known:
		return nil, false
	}
	n, ok := parseCount(number)
	most := max(n*100/period, 1)
	if ok && hasBurst {
		most, ok = parseCount(burst)
	}
	if !ok {
		return nil, false
	}
	return newBucket(n, period, most), true
}

// parseCount reads a number from 1 to maxRate.
func parseCount(s string) (int64, bool) {
	n, err := strconv.ParseUint(s, 10, 63)
	return int64(n), err == nil && n > 0 && n <= maxRate
}

// checkRateLimit checks x-rate-limit, of a queue or a consumer.
func checkRateLimit(v any, args amqp.Table) string {
	if n, ok := amqp.Integer(v); ok {
		if n > maxRate {
			return "{value_too_large," + strconv.FormatInt(n, 10) + "}"
		}
		return checkPositive(v, args)
	}
	if reason := checkString(v, args); reason != "" {
		return reason
	}
	if _, ok := parseRate(v); !ok {
		return erlangString(fmt.Sprintf("unsupported rate limit '%.60s'", v))
	}
	return ""
}

// mayTakeLocked asks whether the queue's rate limit, which it has, lets a message go now. If not, a Tick is asked for.
func (q *Queue) mayTakeLocked(now int64, fx *Effects) bool {
	if q.mu.rate.has(now) {
		return true
	}
	q.wakeLocked(q.mu.rate.next(), fx)
	return false
}

// heldBackLocked asks whether the rate limit of a consumer, if it has one, holds the next message back. The consumer then
// leaves the ring, as one that cannot take a message, and is let in again when it has a token.
func (q *Queue) heldBackLocked(s *Subscription, now int64, fx *Effects) bool {
	if s.rate == nil || s.rate.has(now) {
		return false
	}
	q.mu.rings.park(s)
	if !s.heldBack {
		s.heldBack = true
		q.mu.heldBack = append(q.mu.heldBack, s)
	}
	q.wakeLocked(s.rate.next(), fx)
	return true
}

// letInLocked lets those consumers in that have tokens again, in the order in which they were held back.
func (q *Queue) letInLocked(now int64, fx *Effects) {
	q.mu.heldBack = slices.DeleteFunc(q.mu.heldBack, func(s *Subscription) bool {
		switch {
		case s.cancelled:
			return true
		case !s.rate.has(now):
			q.wakeLocked(s.rate.next(), fx)
			return false
		}
		s.heldBack = false
		q.enterLocked(s)
		return true
	})
}

// tookLocked takes the tokens for a message that went to a consumer or, with nil, to basic.get.
func (q *Queue) tookLocked(s *Subscription) {
	if q.mu.rate != nil {
		q.mu.rate.take()
	}
	if s != nil && s.rate != nil {
		s.rate.take()
	}
}
