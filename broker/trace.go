package broker

import (
	"math"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/exchange"
	"github.com/warren-mq/warren/queue"
)

// TraceExchange gets a copy of every message that is published or delivered in a vhost whose tracing is on (RabbitMQ's
// firehose).
const TraceExchange = "amq.rabbitmq.trace"

// Tracing says whether the vhost is traced.
func (vh *VHost) Tracing() bool { return vh.tracing.Load() }

// SetTracing switches the tracing of a vhost, and returns when that is durable.
func (b *Broker) SetTracing(vh *VHost, on bool) error {
	commit := b.Enter()
	vh.mu.Lock()
	vh.setTracing(on)
	vh.putVHost()
	vh.mu.Unlock()
	b.Leave()
	return b.WaitDurable(commit, nil)
}

// setTracing makes publishers, by the generation, and queues look. vh.mu is held, or nobody knows the vhost yet.
func (vh *VHost) setTracing(on bool) {
	vh.tracing.Store(on)
	for q := range vh.EachQueue() {
		q.SetTraced(on)
	}
	vh.changed()
}

// tracePublish adds a copy of a message to the batch, before the message itself. Its route is known.
func (p *Publisher) tracePublish(m *queue.Message, r *route, channel uint16) {
	s := p.session
	x, ok := s.vhost.Exchange(TraceExchange)
	if !ok || string(m.Exchange) == TraceExchange {
		return
	}
	var props amqp.Properties
	if props.Decode(m.Properties) != nil {
		return // they were checked before
	}
	keys := routingKeys(m, &props)
	queues := keys // the default exchange leads to queues by these names, whether they are there or not (3.10.8)
	if len(m.Exchange) > 0 {
		queues = amqp.Array{}
		for _, share := range r.shares {
			queues = append(queues, share.queue.Name())
		}
	}
	name := ""
	if c, ok := s.owner.(Connection); ok {
		name = c.Name()
	}
	headers := append(s.vhost.traceHeaders(m, &props, keys),
		amqp.Field{Name: "vhost", Value: s.vhost.name},
		amqp.Field{Name: "connection", Value: name},
		amqp.Field{Name: "channel", Value: int32(channel)},
		amqp.Field{Name: "user", Value: s.user.Name},
		amqp.Field{Name: "routed_queues", Value: queues})
	copied, routed := traceMessage("publish."+string(m.Exchange), headers, m.Body)
	var found route
	for _, to := range p.router.Route(x, &routed, nil) {
		found.shares = append(found.shares, p.shareOf(to.(*Queue)))
	}
	p.place(&found, &copied)
}

// consumerPlace says where a consumer belongs.
type consumerPlace interface {
	ConsumerChannel() (Connection, uint16)
}

// traceDeliveries publishes copies of what a queue has delivered.
func (q *Queue) traceDeliveries(now int64, traces []queue.Trace, fx *Effects) {
	vh := q.vhost
	x, ok := vh.Exchange(TraceExchange)
	if !ok {
		return
	}
	router := exchange.Router{Lookup: vh.lookupExchange}
	for i := range traces {
		t := &traces[i]
		var props amqp.Properties
		if string(t.Message.Exchange) == TraceExchange || props.Decode(t.Message.Properties) != nil {
			continue
		}
		var name, user string
		var channel uint16
		if place, ok := t.Consumer.(consumerPlace); ok {
			var c Connection
			c, channel = place.ConsumerChannel()
			name, user = c.Name(), c.Info().User
		}
		redelivered := int32(0)
		if t.Redelivered {
			redelivered = 1
		}
		headers := append(vh.traceHeaders(&t.Message, &props, routingKeys(&t.Message, &props)),
			amqp.Field{Name: "redelivered", Value: redelivered},
			amqp.Field{Name: "vhost", Value: vh.name},
			amqp.Field{Name: "connection", Value: name},
			amqp.Field{Name: "channel", Value: int32(channel)},
			amqp.Field{Name: "user", Value: user})
		m, routed := traceMessage("deliver."+q.Name(), headers, t.Message.Body)
		for _, to := range router.Route(x, &routed, nil) {
			give(to.(*Queue), &m, now, fx)
		}
	}
}

// traceMessage makes the copy of a message with this body. Its key is cut to what a short string holds.
func traceMessage(key string, headers amqp.Table, body []byte) (queue.Message, exchange.Message) {
	props := amqp.Properties{Flags: amqp.FlagHeaders, Headers: amqp.AppendTableBody(nil, headers)}
	k := []byte(key[:min(len(key), math.MaxUint8)])
	return queue.Message{Exchange: []byte(TraceExchange), RoutingKey: k, Properties: props.Append(nil), Body: body},
		exchange.Message{RoutingKey: k, Properties: &props}
}

// traceHeaders are those that publishes and deliveries have in common.
func (vh *VHost) traceHeaders(m *queue.Message, props *amqp.Properties, keys amqp.Array) amqp.Table {
	return amqp.Table{
		{Name: "exchange_name", Value: string(m.Exchange)},
		{Name: "routing_keys", Value: keys},
		{Name: "properties", Value: propertyTable(props)},
		{Name: "node", Value: vh.broker.cfg.NodeName},
	}
}

// routingKeys are all keys that a message was routed by, those of BCC too.
func routingKeys(m *queue.Message, props *amqp.Properties) amqp.Array {
	keys := amqp.Array{string(m.RoutingKey)}
	if props.Has(amqp.FlagHeaders) {
		if headers, err := props.Headers.Decode(); err == nil {
			cc, _ := headers.Get("CC")
			list, _ := cc.(amqp.Array)
			for _, k := range list {
				if _, ok := k.(string); ok {
					keys = append(keys, k)
				}
			}
		}
	}
	for rest := m.Hidden; len(rest) > 0; rest = rest[1+rest[0]:] {
		keys = append(keys, string(rest[1:1+rest[0]]))
	}
	return keys
}

// propertyTable lists the properties that are there, the last first, numbers as 32 bits (RabbitMQ 3.10.8 behaviour).
func propertyTable(p *amqp.Properties) amqp.Table {
	t := amqp.Table{}
	for _, s := range []struct {
		flag  uint16
		name  string
		value any
	}{
		{amqp.FlagClusterID, "cluster_id", string(p.ClusterID)},
		{amqp.FlagAppID, "app_id", string(p.AppID)},
		{amqp.FlagUserID, "user_id", string(p.UserID)},
		{amqp.FlagType, "type", string(p.Type)},
		{amqp.FlagTimestamp, "timestamp", int32(p.Timestamp)},
		{amqp.FlagMessageID, "message_id", string(p.MessageID)},
		{amqp.FlagExpiration, "expiration", string(p.Expiration)},
		{amqp.FlagReplyTo, "reply_to", string(p.ReplyTo)},
		{amqp.FlagCorrelationID, "correlation_id", string(p.CorrelationID)},
		{amqp.FlagPriority, "priority", int32(p.Priority)},
		{amqp.FlagDeliveryMode, "delivery_mode", int32(p.DeliveryMode)},
		{amqp.FlagHeaders, "headers", nil},
		{amqp.FlagContentEncoding, "content_encoding", string(p.ContentEncoding)},
		{amqp.FlagContentType, "content_type", string(p.ContentType)},
	} {
		if !p.Has(s.flag) {
			continue
		}
		if s.flag == amqp.FlagHeaders {
			headers, err := p.Headers.Decode()
			if err != nil {
				continue // they were checked when the message came
			}
			s.value = headers
		}
		t = append(t, amqp.Field{Name: s.name, Value: s.value})
	}
	return t
}
