package queue

import (
	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/dedup"
)

// Message is what a queue takes and gives. The slices are views; a queue keeps none of them beyond the call.
type Message struct {
	Exchange, RoutingKey []byte
	Properties           []byte // as on the wire, property flags included
	Body                 []byte
	Persistent           bool
	Priority             uint8
	// Hidden are the routing keys of the header BCC, which is not among the properties: each behind its length, a byte.
	// At most 65,535 bytes.
	Hidden []byte

	// Redelivered says that the message may have been delivered before it came here, by a broker that was killed before it
	// had noted that.
	Redelivered bool

	// HasTTL says that the message itself limits its life to TTL milliseconds from its arrival in a queue.
	HasTTL bool
	TTL    int64
	// ExpiresAt is set in what a queue gives: unix milliseconds, 0 for never.
	ExpiresAt int64

	// Several says that the message goes to several queues; their logs share its body under the number Shared.
	Several bool
	Shared  uint32
}

// Config says what a queue is. It does not change in its life.
type Config struct {
	Name, VHost                    string
	Durable, Exclusive, AutoDelete bool
	Arguments                      amqp.Table
	Owner                          any // the connection that an exclusive queue belongs to
	// Durability is what a confirm means where the arguments do not say. Default: Synced.
	Durability Durability
	// Discards makes the log of what a queue that dead-letters at least once cannot get rid of. It is called when the
	// first comes, or at once if HasDiscards says that there is one from before; with the queue's lock held or before
	// anybody knows the queue. Without it, dead letters are at most once.
	Discards    func() Log
	HasDiscards bool
}

// Queue holds messages in order and hands them to its consumers.
type Queue struct {
	// Immutable.
	name, vhost                    string
	durable, exclusive, autoDelete bool
	durability                     Durability
	arguments                      amqp.Table
	owner                          any
	kind                           kind
	rules                          *rules
	newLog                         func(priority uint8) Log

	mu struct {
		queueLock
		closed bool // deleted: nothing is taken or given any more
		traced bool // deliveries are reported in Effects.Traces

		lanes        lanes
		ready        int   // records ready in all lanes
		unacked      int   // records delivered and not settled
		readyBytes   int64 // of bodies
		unackedBytes int64

		keys  *keys     // of x-ordering-key; nil without
		exact *exactTTL // of x-exact-ttl; nil without

		subscriptions subscribers
		rings         rings         // INVARIANT: nothing can be delivered while a subscription is in one, see doc.go
		exclusive     *Subscription // the exclusive consumer, if there is one
		active        *Subscription // of x-single-active-consumer: the only one that may be in a ring

		waiting waiting // what was given back and may not be delivered before its time

		rate     *bucket         // of x-rate-limit; nil without
		heldBack []*Subscription // by their own rate limits, and so outside of the rings

		// dying are dead messages that are not in memory, and so wait for Ready to be dead-lettered, in that order.
		dying    []dying
		discards *discards     // of those that dead-letter at least once; else nil
		arrival  chan struct{} // closed by Ready, for those who wait in Get; nil if nobody does

		expiring  bool  // something ready may expire
		wakeAt    int64 // when a Tick was asked for, unix milliseconds; 0: not at all
		idleSince int64 // when the queue was used last, unix milliseconds; kept for x-expires

		present *present // of x-message-deduplication; nil without

		counters *Stats // the counters only; nil until one counts
	}
}

// New makes a queue that keeps its messages in logs given by newLog: one for each priority in use, asked for when the
// first message of that priority comes, with the queue's lock held. found are the priorities beside 0 that have a log
// from before; what is in these and in the log of priority 0 is ready, until Recovered has looked. The configuration has passed CheckArguments.
// Exclusive queues are transient whatever was asked (RabbitMQ 3.10.8 behaviour).
func New(c Config, newLog func(priority uint8) Log, found ...uint8) *Queue {
	q := &Queue{
		name: c.Name, vhost: c.VHost,
		durable: c.Durable && !c.Exclusive, exclusive: c.Exclusive, autoDelete: c.AutoDelete,
		arguments: c.Arguments, owner: c.Owner,
		kind:   kindOf(c.Arguments),
		newLog: newLog,
	}
	q.rules = rulesOf(q.kind, c.Arguments)
	if q.kind == kindClassic {
		q.mu.present = newPresent(c.Arguments)
	}
	q.mu.rate = rateLimitOf(c.Arguments)
	q.durability = durabilityOf(q.kind, c.Arguments, c.Durability)
	_, window := c.Arguments.Get(dedup.ArgWindow)
	if window {
		q.rules.firm = q.durable && q.durability == Synced
	}
	if q.rules.orderingKey != "" {
		q.mu.keys = newKeys()
	}
	if q.rules.exactTTL {
		q.mu.exact = new(exactTTL)
	}
	lanes := &q.mu.lanes
	lanes.first = newLane(newLog(0), 0, q.rules.firm)
	if q.rules.priorities {
		lanes.others = &prioritized{lanes: make([]*lane, int(q.rules.maxPriority)+1)}
		lanes.others.lanes[0] = &lanes.first
		for _, p := range found {
			q.laneForLocked(p)
		}
	}
	lanes.each(func(l *lane) {
		if l.ready > 0 {
			lanes.note(l)
		}
		q.mu.ready += l.ready
		q.mu.readyBytes += l.log.LiveBytes()
	})
	q.mu.expiring = q.mu.ready > 0
	if q.mu.exact != nil {
		q.mu.exact.read(lanes)
	}
	q.keepDiscards(c.Discards, c.HasDiscards)
	return q
}

func (q *Queue) Name() string          { return q.name }
func (q *Queue) VHost() string         { return q.vhost }
func (q *Queue) Durable() bool         { return q.durable }
func (q *Queue) Exclusive() bool       { return q.exclusive }
func (q *Queue) AutoDelete() bool      { return q.autoDelete }
func (q *Queue) Arguments() amqp.Table { return q.arguments }
func (q *Queue) Owner() any            { return q.owner }

// Type is the queue type as x-queue-type names it: classic or quorum.
func (q *Queue) Type() string { return string(q.kind) }

// resource names the queue in error texts.
func (q *Queue) resource() string { return amqp.Resource("queue", q.name, q.vhost) }
