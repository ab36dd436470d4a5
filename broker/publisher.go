package broker

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/exchange"
	"github.com/warren-mq/warren/queue"
)

// Message is one publish as it came in: views that must stay valid until the Publisher has settled.
type Message struct {
	Exchange, RoutingKey []byte
	Properties           []byte // as on the wire: flags and values
	Body                 []byte
	ReplyQueue           *ReplyQueue // of the channel, if it has one
	Channel              uint16      // for the trace
	// Mandatory: the sender wants to know if no queue gets it. Returner is who is told when that shows only later.
	Mandatory bool
	Returner  Returner
}

// Publisher routes messages and gathers them until Settle hands each touched queue its share: one lock, one append
// and one delivery pass for a queue, however many messages a read brought. It belongs to one goroutine.
type Publisher struct {
	session *Session
	router  exchange.Router

	// topology and users are the generations in which routes were found and permitted.
	topology, users uint64
	tracing         bool              // of the vhost, in that topology
	routes          map[string]*route // by exchange and routing key
	last            *route            // publishers seldom change both
	keptShares      int               // of all routes
	misses          int               // since there was no room for another route
	anyKey          map[string]*route // see unkept
	shares          map[*Queue]*share
	nameBuf         []byte

	// The batch.
	msgs    []queue.Message
	touched []*share
	replies []reply
	delayed []delayedMessage
	refused []int32
	counted []*route
	copies  int // of its messages, in queues

	props amqp.Properties // of the message in hand
	reply string          // name of its channel's reply queue, or empty
	plain plainProperties
	found []exchange.Queue
	loose route // what routeByContent returns
	gate  gate
	extra [][]byte // routing keys from the headers CC and BCC

	origins map[Returner]uint64
}

// delayedMessage is a message of the batch that an exchange holds back. origin is who wants to hear if it proves
// unroutable, 0 for nobody.
type delayedMessage struct {
	by     *delays
	delay  exchange.Delay
	origin uint64
	index  int32
}

// reply is a message of the batch for a reply consumer.
type reply struct {
	to    *ReplyQueue
	index int32
}

// share is what one queue gets of a batch.
type share struct {
	queue *Queue
	idx   []int32 // indexes into Publisher.msgs
}

// plainProperties remembers the last properties that ask for nothing special, since a publisher mostly repeats them.
type plainProperties struct {
	wire       []byte
	persistent bool
	priority   uint8
}

const (
	// maxPlain is the longest properties worth remembering, in bytes.
	maxPlain = 256
	// special are the properties that the broker has to look at.
	special = amqp.FlagHeaders | amqp.FlagExpiration | amqp.FlagUserID | amqp.FlagReplyTo
)

// NewPublisher returns a publisher for a session.
func (s *Session) NewPublisher() *Publisher {
	p := &Publisher{
		session: s,
		routes:  make(map[string]*route),
		shares:  make(map[*Queue]*share),
	}
	p.router.Now, p.router.Lookup, p.router.Duplicate = s.broker.nowMillis, s.vhost.lookupExchange, p.duplicate
	return p
}

// Publish checks and routes a message and adds it to the batch. routed says whether any queue will get it; a message
// that none gets is not kept. Errors are those of basic.publish (errors.md §3), in RabbitMQ's order of checks; the
// message is then not part of the batch.
func (p *Publisher) Publish(m *Message) (routed bool, err error) {
	if limit := p.session.broker.cfg.MaxMessageSize; uint64(len(m.Body)) > limit {
		return false, TooLarge(uint64(len(m.Body)), limit)
	}
	msg := queue.Message{Exchange: m.Exchange, RoutingKey: m.RoutingKey, Properties: m.Properties, Body: m.Body}
	r, err := p.prepare(&msg, m.ReplyQueue)
	if err != nil {
		return false, err
	}
	routed = len(r.shares) > 0
	if len(r.delayed) > 0 && !routed {
		routed = p.taken(r, m)
	}
	if p.tracing {
		p.tracePublish(&msg, r, m.Channel)
	}
	p.add(r, &msg)
	m.Properties = msg.Properties // what is returned does not have BCC either
	return routed, nil
}

// taken says whether a message that is held back, and goes nowhere else, is in good hands. In the way of RabbitMQ's plugin
// it is not if it is mandatory: it is returned at once. In Warren's own way that shows when it is due.
func (p *Publisher) taken(r *route, m *Message) bool {
	if m.Mandatory && r.answered {
		r.origin = p.originOf(m.Returner)
	}
	return r.answered || !m.Mandatory
}

