package broker

import (
	"slices"

	"github.com/warren-mq/warren/dedup"
	"github.com/warren-mq/warren/exchange"
	"github.com/warren-mq/warren/queue"
)

// gate is the part of a Publisher that keeps exchanges from passing on what they have passed on before.
//
// A message that meets an exchange with x-dedup-window on its way is routed when it is published as if it were new, which
// says whether it can be routed at all, and again by Settle, which decides. From then until its queues have taken it its
// identity is in flight. A duplicate that comes meanwhile shares the fate of the first if it is in the same batch; if it
// is another connection's, it is refused, so that its client tries again: to confirm it would promise what may yet fail.
type gate struct {
	met      bool  // the route at hand came through a window
	deciding bool  // Settle routes
	index    int32 // of the message at hand
	promised bool  // a duplicate of something durable was met

	held      []gatedMessage
	claims    []claim
	followers []follower
	refused   []int32
	blocked   []blocked
	touched   []*deduplication
}

// gatedMessage is a message of the batch that is still to be routed.
type gatedMessage struct {
	index    int32
	exchange *exchange.Exchange
	route    *route // that counts for it, unless it is due
	due      bool   // it was held back
	origin   uint64 // who wants to hear if it proves unroutable when it is due
}

// flight is whose an identity is, while the fate of its message is not known.
type flight struct {
	publisher *Publisher
	index     int32
}

// claim is an identity that a message of the batch has added.
type claim struct {
	window   *deduplication
	id       dedup.ID
	position uint64
	index    int32
}

// follower is a duplicate of a message of the same batch.
type follower struct{ index, first int32 }

// blocked is a message of the batch that an exchange of the plugin's type did not let through when it was published.
type blocked struct {
	window *deduplication
	index  int32
}

// duplicate is asked by the router at each exchange that deduplicates.
func (p *Publisher) duplicate(x *exchange.Exchange, m *exchange.Message) bool {
	d := p.session.vhost.windowOfExchange(x)
	if d == nil {
		return false
	}
	id, ok := dedup.Identify(m.Properties, d.header)
	switch {
	case !ok:
		return false
	case d.plugin && p.gate.deciding:
		return slices.Contains(p.gate.blocked, blocked{d, p.gate.index})
	case d.plugin:
		if d.seen(id, p.session.broker.nowMillis(), exchange.MessageTTL(m.Properties)) {
			p.gate.blocked = append(p.gate.blocked, blocked{d, int32(len(p.msgs))})
			return true
		}
		p.gate.touch(d)
		return false
	case !p.gate.deciding:
		p.gate.met = true
		return false
	}
	return p.decide(d, id)
}

func (g *gate) touch(d *deduplication) {
	if !slices.Contains(g.touched, d) {
		g.touched = append(g.touched, d)
	}
}

// seen adds an identity that counts at once, and reports whether it was there.
func (d *deduplication) seen(id dedup.ID, now, ttl int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	position, fresh := d.window.Add(id, now, ttl)
	if !fresh {
		d.duplicates.Add(1)
		return true
	}
	if d.id != 0 {
		d.unsaved = append(d.unsaved, position)
	}
	return false
}

// decide says whether the message at hand is a duplicate, and claims its identity if it is not.
func (p *Publisher) decide(d *deduplication, id dedup.ID) bool {
	g := &p.gate
	d.mu.Lock()
	defer d.mu.Unlock()
	if first, ok := d.inFlight[id]; ok {
		d.duplicates.Add(1)
		if first.publisher == p {
			g.followers = append(g.followers, follower{g.index, first.index})
		} else {
			g.refused = append(g.refused, g.index)
		}
		return true
	}
	position, fresh := d.window.Add(id, p.session.broker.nowMillis(), 0)
	if !fresh {
		d.duplicates.Add(1)
		g.promised = g.promised || d.id != 0
		return true
	}
	if d.inFlight == nil {
		d.inFlight = make(map[dedup.ID]flight)
	}
	d.inFlight[id] = flight{p, g.index}
	g.claims = append(g.claims, claim{d, id, position, g.index})
	return false
}

// passGate routes the messages that Settle decides about, and adds them to their queues' shares.
func (p *Publisher) passGate(fx *Effects) {
	g := &p.gate
	g.deciding = true
	for _, h := range g.held {
		m := &p.msgs[h.index]
		g.index = h.index
		if p.props.Decode(m.Properties) != nil {
			continue // cannot be: it was decoded when it was published
		}
		r := &p.loose
		*r = route{exchange: h.exchange, shares: r.shares[:0], delayed: r.delayed[:0], due: h.due, origin: h.origin}
		p.resolve(r, &exchange.Message{
			RoutingKey: m.RoutingKey, ExtraKeys: selectedKeys(&p.props, m), Properties: &p.props, Due: h.due,
		})
		for _, x := range p.router.Kept() {
			p.session.vhost.keep(x, m)
		}
		if h.due {
			h.exchange.PublishOut.Add(uint64(len(r.shares)))
		} else {
			h.route.copies += uint64(len(r.shares))
		}
		p.enlist(r, h.index)
	}
	g.deciding = false
	if g.promised {
		fx.Durable, fx.Earlier = max(fx.Durable, queue.Synced), true
	}
}

// land settles what is in flight once the queues have said what they refuse, which is in p.refused, sorted.
func (p *Publisher) land() {
	g := &p.gate
	refused := p.refused
	for _, c := range g.claims {
		_, failed := slices.BinarySearch(refused, c.index)
		c.window.landed(c, failed, p.msgs[c.index].Persistent)
		g.touch(c.window)
	}
	for _, f := range g.followers {
		if _, failed := slices.BinarySearch(refused, f.first); failed {
			p.refused = append(p.refused, f.index)
		}
	}
	p.refused = append(p.refused, g.refused...)
	for _, d := range g.touched {
		d.save()
	}
	clear(g.held)
	clear(g.claims)
	clear(g.touched)
	clear(g.blocked)
	*g = gate{held: g.held[:0], claims: g.claims[:0], followers: g.followers[:0], refused: g.refused[:0],
		blocked: g.blocked[:0], touched: g.touched[:0]}
}

// landed ends a flight.
func (d *deduplication) landed(c claim, failed, persistent bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.inFlight, c.id)
	if failed {
		d.window.Forget(c.position)
	} else if d.id != 0 && persistent {
		d.unsaved = append(d.unsaved, c.position)
	}
}

func (d *deduplication) save() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.saveLocked()
}

// letterGate does for a dead letter what gate does for a batch. All of its way is one call, so that nobody of the same
// goroutine comes between; what others have in flight is a duplicate.
type letterGate struct {
	vhost  *VHost
	now    int64
	claims []claim
}

func (g *letterGate) duplicate(x *exchange.Exchange, m *exchange.Message) bool {
	d := g.vhost.windowOfExchange(x)
	if d == nil {
		return false
	}
	id, ok := dedup.Identify(m.Properties, d.header)
	if !ok {
		return false
	}
	if d.plugin {
		return d.seen(id, g.now, exchange.MessageTTL(m.Properties))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	_, flying := d.inFlight[id]
	if !flying {
		if position, fresh := d.window.Add(id, g.now, 0); fresh {
			g.claims = append(g.claims, claim{window: d, id: id, position: position})
			return false
		}
	}
	d.duplicates.Add(1)
	return true
}

// land ends the way of a letter; taken says whether any queue has it.
func (g *letterGate) land(taken, persistent bool) {
	for _, c := range g.claims {
		c.window.landed(c, !taken, persistent)
		c.window.save()
	}
	g.claims = g.claims[:0]
}
