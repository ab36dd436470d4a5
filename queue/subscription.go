package queue

import (
	"slices"

	"github.com/warren-mq/warren/amqp"
)

// Consumer is where a queue hands messages to: the outbox of a connection, seen by one consumer of it. All its
// methods but Wake are called under the queue's lock, and so must neither block nor call a queue.
type Consumer interface {
	// Acquire locks the outbox, Release unlocks it. A queue holds one outbox at a time, over as many consecutive
	// deliveries as go there.
	Acquire()
	Release()

	// Deliver appends a delivery to the acquired outbox. False means that it did not, for lack of credit or room:
	// the consumer has noted that under the outbox's lock and calls Resume when it can take one again. What d
	// points to is valid during the call only.
	Deliver(d *Delivery) bool

	// Wake lets the outbox be written. It is called without the queue's lock, by whoever runs the Effects.
	Wake()
}

// Delivery is one message on its way to a consumer.
type Delivery struct {
	Message      *Message
	Seq          uint64 // names the message in a Settlement; meaningless when no ack is expected
	Redelivered  bool
	Now          int64         // of the call that delivers, unix milliseconds
	Ready        uint32        // messages that stay ready behind this one; set for basic.get only
	Subscription *Subscription // nil for basic.get

	returned bool // it was given back, and does not come from the cursor
	// Of queues with an ordering key: key is set if the message waits below the cursor for its turn, hash and keyed if it
	// has a key.
	key   *orderedKey
	hash  uint64
	keyed bool
}

// SubscribeOptions are the fields of basic.consume.
type SubscribeOptions struct {
	Tag       string
	NoAck     bool
	Exclusive bool
	Prefetch  uint16     // only shown in listings: the consumer itself keeps the credit
	Arguments amqp.Table // x-priority and x-rate-limit are read from here

	// GlobalPrefetch says that the channel has a limit for all of its consumers together.
	GlobalPrefetch bool
}

// Subscription is a consumer at a queue, from basic.consume to its cancellation.
type Subscription struct {
	queue    *Queue
	consumer Consumer
	options  SubscribeOptions
	priority int64

	// Guarded by the queue's lock.
	place      int // among the queue's subscribers
	level      *level
	next, prev *Subscription // neighbours in the ring of level; nil while parked
	touched    bool          // got a message in the present call
	started    bool          // was resumed once: its consume-ok is sent
	rate       *bucket       // of x-rate-limit; nil without
	rated      bool          // it or its queue has a rate limit
	heldBack   bool          // waits for a token of rate, on the queue's list
	cancelled  bool
}

func (s *Subscription) Queue() *Queue         { return s.queue }
func (s *Subscription) Consumer() Consumer    { return s.consumer }
func (s *Subscription) Tag() string           { return s.options.Tag }
func (s *Subscription) NoAck() bool           { return s.options.NoAck }
func (s *Subscription) Exclusive() bool       { return s.options.Exclusive }
func (s *Subscription) Prefetch() uint16      { return s.options.Prefetch }
func (s *Subscription) Arguments() amqp.Table { return s.options.Arguments }

// Priority is the x-priority of the consumer, 0 by default; higher ones are served first.
func (s *Subscription) Priority() int64 { return s.priority }

// Active reports whether the subscription may get messages: until it is cancelled, and in a queue with a single active
// consumer only while it is that one.
func (s *Subscription) Active() bool {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	return !s.cancelled && (!s.queue.rules.singleActive || s.queue.mu.active == s)
}

// Subscribe adds a consumer. It delivers nothing yet: the caller sends consume-ok and then calls Resume, so that no
// message overtakes the answer.
//
// Errors: 540 where a quorum queue does not know the channel's limit, 406 for arguments that RabbitMQ refuses, 403 if the queue is, or shall be, in exclusive use and is not
// free for that, 404 if it was deleted meanwhile.
func (q *Queue) Subscribe(c Consumer, o SubscribeOptions, _ *Effects) (*Subscription, error) {
	if o.GlobalPrefetch && q.kind == kindQuorum {
		return nil, amqp.Errorf(amqp.NotImplemented, "%s does not support global qos", q.resource())
	}
	priority, err := q.checkConsumeArguments(o.Arguments)
	if err != nil {
		return nil, err
	}
	s := &Subscription{queue: q, consumer: c, options: o, priority: priority, rate: rateLimitOf(o.Arguments)}
	s.rated = s.rate != nil || q.mu.rate != nil // rate is set when the queue is made

	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.closed {
		return nil, amqp.Errorf(amqp.NotFound, "no %s", q.resource())
	}
	// A quorum queue takes no notice of exclusive consumers (RabbitMQ 3.10.8 behaviour).
	if q.kind != kindQuorum {
		if q.mu.exclusive != nil || o.Exclusive && (q.mu.subscriptions.count > 0 || q.rules.singleActive) {
			return nil, amqp.Errorf(amqp.AccessRefused, "%s in exclusive use", q.resource())
		}
		if o.Exclusive {
			q.mu.exclusive = s
		}
	}
	q.mu.subscriptions.add(s)
	q.mu.rings.join(s)
	if q.mu.active == nil && q.rules.singleActive {
		q.mu.active = s
	}
	return s, nil
}

// Subscriptions lists the consumers in the order in which they came.
func (q *Queue) Subscriptions() []*Subscription {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Collect(q.mu.subscriptions.all())
}

// Cancel ends a subscription: after it returns nothing more is delivered to it. What it has not acked stays
// unacked. An auto-delete queue is deleted with its last consumer; fx.Deleted says so. To cancel twice is harmless.
func (q *Queue) Cancel(now int64, s *Subscription, fx *Effects) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if s.cancelled {
		return
	}
	s.cancelled = true
	q.mu.rings.leave(s)
	q.mu.subscriptions.remove(s)
	if q.mu.exclusive == s {
		q.mu.exclusive = nil
	}
	if q.mu.subscriptions.count > 0 {
		if q.mu.active == s {
			q.activateLocked(now, fx)
		}
		return
	}
	q.mu.active = nil
	if q.autoDelete {
		fx.Deleted = true
		q.closeLocked(fx)
		return
	}
	q.usedLocked(now, fx)
}

// activateLocked makes the first of the highest priority the single active consumer, since the one before has gone.
func (q *Queue) activateLocked(now int64, fx *Effects) {
	var next *Subscription
	for s := range q.mu.subscriptions.all() {
		if next == nil || s.priority > next.priority {
			next = s
		}
	}
	q.mu.active = next
	if next.started {
		q.mu.rings.enter(next)
		q.deliverLocked(now, fx)
		fx.done()
	}
}

// Resume tells that a subscription can take messages again, or for the first time. It then gets what is ready. It
// is harmless if the subscription is not parked, or was cancelled.
func (q *Queue) Resume(now int64, s *Subscription, fx *Effects) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if s.cancelled {
		return
	}
	q.enterLocked(s)
	q.deliverLocked(now, fx)
	fx.done()
}

// enterLocked puts a subscription that can take messages into its ring, unless another one is the single active one.
func (q *Queue) enterLocked(s *Subscription) {
	s.started = true
	if !q.rules.singleActive || q.mu.active == s {
		q.mu.rings.enter(s)
	}
}