// prepare routes a message and checks its properties.
func (p *Publisher) prepare(msg *queue.Message, replies *ReplyQueue) (*route, error) {
	r, err := p.route(msg)
	if err != nil {
		return nil, err
	}
	known := len(p.plain.wire) > 0 && bytes.Equal(p.plain.wire, msg.Properties)
	if known {
		msg.Persistent, msg.Priority = p.plain.persistent, p.plain.priority
	} else {
		p.reply = ""
		if replies != nil {
			p.reply = replies.Name()
		}
		if err := p.examine(msg); err != nil {
			return nil, err
		}
	}
	if !r.byContent && len(p.extra) == 0 {
		return r, nil
	}
	if known { // so examine has not decoded what may decide about this message's way
		if err := p.props.Decode(msg.Properties); err != nil {
			return nil, err
		}
	}
	return p.routeByContent(r, msg), nil
}

// TooLarge is the error for a body of size bytes when only limit are accepted.
func TooLarge(size, limit uint64) *amqp.Error {
	return amqp.Errorf(amqp.PreconditionFailed, "message size %d is larger than configured max size %d", size, limit)
}

// add counts a message and puts it into the batch.
func (p *Publisher) add(r *route, msg *queue.Message) {
	counts := r
	if r.of != nil {
		counts = r.of
	}
	if counts.count == 0 {
		p.counted = append(p.counted, counts)
	}
	counts.count++
	if !r.gated {
		counts.copies += uint64(len(r.shares))
	}
	p.place(r, msg)
}

// place puts a message into the batch of each queue of a route.
func (p *Publisher) place(r *route, msg *queue.Message) {
	if len(r.shares)+len(r.replies)+len(r.delayed) == 0 {
		return
	}
	at := int32(len(p.msgs))
	p.msgs = append(p.msgs, *msg)
	for _, to := range r.replies {
		p.replies = append(p.replies, reply{to, at})
	}
	if r.gated {
		p.gate.held = append(p.gate.held, gatedMessage{index: at, route: cmp.Or(r.of, r), exchange: r.exchange, due: r.due, origin: r.origin})
		return
	}
	p.enlist(r, at)
}

// enlist adds a message of the batch to the shares of its queues, and to what is held back.
func (p *Publisher) enlist(r *route, at int32) {
	p.msgs[at].Several = len(r.shares) > 1
	p.copies += len(r.shares)
	for _, by := range r.delayed {
		p.delayed = append(p.delayed, delayedMessage{by, r.delay, r.origin, at})
		r.origin = 0 // one answer is enough
	}
	for _, s := range r.shares {
		if len(s.idx) == 0 {
			p.touched = append(p.touched, s)
		}
		s.idx = append(s.idx, at)
	}
}

// ManyCopies is how many copies in queues are much for one call of Settle: some milliseconds, in which no commit can begin.
const ManyCopies = 1 << 14

// Copies is how many copies of the messages in the batch go to queues, as far as that is known before Settle.
func (p *Publisher) Copies() int { return p.copies }

// Pending is the number of messages in the batch.
func (p *Publisher) Pending() int { return len(p.msgs) }

// Settle hands the batch to the queues and empties it. The caller runs fx. It returns which messages a queue has
// refused, as their places in the batch, in order; the slice is valid until the next call.
func (p *Publisher) Settle(now int64, fx *Effects) (refused []int32) {
	p.refused = p.refused[:0]
	if len(p.gate.held) > 0 {
		p.passGate(fx)
	}
	if len(p.touched) > 1 {
		fx.hold()
	}
	for i, s := range p.touched {
		s.queue.Publish(now, p.msgs, s.idx, fx)
		if len(fx.Refused) > 0 {
			p.refused = append(p.refused, fx.Refused...)
			fx.Refused = fx.Refused[:0]
		}
		s.idx = s.idx[:0]
		p.touched[i] = nil
	}
	p.touched = p.touched[:0]
	fx.release(now)
	if len(p.delayed) > 0 {
		p.settleDelayed(now, fx)
	}
	for _, r := range p.replies {
		r.to.deliver(&p.msgs[r.index], fx)
	}
	clear(p.replies)
	p.replies = p.replies[:0]
	for i, r := range p.counted {
		r.exchange.PublishIn.Add(r.count)
		r.exchange.PublishOut.Add(r.copies)
		r.count, r.copies = 0, 0
		p.counted[i] = nil
	}
	p.counted = p.counted[:0]
	slices.Sort(p.refused)
	if len(p.gate.held)+len(p.gate.touched) > 0 {
		p.land()
		slices.Sort(p.refused)
	}
	clear(p.msgs)
	p.msgs, p.copies = p.msgs[:0], 0
	return slices.Compact(p.refused)
}

// settleDelayed gives messages to those who hold them back, the run of each at once.
func (p *Publisher) settleDelayed(now int64, fx *Effects) {
	for rest := p.delayed; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].by == rest[0].by {
			n++
		}
		rest[0].by.add(now, p.msgs, rest[:n], fx)
		rest = rest[n:]
	}
	clear(p.delayed)
	p.delayed = p.delayed[:0]
}
