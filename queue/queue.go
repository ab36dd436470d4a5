package queue

import (
	"sync"

	"github.com/warren-mq/warren/amqp"
)

// Message is what a queue takes and gives. The slices are views; a queue keeps none of them beyond the call.
type Message struct {
	Exchange, RoutingKey []byte
	Properties           []byte // as on the wire, property flags included
	Body                 []byte
	Persistent           bool
	Priority             uint8
	ExpiresAt            int64 // unix milliseconds; 0: never
}

// Config says what a queue is. It does not change in its life.
type Config struct {
	Name, VHost                    string
	Durable, Exclusive, AutoDelete bool
	Arguments                      amqp.Table
	Owner                          any // the connection that an exclusive queue belongs to
}

// Queue holds messages in order and hands them to its consumers.
type Queue struct {
	// Immutable.
	name, vhost                    string
	durable, exclusive, autoDelete bool
	arguments                      amqp.Table
	owner                          any
	kind                           kind

	mu struct {
		sync.Mutex
		closed bool // deleted: nothing is taken or given any more

		log          Log
		cursor       uint64   // every live record from here on is ready and was never delivered by this queue
		redelivered  uint64   // records below it may have been delivered before the log was opened
		returned     returned // ready records below the cursor
		ready        int      // records in both
		unacked      int      // records delivered and not settled
		readyBytes   int64    // of bodies
		unackedBytes int64

		arrival chan struct{} // closed by Ready, for those who wait in Get; nil if nobody does

		subscriptions []*Subscription // in order of arrival
		rings         rings           // INVARIANT: no message is ready while a subscription is in one
		exclusive     *Subscription   // the exclusive consumer, if there is one

		counters Stats // the counters only
	}
}

// New makes a queue that keeps its messages in log; what is in there already is ready. The configuration has passed CheckArguments. Exclusive queues
// are transient whatever was asked (RabbitMQ 3.10.8 behaviour).
func New(c Config, log Log) *Queue {
	q := &Queue{
		name: c.Name, vhost: c.VHost,
		durable: c.Durable && !c.Exclusive, exclusive: c.Exclusive, autoDelete: c.AutoDelete,
		arguments: c.Arguments, owner: c.Owner,
		kind: kindOf(c.Arguments),
	}
	q.mu.log = log
	q.mu.cursor = log.First()
	q.mu.redelivered = log.DeliveredUpTo()
	q.mu.ready, q.mu.readyBytes = log.Count(), log.LiveBytes()
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
