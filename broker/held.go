package broker

import (
	"slices"

	"github.com/warren-mq/warren/queue"
)

// Held is a message that a transaction keeps until its commit. It was checked and routed when it was published, with
// the bindings of that moment, and owns its bytes.
type Held struct {
	Message  queue.Message
	exchange *route
	queues   []*Queue
}

const (
	// heldBytes is about what a held message takes beside its bytes and its way.
	heldBytes = 512
	// heldQueueBytes is what it takes for each queue that it goes to, until all of the commit is settled.
	heldQueueBytes = 24
)

// Bytes is about how much memory the message takes. One of few bytes that goes to thousands of queues takes much.
func (h *Held) Bytes() int64 {
	m := &h.Message
	n := len(m.Body) + len(m.Properties) + len(m.Exchange) + len(m.RoutingKey) + len(m.Hidden)
	return int64(n + heldBytes + heldQueueBytes*(len(h.queues)+len(h.exchange.delayed)))
}

// Hold checks and routes a message as Publish does, but keeps it out of the batch: its queues get it with Release. The
// caller runs fx.
func (p *Publisher) Hold(m *Message, fx *Effects) (h Held, routed bool, err error) {
	if limit := p.session.broker.cfg.MaxMessageSize; uint64(len(m.Body)) > limit {
		return Held{}, false, TooLarge(uint64(len(m.Body)), limit)
	}
	msg := queue.Message{Exchange: m.Exchange, RoutingKey: m.RoutingKey, Properties: m.Properties, Body: m.Body}
	blocked := len(p.gate.blocked)
	r, err := p.prepare(&msg, m.ReplyQueue)
	p.gate.blocked = p.gate.blocked[:blocked] // it has no place in the batch yet
	if err != nil {
		return Held{}, false, err
	}
	if p.tracing {
		p.tracePublish(&msg, r, m.Channel)
	}
	h.queues = make([]*Queue, len(r.shares))
	for i, s := range r.shares {
		h.queues[i] = s.queue
	}
	h.Message = ownMessage(&msg)
	routed = len(r.shares) > 0 || len(r.delayed) > 0 && p.taken(r, m)
	// A delay begins with the commit, before which nothing has happened.
	h.exchange = &route{
		exchange: r.exchange, delayed: slices.Clone(r.delayed), delay: r.delay, origin: r.origin, gated: r.gated,
	}
	for _, to := range r.replies { // replies do not wait for the commit (3.10.8)
		to.deliver(&h.Message, fx)
	}
	return h, routed, nil
}

// Release adds a held message to the batch.
func (p *Publisher) Release(h *Held) {
	h.exchange.shares = make([]*share, len(h.queues))
	for i, q := range h.queues {
		h.exchange.shares[i] = p.shareOf(q)
	}
	p.add(h.exchange, &h.Message)
}
