package broker

import (
	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/exchange"
	"github.com/warren-mq/warren/queue"
	"github.com/warren-mq/warren/schedule"
)

// duePublisher publishes what an exchange has held back, on the broker's own account: the checks were made when the
// messages came in. Where they go is decided now (RabbitMQ 3.10.8's plugin).
type duePublisher struct {
	exchange *exchange.Exchange
	pub      *Publisher
	unrouted []*schedule.Entry // of the batch, whose origin wants to know
}

func newDuePublisher(vh *VHost, x *exchange.Exchange) *duePublisher {
	return &duePublisher{exchange: x, pub: (&Session{broker: vh.broker, vhost: vh}).NewPublisher()}
}

// publish hands messages to the queues that they are routed to. What a queue refuses is lost to it, as a dead letter is.
func (d *duePublisher) publish(now int64, entries []schedule.Entry, fx *Effects) {
	totals := &d.pub.session.broker.Totals
	for i := range entries {
		e := &entries[i]
		msg := queue.Message{
			Exchange: e.Exchange, RoutingKey: e.RoutingKey, Properties: e.Properties, Body: e.Body, Hidden: e.Hidden,
			Persistent: e.Persistent, Priority: e.Priority, HasTTL: e.HasTTL, TTL: e.TTL,
			Redelivered: d.mayHaveGone(e),
		}
		switch routed := d.pub.publishDue(d.exchange, &msg); {
		case routed:
		case e.Origin != 0:
			d.unrouted = append(d.unrouted, e)
		default:
			totals.DroppedUnroutable.Add(1)
		}
	}
	d.pub.Settle(now, fx)
	for i, e := range d.unrouted {
		d.pub.session.broker.returnTo(e.Origin, &e.Message)
		d.unrouted[i] = nil
	}
	d.unrouted = d.unrouted[:0]
}

// mayHaveGone says whether a broker that was killed may have delivered the message, without having noted it durably: what
// was due when this broker began.
func (d *duePublisher) mayHaveGone(e *schedule.Entry) bool {
	b := d.pub.session.broker
	return e.ID.Due <= b.started.UnixMilli() && e.ID.Serial>>startShift < b.starts
}

// publishDue routes a message that x has held back and adds it to the batch.
func (p *Publisher) publishDue(x *exchange.Exchange, msg *queue.Message) (routed bool) {
	if p.props.Decode(msg.Properties) != nil {
		return false // cannot be: it was decoded when it came
	}
	p.dueKeys(msg)
	r := p.dueRoute(x, msg)
	if r.byContent || len(p.extra) > 0 {
		r = p.routeByContent(r, msg)
	}
	p.place(r, msg)
	if !r.gated {
		x.PublishOut.Add(uint64(len(r.shares)))
	}
	return len(r.shares) > 0
}

// dueKeys collects the routing keys of the headers CC and BCC; the latter is not a header any more.
func (p *Publisher) dueKeys(msg *queue.Message) {
	p.extra = p.extra[:0]
	if v, ok := p.props.Headers.Get("CC"); ok && p.props.Has(amqp.FlagHeaders) {
		for key := range v.Array() {
			if k, ok := key.String(); ok {
				p.extra = append(p.extra, k)
			}
		}
	}
	for rest := msg.Hidden; len(rest) > 0; rest = rest[1+rest[0]:] {
		p.extra = append(p.extra, rest[1:1+rest[0]])
	}
}

// dueRoute finds where a routing key leads, as route does for clients.
func (p *Publisher) dueRoute(x *exchange.Exchange, msg *queue.Message) *route {
	if topology := p.session.vhost.generation.Load(); topology != p.topology {
		p.forget()
		p.topology = topology
	}
	if r, ok := p.routes[string(msg.RoutingKey)]; ok {
		return r
	}
	r := &route{exchange: x, due: true}
	none := amqp.Properties{}
	p.resolve(r, &exchange.Message{RoutingKey: msg.RoutingKey, Properties: &none, Due: true})
	if r.byContent = !p.router.Cacheable(); r.byContent {
		r.shares = nil
	}
	if p.full() {
		p.forget()
	}
	p.keptShares += len(r.shares)
	p.routes[string(msg.RoutingKey)] = r
	return r
}
