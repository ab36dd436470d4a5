package broker

import (
	"cmp"
	"slices"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/exchange"
	"github.com/warren-mq/warren/queue"
)

// deadLetter publishes what a queue has given up to its dead-letter exchange. The exchange is looked up now; if there is
// none, the messages are dropped. No permission is asked: the broker publishes (RabbitMQ 3.10.8 behaviour).
func (q *Queue) deadLetter(now int64, letters []queue.DeadLetter, fx *Effects) {
	vh := q.vhost
	name, _ := q.DeadLetterExchange()
	x, ok := vh.Exchange(name)
	count := &vh.broker.Totals.DeadLettered
	if !ok {
		for i := range letters {
			count.Add(q.Type(), Disabled, letters[i].Reason, 1)
		}
		return
	}
	gate := letterGate{vhost: vh, now: now}
	router := &exchange.Router{Now: vh.broker.nowMillis, Lookup: vh.lookupExchange, Duplicate: gate.duplicate}
	key, fixed := q.DeadLetterRoutingKey()
	for i := range letters {
		count.Add(q.Type(), AtMostOnce, letters[i].Reason, 1)
		d := death{queue: q.Name(), reason: letters[i].Reason, time: now / 1000, msg: &letters[i].Message}
		if fixed {
			d.key = &key
		}
		if err := d.examine(); err != nil {
			// The properties were checked when the message came in, so the record must have been damaged since.
			vh.broker.cfg.Logger.Error().Err(err).Str("queue", q.Name()).Msg("a dead message cannot be read and is dropped")
			continue
		}
		taken := d.publish(vh, x, router, now, fx)
		gate.land(taken, letters[i].Message.Persistent)
	}
}

// death is one message on its way from the queue that it died in to the dead-letter exchange.
type death struct {
	queue  string
	reason string
	time   int64   // seconds
	key    *string // x-dead-letter-routing-key, if the queue has one
	again  bool    // it was published before, and not taken by all
	msg    *queue.Message

	props   amqp.Properties
	headers amqp.Table
	history amqp.Array // x-death, this death first
	known   bool       // the message had an x-death before
	listed  bool       // and that was an array, perhaps empty
	keys    amqp.Array // the keys that it was routed by: of the publish and of CC
}

func (d *death) examine() (err error) {
	if err := d.props.Decode(d.msg.Properties); err != nil {
		return err
	}
	if d.props.Has(amqp.FlagHeaders) {
		if d.headers, err = d.props.Headers.Decode(); err != nil {
			return err
		}
	}
	d.keys = amqp.Array{string(d.msg.RoutingKey)}
	if cc, ok := d.headers.Get("CC"); ok {
		list, _ := cc.(amqp.Array)
		for _, k := range list {
			if _, ok := k.(string); ok {
				d.keys = append(d.keys, k)
			}
		}
	}
	var v any
	if v, d.known = d.headers.Get("x-death"); d.known {
		var history amqp.Array
		if history, d.listed = v.(amqp.Array); d.listed { // anything else a client may have put there is replaced
			d.history = grouped(history)
		}
	}
	entry, rest := d.entry()
	d.history = append(amqp.Array{entry}, rest...)
	return nil
}

// grouped leaves one row for each queue and reason, in the reverse order: RabbitMQ 3.10.8 does so with each death, for
// the sake of histories that versions long gone have written, unless there is but one row.
func grouped(history amqp.Array) amqp.Array {
	if len(history) < 2 {
		return history
	}
	type place struct{ queue, reason any }
	times := make(map[place]int64)
	var rows amqp.Array
	var places []place
	for _, v := range history {
		row, ok := v.(amqp.Table)
		if !ok {
			continue
		}
		var p place
		p.queue, p.reason = textOf(row, "queue"), textOf(row, "reason")
		if times[p]++; times[p] == 1 {
			rows, places = append(rows, row), append(places, p)
		}
	}
	for i, v := range rows {
		if _, ok := v.(amqp.Table).Get("count"); !ok {
			rows[i] = append(amqp.Table{{Name: "count", Value: times[places[i]]}}, v.(amqp.Table)...)
		}
	}
	slices.Reverse(rows)
	return rows
}

// textOf returns a field that is a string or, as some clients send those back, a byte array, and nil for any other.
func textOf(row amqp.Table, name string) any {
	switch v, _ := row.Get(name); v := v.(type) {
	case string:
		return v
	case amqp.Binary:
		return string(v)
	}
	return nil
}

// publish routes the message and gives it to the queues that it does not go round in circles through. It reports whether
// any has taken it.
func (d *death) publish(vh *VHost, x *exchange.Exchange, router *exchange.Router, now int64, fx *Effects) (taken bool) {
	out, targets := d.route(vh, x, router, fx)
	by, _ := router.Delayed()
	for _, x := range by {
		taken = vh.holdBack(x, router, out, now, fx) || taken
	}
	for _, to := range targets {
		target := to.(*Queue)
		if d.circles(target.Name()) {
			d.warnCircle(vh, target)
			continue
		}
		taken = give(target, out, now, fx) || taken // a dead letter that is refused is lost, as it is by RabbitMQ
	}
	return taken
}

func (d *death) warnCircle(vh *VHost, target *Queue) {
	vh.broker.cfg.Logger.Warn().Str("queue", d.queue).Str("target", target.Name()).
		Msg("Message dropped. Dead-letter queues cycle detected")
}

