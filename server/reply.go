package server

import (
	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/broker"
)

// maxWaitingReplies is how many bytes may wait for a client before direct replies to it are lost. There is no queue
// where they could stay, and a client that does not read must not fill our memory.
const maxWaitingReplies = 64 * outboxHigh

// consumeReplies is basic.consume of the pseudo-queue for direct replies (RabbitMQ's Direct Reply-to). Permissions,
// exclusive and arguments do not count.
func (ch *channel) consumeReplies(m *amqp.BasicConsume) error {
	switch {
	case ch.reply != nil:
		return amqp.Errorf(amqp.PreconditionFailed, "reply consumer already set")
	case ch.hasConsumer(m.ConsumerTag):
		return amqp.Errorf(amqp.NotAllowed, "attempt to reuse consumer tag '%s'", m.ConsumerTag)
	case !m.NoAck:
		return amqp.Errorf(amqp.PreconditionFailed, "reply consumer cannot acknowledge")
	}
	if m.ConsumerTag == "" {
		m.ConsumerTag = broker.NewName("amq.ctag")
	}
	k := &consumer{ch: ch, tag: m.ConsumerTag, noAck: true, prefix: deliverPrefix(ch.number, m.ConsumerTag)}
	c := ch.conn
	c.out.mu.Lock()
	ch.reply = k
	c.out.mu.Unlock()
	ch.replyQueue = c.srv.broker.OpenReplyQueue(k)
	return ch.answer(nil, m.NoWait, &amqp.BasicConsumeOk{ConsumerTag: k.tag})
}

// cancelReply ends the consumer of direct replies, if there is one.
func (ch *channel) cancelReply() {
	if ch.reply == nil {
		return
	}
	ch.replyQueue.Close()
	ch.replyQueue = nil
	ch.conn.out.mu.Lock()
	ch.reply = nil
	ch.conn.out.mu.Unlock()
}

// declareReplies answers queue.declare of a name of direct replies: such a queue has one consumer and never a message.
func (ch *channel) declareReplies(m *amqp.QueueDeclare) error {
	name, err := ch.conn.session.CheckReplyQueue(m.Queue)
	if err != nil {
		return err
	}
	ch.queue = name
	return ch.answer(nil, m.NoWait, &amqp.QueueDeclareOk{Queue: name, ConsumerCount: 1})
}
