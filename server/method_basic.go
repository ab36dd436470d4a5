package server

import (
	"maps"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/broker"
	"github.com/warren-mq/warren/queue"
)

// qos sets how many unacknowledged deliveries there may be: for each consumer that starts from now on, or with
// global for all of the channel together (RabbitMQ's meaning; queues.md §9).
func (ch *channel) qos(m *amqp.BasicQos) error {
	if m.PrefetchSize != 0 {
		return amqp.Errorf(amqp.NotImplemented, "prefetch_size!=0 (%d)", m.PrefetchSize)
	}
	c := ch.conn
	c.out.mu.Lock()
	if m.Global {
		ch.globalPrefetch = int(m.PrefetchCount)
	} else {
		ch.prefetch = m.PrefetchCount
		ch.globalPrefetch = 0
	}
	c.out.mu.Unlock()
	c.send(ch.number, &amqp.BasicQosOk{})
	c.resumeStarved(ch)
	return nil
}

func (ch *channel) consume(m *amqp.BasicConsume) error {
	if m.Queue == broker.ReplyTo {
		return ch.consumeReplies(m)
	}
	c := ch.conn
	if ch.hasConsumer(m.ConsumerTag) {
		return amqp.Errorf(amqp.NotAllowed, "attempt to reuse consumer tag '%s'", m.ConsumerTag)
	}
	name, err := ch.named(m.Queue)
	if err != nil {
		return err
	}
	q, err := c.session.ReadQueue(name)
	if err != nil {
		return err
	}
	if m.ConsumerTag == "" {
		m.ConsumerTag = broker.NewName("amq.ctag")
	}
	k := &consumer{
		ch: ch, queue: q, tag: m.ConsumerTag, noAck: m.NoAck, prefetch: int(ch.prefetch),
		prefix: deliverPrefix(ch.number, m.ConsumerTag),
	}
	c.out.mu.Lock()
	ch.consumers[k.tag] = k // before the queue knows it: from then on its deletion may cancel the consumer
	c.out.mu.Unlock()
	k.subscription, err = q.Subscribe(k, queue.SubscribeOptions{
		Tag: k.tag, NoAck: m.NoAck, Exclusive: m.Exclusive, Prefetch: ch.prefetch, Arguments: m.Arguments,
		GlobalPrefetch: ch.globalPrefetch > 0,
	}, &c.fx.Effects)
	if err != nil {
		c.out.mu.Lock()
		delete(ch.consumers, k.tag)
		c.out.mu.Unlock()
		return err
	}
	k.announce(m.NoWait)
	q.Resume(c.now(), k.subscription, &c.fx)
	return nil
}

// hasConsumer says whether a consumer tag is in use.
func (ch *channel) hasConsumer(tag string) bool {
	ch.conn.out.mu.Lock()
	defer ch.conn.out.mu.Unlock()
	return ch.consumers[tag] != nil || ch.reply != nil && ch.reply.tag == tag
}

// cancel ends a consumer. What it has not acknowledged stays so. A tag that does not exist is no error.
func (ch *channel) cancel(m *amqp.BasicCancel) error {
	c := ch.conn
	c.out.mu.Lock()
	k := ch.consumers[m.ConsumerTag]
	delete(ch.consumers, m.ConsumerTag)
	c.out.mu.Unlock()
	if k != nil {
		k.queue.Cancel(k.subscription, &c.fx)
	} else if ch.reply != nil && ch.reply.tag == m.ConsumerTag {
		ch.cancelReply()
	}
	return ch.answer(nil, m.NoWait, &amqp.BasicCancelOk{ConsumerTag: m.ConsumerTag})
}

func (ch *channel) get(m *amqp.BasicGet) error {
	c := ch.conn
	name, err := ch.named(m.Queue)
	if err != nil {
		return err
	}
	q, err := c.session.ReadQueue(name)
	if err != nil {
		return err
	}
	if err := q.CheckGet(); err != nil {
		return err
	}
	c.leave(true)
	err = c.awaitRoom() // a client that asks for more than it reads must not fill our memory
	c.enter()
	if err != nil {
		return err
	}
	k := ch.getter(q)
	k.noAck = m.NoAck
	for {
		ok, wait := q.Get(k, m.NoAck, c.now(), &c.fx)
		if ok {
			return nil
		}
		if wait == nil {
			break
		}
		c.leave(true)
		c.endBatch()
		var forced error
		select {
		case <-wait:
		case <-c.forced:
			forced = c.force.Load()
		}
		c.enter()
		if forced != nil {
			return forced
		}
	}
	c.out.mu.Lock()
	ch.stats.GotEmpty++
	c.out.mu.Unlock()
	c.send(ch.number, &amqp.BasicGetEmpty{})
	return nil
}

// minGetters is how many queues a channel may get from before it looks which of them it can forget.
const minGetters = 64

// getter is the consumer that stands for the channel's basic.gets on a queue.
func (ch *channel) getter(q *broker.Queue) *consumer {
	if k := ch.getters[q]; k != nil {
		return k
	}
	if ch.getters == nil {
		ch.getters = make(map[*broker.Queue]*consumer)
	}
	if len(ch.getters) >= max(minGetters, ch.gettersKept*2) { // or deleted queues would stay with the channel for ever
		ch.conn.out.mu.Lock()
		maps.DeleteFunc(ch.getters, func(_ *broker.Queue, k *consumer) bool { return k.outstanding == 0 && k.settling == nil })
		ch.conn.out.mu.Unlock()
		ch.gettersKept = len(ch.getters)
	}
	k := &consumer{ch: ch, queue: q}
	ch.getters[q] = k
	return k
}

// handleAck takes basic.ack, basic.nack and basic.reject. What they mean to the queues is settled with the batch.
func (ch *channel) handleAck(id amqp.MethodID, args []byte) error {
	what := func(requeue bool, back outcome) outcome {
		if requeue {
			return back
		}
		return rejected
	}
	switch id {
	case amqp.BasicAckID:
		var m amqp.BasicAck
		if err := m.Decode(args); err != nil {
			return err
		}
		return ch.settleDeliveries(m.DeliveryTag, m.Multiple, acked)
	case amqp.BasicNackID:
		var m amqp.BasicNack
		if err := m.Decode(args); err != nil {
			return err
		}
		return ch.settleDeliveries(m.DeliveryTag, m.Multiple, what(m.Requeue, requeued))
	}
	var m amqp.BasicReject
	if err := m.Decode(args); err != nil {
		return err
	}
	return ch.settleDeliveries(m.DeliveryTag, false, what(m.Requeue, failed))
}

// recover returns all unacknowledged deliveries of the channel to their queues. Its answer comes before what is then
// delivered again.
func (ch *channel) recover(m *amqp.BasicRecover) error {
	if !m.Requeue {
		return amqp.Errorf(amqp.NotImplemented, "requeue=false")
	}
	ch.conn.send(ch.number, &amqp.BasicRecoverOk{})
	ch.requeueAll()
	return nil
}

func (ch *channel) recoverAsync(m *amqp.BasicRecoverAsync) error {
	if !m.Requeue {
		return amqp.Errorf(amqp.NotImplemented, "requeue=false")
	}
	ch.requeueAll()
	return nil
}

func (ch *channel) requeueAll() {
	c := ch.conn
	c.out.mu.Lock()
	ch.unacked.takeAll(func(d delivery) { c.note(d, requeued) })
	c.out.mu.Unlock()
	c.settleAcks(false)
}
