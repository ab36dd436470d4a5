package queue

// Effects is what a call leaves to be done outside the queue. The caller does it with no queue's lock held.
//
// One Effects serves many calls, one after the other, and so costs nothing in steady state; effects of several
// calls add up until Reset. It also holds the queue's scratch space, so it must not be shared between goroutines.
// The zero value is ready to use.
type Effects struct {
	// Wake lists the consumers whose outbox got something, once per subscription and call.
	Wake []Consumer

	// Cancelled are the subscriptions that ended because the queue was deleted. Their clients want a
	// basic.cancel (RabbitMQ's consumer_cancel_notify).
	Cancelled []*Subscription

	// Deleted says that the call closed the queue of its own accord: an auto-delete queue lost its last consumer, or
	// nobody used the queue for the time of its x-expires. The caller takes it out of the topology.
	Deleted bool

	// DeadLetters are messages that the queue has given up, in the order of their deaths, for its dead-letter
	// exchange. Only queues that have one report them.
	DeadLetters []DeadLetter

	// Discards says that dead messages wait to be forwarded, see ForwardDiscards. Only queues that dead-letter at least
	// once report it.
	Discards bool

	// Later is set by the caller: what expires or is too much dies in the next Tick and not in this call. Dead letters
	// that are the death of others would else multiply within one call.
	Later bool

	// Traces are copies of what was delivered, while the queue is traced.
	Traces []Trace

	// Durable is the strictest promise that is due for what was appended, with the next commit.
	Durable Durability

	// Earlier says that something that Durable speaks of was appended before: this call may have added nothing that a
	// commit could be awaited for.
	Earlier bool

	// WakeAt asks for a call of Tick, at the latest at this time in unix milliseconds. 0 asks for nothing; an
	// earlier wish stays in force until Tick is called.
	WakeAt int64

	// Burying says that the call, a Settle, leaves dead messages that must be read before they can be dead-lettered; see
	// [Queue.Burying].
	Burying bool

	// Refused holds the indices of publishes that the queue refused; their publisher gets a basic.nack.
	Refused []int32

	touched  []*Subscription // whose touched mark is set
	delivery Delivery
	message  Message
}

// Reset forgets all effects and keeps the memory.
func (fx *Effects) Reset() {
	clear(fx.Wake)
	clear(fx.Cancelled)
	clear(fx.DeadLetters)
	fx.Wake, fx.Cancelled, fx.Refused = fx.Wake[:0], fx.Cancelled[:0], fx.Refused[:0]
	fx.DeadLetters, fx.Traces = fx.DeadLetters[:0], nil
	fx.Deleted, fx.Discards, fx.Later, fx.Burying = false, false, false, false
	fx.Durable, fx.Earlier, fx.WakeAt = NotDurable, false, 0
}

// touch notes that s got a message in this call.
func (fx *Effects) touch(s *Subscription) {
	s.touched = true
	fx.touched = append(fx.touched, s)
	fx.Wake = append(fx.Wake, s.consumer)
}

// done ends a call: the marks are taken off while the queue's lock, which guards them, is still held, and no
// view into records or into the caller's messages stays behind.
func (fx *Effects) done() {
	for i, s := range fx.touched {
		s.touched = false
		fx.touched[i] = nil
	}
	fx.touched = fx.touched[:0]
	fx.delivery, fx.message = Delivery{}, Message{}
}