// give publishes a message to a queue on the broker's own account, and reports whether the queue has taken it.
func give(target *Queue, m *queue.Message, now int64, fx *Effects) (taken bool) {
	msgs := [1]queue.Message{*m}
	target.take(now, msgs[:], only, fx)
	taken = len(fx.Refused) == 0
	fx.Refused = fx.Refused[:0]
	target.collect(fx)
	return taken
}

// route makes the message that is published and finds the queues that it goes to. Who waits for a direct reply gets it
// here.
func (d *death) route(vh *VHost, x *exchange.Exchange, router *exchange.Router, fx *Effects) (*queue.Message, []exchange.Queue) {
	m := exchange.Message{RoutingKey: d.msg.RoutingKey}
	if d.key != nil {
		m.RoutingKey = []byte(*d.key)
	} else {
		for _, k := range d.keys[1:] {
			if k, ok := k.(string); ok {
				m.ExtraKeys = append(m.ExtraKeys, []byte(k))
			}
		}
		for rest := d.msg.Hidden; len(rest) > 0; rest = rest[1+rest[0]:] {
			m.ExtraKeys = append(m.ExtraKeys, rest[1:1+rest[0]])
		}
	}
	out := *d.msg
	out.Exchange, out.RoutingKey = []byte(x.Name()), m.RoutingKey
	out.Properties = d.properties()
	if d.key != nil {
		out.Hidden = nil
	}
	out.HasTTL, out.TTL, out.ExpiresAt = false, 0, 0
	var props amqp.Properties
	if props.Decode(out.Properties) != nil {
		return nil, nil // cannot be: it was encoded just now
	}
	m.Properties = &props
	targets := router.Route(x, &m, nil)
	if d.again {
		return &out, targets
	}
	for _, x := range router.Kept() {
		vh.keep(x, &out)
	}
	if x.Name() == "" {
		for _, r := range vh.broker.repliesTo(m.RoutingKey, m.ExtraKeys) {
			r.deliver(&out, fx)
		}
	}
	return &out, targets
}

// holdBack gives a message that the broker publishes to an exchange that holds it back, as the router has found.
func (vh *VHost) holdBack(x *exchange.Exchange, router *exchange.Router, m *queue.Message, now int64, fx *Effects) (taken bool) {
	d := vh.delaysOf(x)
	if d == nil || m == nil {
		return false
	}
	_, delay := router.Delayed()
	d.add(now, []queue.Message{*m}, []delayedMessage{{by: d, delay: delay}}, fx)
	return true
}

// only names the one message of a batch.
var only = []int32{0}

// circles says whether the message came through the target before, this death included, without a client having
// rejected it since. What is no row of ours, a client must have put there.
func (d *death) circles(target string) bool {
	if d.reason == queue.Rejected {
		return false
	}
	automatic := true
	for _, v := range d.history {
		row, ok := v.(amqp.Table)
		reason, _ := row.Get("reason")
		automatic = automatic && ok && reason != queue.Rejected
		if name, _ := row.Get("queue"); ok && name == target {
			return automatic
		}
	}
	return false
}

// properties are those of the message with its death noted; expiration is taken off, or it would die again.
func (d *death) properties() []byte {
	headers := d.headers.With("x-death", d.history)
	if !d.known {
		headers = headers.With("x-first-death-exchange", string(d.msg.Exchange)).
			With("x-first-death-queue", d.queue).
			With("x-first-death-reason", d.reason)
	}
	if d.key != nil {
		headers = headers.Without("CC")
	}
	slices.SortStableFunc(headers, byName)
	p := d.props
	p.Flags = p.Flags&^amqp.FlagExpiration | amqp.FlagHeaders
	p.Expiration = nil
	p.Headers = amqp.AppendTableBody(nil, headers)
	return p.Append(nil)
}

// entry is this death's row in x-death and the other rows. A message that died here for the same reason before has
// its row counted up and moved to the front; nothing else in it changes.
func (d *death) entry() (amqp.Table, amqp.Array) {
	for i, v := range d.history {
		row, ok := v.(amqp.Table)
		if !ok {
			continue
		}
		if textOf(row, "queue") != d.queue || textOf(row, "reason") != d.reason {
			continue
		}
		count, _ := row.Get("count")
		n, _ := amqp.Integer(count)
		row = slices.Clone(row).With("count", n+1)
		slices.SortStableFunc(row, byName)
		return row, slices.Delete(slices.Clone(d.history), i, i+1)
	}
	row := amqp.Table{
		{Name: "count", Value: int64(1)},
		{Name: "reason", Value: d.reason},
		{Name: "queue", Value: d.queue},
		{Name: "time", Value: amqp.Timestamp(d.time)},
		{Name: "exchange", Value: string(d.msg.Exchange)},
		{Name: "routing-keys", Value: d.keys},
	}
	if d.props.Has(amqp.FlagExpiration) {
		row = append(row, amqp.Field{Name: "original-expiration", Value: string(d.props.Expiration)})
	}
	if d.listed { // the first row ever is not sorted, all later ones are
		slices.SortStableFunc(row, byName)
	}
	return row, d.history
}

func byName(a, b amqp.Field) int { return cmp.Compare(a.Name, b.Name) }
