package broker

import (
	"bytes"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/auth"
	"github.com/warren-mq/warren/exchange"
	"github.com/warren-mq/warren/queue"
)

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

const (
	// maxRoutes bounds a publisher's memory of routes. A publisher with more keys than that pays for the look-ups.
	maxRoutes = 8192
	// maxKeptShares bounds the queues that these routes lead to, all together: each of 8,192 keys may lead to 10,000.
	maxKeptShares = 1 << 17
	// maxMisses is how many look-ups find no room before all routes are forgotten: others may be in use by then. To keep a
	// route costs several times what finding it does.
	maxMisses = 64 * maxRoutes
)

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
