package queue

import (
	"math"

	"github.com/warren-mq/warren/amqp"
)

// rules are what a queue's arguments make it do, read once. Times are milliseconds.
type rules struct {
	ttl     int64 // of each message from its arrival; none if negative
	expires int64 // how long the queue may be unused; 0: for ever

	limited             bool // by one of the next two
	maxLength, maxBytes int64
	overflow            string

	// firm: nothing durable is delivered before it is on disk. Where duplicates are dropped, what a client has seen must not
	// be forgotten in a crash, or its publisher's next try would be seen as well.
	firm bool

	deadLetters                bool // there is a dead-letter exchange
	deadLetterTo               string
	deadLetterKey              string
	hasDeadLetterKey           bool
	atLeastOnce                bool // dead letters stay until somebody else has them
	priorities                 bool
	maxPriority                uint8
	singleActive, countReturns bool
	returnOrder                bool // what was given back is served in the order of its return
	hasDeliveryLimit           bool
	exactTTL                   bool
	orderingKey                string // a header's name, or byRoutingKey; none if empty
	deliveryLimit              int64  // returns that a message survives; a negative one is no message's (3.10.8)

	retries      bool // what is given back waits
	retry        retry
	longestRetry int64
}

// Values of x-overflow.
const (
	dropHead         = "drop-head"
	rejectPublish    = "reject-publish"
	rejectPublishDLX = "reject-publish-dlx"
)

// maxRoutingKey is how long a routing key can be, in bytes: it travels as a short string.
const maxRoutingKey = 255

// plainRules are those of all classic queues without arguments, of which there may be very many. Nobody changes them.
var plainRules = readRules(kindClassic, nil)

// rulesOf reads arguments that have passed CheckArguments. What the queue's type does not know is ignored.
func rulesOf(k kind, args amqp.Table) *rules {
	if k == kindClassic && len(args) == 0 {
		return plainRules
	}
	return readRules(k, args)
}

func readRules(k kind, args amqp.Table) *rules {
	r := &rules{
		ttl:          integer(args, "x-message-ttl", -1),
		expires:      integer(args, "x-expires", 0),
		maxLength:    integer(args, "x-max-length", math.MaxInt64),
		maxBytes:     integer(args, "x-max-length-bytes", math.MaxInt64),
		countReturns: k == kindQuorum,
		returnOrder:  k == kindQuorum,
	}
	r.limited = r.maxLength != math.MaxInt64 || r.maxBytes != math.MaxInt64
	if r.overflow, _ = text(args, "x-overflow"); r.overflow != rejectPublish && r.overflow != rejectPublishDLX {
		r.overflow = dropHead
	}
	r.deadLetterTo, r.deadLetters = text(args, "x-dead-letter-exchange")
	r.deadLetterKey, r.hasDeadLetterKey = text(args, "x-dead-letter-routing-key")
	r.deadLetterKey = r.deadLetterKey[:min(len(r.deadLetterKey), maxRoutingKey)] // older versions did not check it
	v, _ := args.Get("x-single-active-consumer")
	r.singleActive, _ = v.(bool)
	r.orderingKey, _ = text(args, argOrderingKey)
	v, _ = args.Get(argExactTTL)
	r.exactTTL, _ = v.(bool)
	if k == kindQuorum {
		r.deliveryLimit = integer(args, "x-delivery-limit", math.MinInt64)
		r.hasDeliveryLimit = r.deliveryLimit != math.MinInt64
	}
	r.setRetry(args)
	if k == kindQuorum {
		// With drop-head there is nobody to hold back while dead letters pile up (RabbitMQ 3.10.8 behaviour).
		r.atLeastOnce = r.deadLetters && r.overflow == rejectPublish && wantsAtLeastOnce(args)
		if r.overflow == rejectPublishDLX {
			r.overflow = dropHead // quorum queues do not know it and fall back (RabbitMQ 3.10.8 behaviour)
		}
		return r
	}
	if n := integer(args, "x-max-priority", 0); n > 0 {
		r.priorities, r.maxPriority = true, uint8(n)
	}
	return r
}

// setRetry reads the retry ladder, if there is one. Its end is a delivery limit.
func (r *rules) setRetry(args amqp.Table) {
	if r.retry, r.retries = retryOf(args); !r.retries {
		return
	}
	r.countReturns, r.longestRetry = true, r.retry.longest()
	if steps := int64(len(r.retry.steps)); steps > 0 && (!r.hasDeliveryLimit || steps < r.deliveryLimit) {
		r.hasDeliveryLimit, r.deliveryLimit = true, steps
	}
}

func wantsAtLeastOnce(args amqp.Table) bool {
	strategy, _ := text(args, "x-dead-letter-strategy")
	return strategy == "at-least-once"
}

// FallsBack says why a queue does not do what its arguments ask for, in the manner of RabbitMQ 3.10.8's log, or nothing.
func (q *Queue) FallsBack() string {
	if q.kind != kindQuorum || !wantsAtLeastOnce(q.arguments) || q.rules.atLeastOnce {
		return ""
	}
	if !q.rules.deadLetters {
		return "Disabling dead-lettering since there is no dead-letter exchange"
	}
	return "Falling back to dead-letter-strategy at-most-once, since at-least-once needs overflow reject-publish"
}

func integer(args amqp.Table, name string, none int64) int64 {
	v, _ := args.Get(name)
	if n, ok := amqp.Integer(v); ok {
		return n
	}
	return none
}

func text(args amqp.Table, name string) (string, bool) {
	v, _ := args.Get(name)
	s, ok := v.(string)
	return s, ok
}

// Expires is how long the queue may be unused, in milliseconds: x-expires, 0 without.
func (q *Queue) Expires() int64 { return q.rules.expires }

// SingleActive reports whether only one consumer at a time gets messages (x-single-active-consumer).
func (q *Queue) SingleActive() bool { return q.rules.singleActive }

// DeadLetterExchange is where messages go that the queue gives up, if it has one: x-dead-letter-exchange.
func (q *Queue) DeadLetterExchange() (string, bool) { return q.rules.deadLetterTo, q.rules.deadLetters }

// DeadLetterRoutingKey replaces the routing keys of messages that die, if the queue has one.
func (q *Queue) DeadLetterRoutingKey() (string, bool) {
	return q.rules.deadLetterKey, q.rules.hasDeadLetterKey
}

// expiry returns when m, which enters the queue now, expires: by its own time to live or the queue's, whichever is
// shorter. 0 means never.
func (r *rules) expiry(now int64, m *Message) int64 {
	switch {
	case m.HasTTL && (r.ttl < 0 || m.TTL < r.ttl):
		return now + m.TTL
	case r.ttl >= 0:
		return now + r.ttl
	}
	return 0
}
