package exchange

import "github.com/warren-mq/warren/amqp"

// Message is what routing looks at. All of it may lie in a connection's buffer.
type Message struct {
	RoutingKey []byte
	ExtraKeys  [][]byte         // from the headers CC and BCC, tried like the routing key (RabbitMQ: Sender-selected Distribution)
	Properties *amqp.Properties // never nil
	Due        bool             // it was held back, and is not again
}

// Router routes messages one at a time through an exchange and all that is reached from it. It holds scratch space
// only: every publishing channel has its own, which is not safe for concurrent use.
type Router struct {
	// Lookup finds the exchange of a name in the vhost, nil if there is none. It is asked for alternate exchanges only
	// and is called by Route, so it must not take a lock that Route's caller holds.
	Lookup func(name string) *Exchange

	// Now is the time in unix milliseconds. It is asked for messages that say until when they are to be held back; those
	// are not if it is nil.
	Now func() int64

	// Duplicate says whether an exchange that deduplicates is to pass m on no more, and remembers m if it is. It is called
	// by Route, once for each such exchange on the way. Without it nothing is a duplicate.
	Duplicate func(x *Exchange, m *Message) bool

	queues []Queue
	base   int  // queues[base:] is this message's set
	found  bool // the exchange at hand has yielded a destination, if only one seen before

	exchanges []*Exchange // reached by this message, in order of their turn
	at        *Exchange   // the one at hand
	kept      []*Exchange // those that keep this message
	cacheable bool
	delayed   []*Exchange // hold the message back
	delay     Delay

	queueSet    set[Queue]
	exchangeSet set[*Exchange]
	topic       topicScratch
	headers     headersScratch
}

// Route appends to dst the queues that m, published to x, belongs to: each once, however many bindings, keys or paths
// lead there. It follows bindings between exchanges, visiting each exchange once, so that cycles end; an exchange whose
// own routing yields nothing at all passes the message to its alternate exchange. An exchange as destination counts,
// even when it leads nowhere (RabbitMQ 3.10.8).
func (r *Router) Route(x *Exchange, m *Message, dst []Queue) []Queue {
	r.queues, r.base = dst, len(dst)
	r.cacheable = true
	r.headers.sorted = false
	r.kept = r.kept[:0]
	clear(r.delayed)
	r.delayed = r.delayed[:0]
	r.exchanges = append(r.exchanges, x)
	for i := 0; i < len(r.exchanges); i++ {
		r.visit(r.exchanges[i], m)
	}
	r.queueSet.reset()
	r.exchangeSet.reset()
	r.at = nil
	clear(r.exchanges) // what is deleted shall not live on here
	r.exchanges = r.exchanges[:0]
	dst, r.queues = r.queues, nil
	return dst
}

// Cacheable reports whether the last Route depended on exchange and keys alone. Then the same keys lead to the same
// queues until some binding or exchange of the vhost changes.
func (r *Router) Cacheable() bool { return r.cacheable }

// Kept returns the exchanges of type x-recent-history that the last Route came through and that keep its message. The
// slice is valid until the next Route.
func (r *Router) Kept() []*Exchange { return r.kept }

// Delayed returns the exchanges that hold the message of the last Route back, and for how long: each wants to be asked
// again, with Message.Due, when that is over. Valid until the next Route.
func (r *Router) Delayed() (by []*Exchange, delay Delay) { return r.delayed, r.delay }

// Answered reports whether any of them will find out later whether the message can be routed.
func (r *Router) Answered() bool {
	for _, x := range r.delayed {
		if x.holding == holdsBack {
			return true
		}
	}
	return false
}

// hold notes that x holds the message back, if it does.
func (r *Router) hold(x *Exchange, m *Message) bool {
	r.cacheable = false
	delay, ok := delayOf(m.Properties, r.Now)
	if ok {
		r.delayed, r.delay = append(r.delayed, x), delay
		r.found = x.holding == holdsBack
	}
	return ok
}

// duplicate reports whether x is not to pass m on. It was asked before it held m back.
func (r *Router) duplicate(x *Exchange, m *Message) bool {
	if x.dedup == nil || r.Duplicate == nil || m.Due && x.holding != holdsNothing {
		return false
	}
	return r.Duplicate(x, m)
}

func (r *Router) visit(x *Exchange, m *Message) {
	r.found, r.at = false, x
	r.cacheable = r.cacheable && x.kind.cacheable && x.dedup == nil
	switch {
	case r.duplicate(x, m):
		if !x.dedup.Plugin {
			return // it was routed before, so no alternate gets it
		}
	case x.holding == holdsNothing || m.Due || !r.hold(x, m):
		x.routes.route(r, m)
	}
	if r.found || x.alternate == "" || r.Lookup == nil {
		return
	}
	if alternate := r.Lookup(x.alternate); alternate != nil {
		r.takeExchange(alternate)
	}
}

// take adds all of s.
func (r *Router) take(s *targets) {
	t := s.published.Load()
	switch {
	case t == nil:
	case t.several == nil:
		r.takeOne(t.Destination)
	default:
		r.takeSeveral(t.several)
	}
}

func (r *Router) takeSeveral(s *several) {
	if v := s.queues.view(); v != nil {
		r.found = true
		if len(r.queues) == r.base {
			// Nothing to compare with: a list holds no duplicates.
			r.queues = append(r.queues, v.first...)
			for _, chunk := range v.rest {
				r.queues = append(r.queues, chunk...)
			}
		} else {
			r.takeQueues(v.first)
			for _, chunk := range v.rest {
				r.takeQueues(chunk)
			}
		}
	}
	if v := s.exchanges.view(); v != nil {
		r.found = true
		for _, x := range v.first {
			r.takeExchange(x)
		}
		for _, chunk := range v.rest {
			for _, x := range chunk {
				r.takeExchange(x)
			}
		}
	}
}

// takeOne adds a single destination.
func (r *Router) takeOne(d Destination) {
	r.found = true
	if d.Exchange != nil {
		r.takeExchange(d.Exchange)
	} else if r.queueSet.add(r.queues[r.base:], d.Queue) {
		r.queues = append(r.queues, d.Queue)
	}
}

func (r *Router) takeQueues(queues []Queue) {
	for _, q := range queues {
		if r.queueSet.add(r.queues[r.base:], q) {
			r.queues = append(r.queues, q)
		}
	}
}

func (r *Router) takeExchange(x *Exchange) {
	if r.exchangeSet.add(r.exchanges, x) {
		r.exchanges = append(r.exchanges, x)
	}
}
