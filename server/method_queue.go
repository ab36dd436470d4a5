package server

import (
	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/broker"
)

func (ch *channel) queueDeclare(m *amqp.QueueDeclare) error {
	s := ch.conn.session
	if broker.IsReplyTo(m.Queue) {
		return ch.declareReplies(m)
	}
	var q *broker.Queue
	var err error
	if m.Passive {
		q, err = s.CheckQueue(m.Queue)
	} else {
		q, err = s.DeclareQueue(broker.QueueDeclaration{
			Name: m.Queue, Durable: m.Durable, Exclusive: m.Exclusive, AutoDelete: m.AutoDelete, Arguments: m.Arguments,
		})
	}
	if err != nil {
		return err
	}
	ch.queue = q.Name()
	if m.NoWait {
		return nil
	}
	st := q.Counts(ch.conn.now(), &ch.conn.fx)
	ch.conn.send(ch.number, &amqp.QueueDeclareOk{
		Queue: q.Name(), MessageCount: uint32(st.Ready), ConsumerCount: uint32(st.Consumers),
	})
	return nil
}

// named resolves the empty queue name to the queue that was declared last on this channel.
func (ch *channel) named(name string) (string, error) {
	switch {
	case name != "":
		return name, nil
	case ch.queue == "":
		return "", amqp.Errorf(amqp.NotFound, "no previously declared queue")
	}
	return ch.queue, nil
}

// boundAs also resolves the routing key: with both empty it is the queue's name (spec 1.7.2.3.4).
func (ch *channel) boundAs(name, key string) (string, string, error) {
	queue, err := ch.named(name)
	if name == "" && key == "" {
		key = queue
	}
	return queue, key, err
}

func (ch *channel) queueBind(m *amqp.QueueBind) error {
	queue, key, err := ch.boundAs(m.Queue, m.RoutingKey)
	if err == nil {
		err = ch.conn.session.BindQueue(queue, m.Exchange, key, m.Arguments)
	}
	return ch.answer(err, m.NoWait, &amqp.QueueBindOk{})
}

func (ch *channel) queueUnbind(m *amqp.QueueUnbind) error {
	queue, key, err := ch.boundAs(m.Queue, m.RoutingKey)
	if err == nil {
		err = ch.conn.session.UnbindQueue(queue, m.Exchange, key, m.Arguments)
	}
	return ch.answer(err, false, &amqp.QueueUnbindOk{})
}

func (ch *channel) queuePurge(m *amqp.QueuePurge) error {
	name, err := ch.named(m.Queue)
	if err != nil {
		return err
	}
	q, err := ch.conn.session.ReadQueue(name)
	if err != nil {
		return err
	}
	n := q.Purge(&ch.conn.fx.Effects)
	return ch.answer(nil, m.NoWait, &amqp.QueuePurgeOk{MessageCount: uint32(n)})
}

func (ch *channel) queueDelete(m *amqp.QueueDelete) error {
	name, err := ch.named(m.Queue)
	if err != nil {
		return err
	}
	n, err := ch.conn.session.DeleteQueue(name, m.IfUnused, m.IfEmpty, &ch.conn.fx)
	return ch.answer(err, m.NoWait, &amqp.QueueDeleteOk{MessageCount: uint32(n)})
}
