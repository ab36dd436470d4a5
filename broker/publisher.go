package broker

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/auth"
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

// route is where an exchange sends a routing key, as long as the topology stays.
type route struct {
	exchange *exchange.Exchange
	name     []byte // of the exchange
	key      []byte
	shares   []*share
	replies  []*ReplyQueue // that the default exchange leads to
	count    uint64        // messages of this batch
	copies   uint64        // of them, in queues
	// byContent: not exchange and key alone decide, so that shares are found for each message anew.
	byContent bool
	limited   bool // topic permissions say which keys the user may use
	// of is the known route that counts for this one, which is for a single message.
	of    *route
	due   bool // of messages that were held back
	gated bool // Settle decides where the message goes

	// Those that hold the message back, and whether they will say if it is routed.
	delayed  []*delays
	delay    exchange.Delay
	answered bool
	origin   uint64
}

// plainProperties remembers the last properties that ask for nothing special, since a publisher mostly repeats them.
type plainProperties struct {
	wire       []byte
	persistent bool
	priority   uint8
}

const (
	// maxRoutes bounds a publisher's memory of routes. A publisher with more keys than that pays for the look-ups.
	maxRoutes = 8192
	// maxKeptShares bounds the queues that these routes lead to, all together: each of 8,192 keys may lead to 10,000.
	maxKeptShares = 1 << 17
	// maxMisses is how many look-ups find no room before all routes are forgotten: others may be in use by then. To keep a
	// route costs several times what finding it does.
	maxMisses = 64 * maxRoutes
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

// route finds the exchange and, where the routing key alone decides, the queues.
func (p *Publisher) route(m *queue.Message) (*route, error) {
	topology, users := p.session.vhost.generation.Load(), p.session.broker.Users.Generation()
	if topology != p.topology || users != p.users {
		p.forget()
		p.topology, p.users = topology, users
		p.tracing = p.session.vhost.Tracing()
	}
	if r := p.last; r != nil && bytes.Equal(r.key, m.RoutingKey) && bytes.Equal(r.name, m.Exchange) {
		return r, nil
	}
	p.nameBuf = append(append(append(p.nameBuf[:0], byte(len(m.Exchange))), m.Exchange...), m.RoutingKey...)
	if r, ok := p.routes[string(p.nameBuf)]; ok {
		p.last = r
		return r, nil
	}
	if p.full() {
		if p.misses++; p.misses >= maxMisses {
			p.forget()
		} else if r, ok := p.anyKey[string(m.Exchange)]; ok {
			return r, p.mayUseKey(r, m)
		}
	}
	return p.newRoute(m)
}

// full says that there is no room for another route.
func (p *Publisher) full() bool { return len(p.routes) >= maxRoutes || p.keptShares >= maxKeptShares }

func (p *Publisher) newRoute(m *queue.Message) (*route, error) {
	s, name := p.session, string(m.Exchange)
	if err := s.check(auth.Write, kindExchange, name); err != nil {
		return nil, err
	}
	x, ok := s.vhost.Exchange(name)
	if !ok {
		return nil, s.noExchange(name)
	}
	if x.Internal() {
		return nil, amqp.Errorf(amqp.AccessRefused, "cannot publish to internal %s", s.vhost.resource(kindExchange, name))
	}
	// Found again with the route, which is forgotten when any permission changes.
	if err := s.checkTopic(auth.Write, x, string(m.RoutingKey)); err != nil {
		return nil, err
	}
	if p.full() {
		return p.unkept(x), nil
	}
	r := &route{exchange: x, name: []byte(name), key: bytes.Clone(m.RoutingKey)}
	r.byContent = !x.Cacheable()
	if !r.byContent {
		p.props = amqp.Properties{} // what is found must not depend on them
		p.resolve(r, &exchange.Message{RoutingKey: m.RoutingKey, Properties: &p.props})
		if r.byContent = !p.router.Cacheable(); r.byContent {
			r.shares = nil
		}
	}
	p.routes[string(p.nameBuf)] = r
	p.keptShares += len(r.shares)
	p.last = r
	return r, nil
}

// unkept makes what stands for the routes of an exchange that there is no room for: each message finds its way anew.
func (p *Publisher) unkept(x *exchange.Exchange) *route {
	r := &route{exchange: x, byContent: true, limited: p.session.limitsTopics(x)}
	if p.anyKey == nil {
		p.anyKey = make(map[string]*route)
	}
	p.anyKey[x.Name()] = r
	return r
}

// mayUseKey checks what a route that stands for any key leaves open.
func (p *Publisher) mayUseKey(r *route, m *queue.Message) error {
	if !r.limited {
		return nil
	}
	return p.session.checkTopic(auth.Write, r.exchange, string(m.RoutingKey))
}

// routeByContent routes a message whose content has a say: headers exchanges, CC and BCC, exchanges that choose at
// random. Such a route is good until the next.
func (p *Publisher) routeByContent(known *route, msg *queue.Message) *route {
	r := &p.loose
	*r = route{exchange: known.exchange, shares: r.shares[:0], delayed: r.delayed[:0], of: known, due: known.due}
	p.gate.met = false
	blocked := len(p.gate.blocked)
	p.resolve(r, &exchange.Message{RoutingKey: msg.RoutingKey, ExtraKeys: p.extra, Properties: &p.props, Due: known.due})
	p.extra = p.extra[:0]
	if r.gated = p.gate.met && len(r.shares)+len(r.delayed) > 0; r.gated {
		return r
	}
	p.gate.blocked = p.gate.blocked[:blocked]
	for _, x := range p.router.Kept() {
		p.session.vhost.keep(x, msg)
	}
	return r
}

// resolve asks the exchange and finds the share of each queue.
func (p *Publisher) resolve(r *route, m *exchange.Message) {
	p.found = p.router.Route(r.exchange, m, p.found[:0])
	for _, to := range p.found {
		r.shares = append(r.shares, p.shareOf(to.(*Queue)))
	}
	clear(p.found)
	if by, delay := p.router.Delayed(); len(by) > 0 {
		p.holdBack(r, by, delay)
	}
	if r.exchange.Name() == "" {
		r.replies = p.session.broker.repliesTo(m.RoutingKey, m.ExtraKeys)
	}
}

// holdBack notes the exchanges of a route that hold the message back.
func (p *Publisher) holdBack(r *route, by []*exchange.Exchange, delay exchange.Delay) {
	r.delay, r.answered = delay, p.router.Answered()
	for _, x := range by {
		if d := p.session.vhost.delaysOf(x); d != nil { // else it was deleted just now
			r.delayed = append(r.delayed, d)
		}
	}
}

func (p *Publisher) shareOf(q *Queue) *share {
	s, ok := p.shares[q]
	if !ok {
		s = &share{queue: q}
		p.shares[q] = s
	}
	return s
}

// forget drops what was found in an older topology. The shares that are in the batch stay in it.
func (p *Publisher) forget() {
	clear(p.routes)
	clear(p.shares)
	p.last = nil
	clear(p.anyKey)
	p.misses, p.keptShares = 0, 0
}
