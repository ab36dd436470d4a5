package management

import (
	"github.com/warren-mq/warren/broker"
	"github.com/warren-mq/warren/queue"
)

// consumerObject is a consumer of a queue.
type consumerObject struct {
	ConsumerTag    string         `json:"consumer_tag"`
	Queue          queueName      `json:"queue"`
	ChannelDetails channelDetails `json:"channel_details"`
	AckRequired    bool           `json:"ack_required"`
	Exclusive      bool           `json:"exclusive"`
	PrefetchCount  uint16         `json:"prefetch_count"`
	Active         bool           `json:"active"`
	ActivityStatus string         `json:"activity_status"`
	Arguments      table          `json:"arguments"`
}

type queueName struct {
	Name  string `json:"name"`
	VHost string `json:"vhost"`
}

// channelDetails is a channel in few words.
type channelDetails struct {
	Name           string `json:"name"`
	Number         uint16 `json:"number"`
	Node           string `json:"node"`
	User           string `json:"user"`
	ConnectionName string `json:"connection_name"`
	PeerHost       string `json:"peer_host"`
	PeerPort       int    `json:"peer_port"`
}

// channelConsumer is what the AMQP door's consumers can say about themselves.
type channelConsumer interface {
	ConsumerChannel() (broker.Connection, uint16)
}

func (s *Server) listConsumers(r *request) (any, error) {
	vhosts, err := r.vhosts()
	if err != nil {
		return nil, err
	}
	var all []*queue.Subscription
	for _, vh := range vhosts {
		if !r.mayEnter(vh.Name()) {
			continue // the path names a vhost that the user may not open: its list is empty (RabbitMQ 3.10.8 behaviour)
		}
		for _, q := range vh.Queues() {
			all = append(all, q.Subscriptions()...)
		}
	}
	objects := make([]consumerObject, 0, len(all))
	for _, sub := range all {
		if o, ok := s.consumerObject(sub); ok {
			objects = append(objects, o)
		}
	}
	return listOf(objects, func(o consumerObject) any { return o }), nil
}

// consumersOf lists the consumers of a channel.
func (s *Server) consumersOf(ch *openChannel) []any {
	list := []any{}
	vh, ok := s.broker.VHost(ch.of.VHost)
	if !ok || ch.Consumers == 0 {
		return list
	}
	for _, q := range vh.Queues() {
		for _, sub := range q.Subscriptions() {
			if c, number, ok := channelOf(sub); ok && c == ch.connection && number == ch.Number {
				if o, ok := s.consumerObject(sub); ok {
					list = append(list, o)
				}
			}
		}
	}
	return list
}

func channelOf(sub *queue.Subscription) (c broker.Connection, number uint16, ok bool) {
	consumer, ok := sub.Consumer().(channelConsumer)
	if !ok {
		return nil, 0, false
	}
	c, number = consumer.ConsumerChannel()
	return c, number, true
}

// consumerObject reports false for a consumer that belongs to no channel.
func (s *Server) consumerObject(sub *queue.Subscription) (consumerObject, bool) {
	c, number, ok := channelOf(sub)
	if !ok {
		return consumerObject{}, false
	}
	i, active := c.Info(), sub.Active()
	return consumerObject{
		ConsumerTag: sub.Tag(), Queue: queueName{Name: sub.Queue().Name(), VHost: sub.Queue().VHost()},
		ChannelDetails: channelDetails{
			Name: channelName(c, number), Number: number, Node: s.broker.NodeName(), User: i.User,
			ConnectionName: i.Name, PeerHost: i.PeerHost, PeerPort: i.PeerPort,
		},
		AckRequired: !sub.NoAck(), Exclusive: sub.Exclusive(), PrefetchCount: sub.Prefetch(),
		Active: active, ActivityStatus: activity(sub.Queue(), active), Arguments: table(sub.Arguments()),
	}, true
}

// activity is RabbitMQ's word for whether a consumer gets messages.
func activity(q *queue.Queue, active bool) string {
	switch {
	case !q.SingleActive():
		return "up"
	case active:
		return "single_active"
	}
	return "waiting"
}
