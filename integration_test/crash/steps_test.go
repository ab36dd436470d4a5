package crash_test

import (
	"fmt"
	"slices"

	"github.com/warren-mq/warren/amqp"
)

// Everything here is called with the script's mu held.

// next takes a step: it changes the world, notes what has to be answered, and appends the frames to b.
func (s *script) next(b []byte) []byte {
	w := s.world
	messages, bytes := 0, 0
	for _, q := range w.queues {
		messages += len(q.messages)
		bytes += q.bytes()
	}
	full := messages > mostWorldMessages || bytes > mostWorldBytes
	if len(w.queues) == 0 {
		return s.declareQueue(b)
	}
	switch n := s.rng.IntN(1000); {
	case n < 400 && !full:
		return s.publish(b)
	case n < 620:
		return s.get(b)
	case n < 860:
		return s.settle(b)
	case n < 870:
		return s.purge(b)
	case n < 880:
		return s.deleteQueue(b)
	case n < 900:
		return s.declareQueue(b)
	case n < 915:
		return s.declareExchange(b)
	case n < 920:
		return s.deleteExchange(b)
	case n < 945:
		return s.bind(b)
	case n < 955:
		return s.unbind(b)
	case s.tx && n < 965:
		return s.rollBack(b)
	case s.tx:
		return s.commit(b)
	}
	return s.get(b)
}

// method begins a step that is one method with an answer.
func (s *script) method(b []byte, m amqp.Method, x expectation) []byte {
	s.expected = append(s.expected, x)
	return amqp.AppendMethod(b, 1, m)
}

func (s *script) step(format string, args ...any) int {
	return s.history.step(fmt.Sprintf(format, args...))
}

func (s *script) queueName() string { return fmt.Sprintf("%sq%d", s.name, s.rng.IntN(len(queueKinds))) }

// publishable is the name of a queue that may get messages from a client.
func (s *script) publishable() string {
	for {
		if name := s.queueName(); !kindOfQueue(name).forDead {
			return name
		}
	}
}

func (s *script) exchangeName() (name, kind string) {
	if n := s.rng.IntN(3); n < 2 {
		return fmt.Sprintf("%sfanout%d", s.name, n), "fanout"
	}
	return s.name + "direct", "direct"
}

// queue picks one that exists.
func (s *script) queue() *worldQueue {
	for {
		if q := s.world.queues[s.queueName()]; q != nil {
			return q
		}
	}
}

func (s *script) declareQueue(b []byte) []byte {
	name := s.queueName()
	kind := kindOfQueue(name)
	durable, exclusive := kind.quorum || s.rng.IntN(10) > 0, !kind.quorum && s.rng.IntN(12) == 0
	passive := false
	if q := s.world.queues[name]; q != nil { // as it is, or it is refused
		durable, exclusive, passive = q.durable, q.exclusive, s.rng.IntN(2) == 0
	}
	step := s.step("queue.declare %s", name)
	q := s.world.declareQueue(name, durable, exclusive)
	return s.method(b, &amqp.QueueDeclare{Queue: name, Passive: passive, Durable: durable, Exclusive: exclusive, Arguments: kind.arguments(name)},
		expectation{answer: amqp.QueueDeclareOkID, step: step, durable: q.durable && !passive, count: uint32(q.ready())})
}

func (s *script) deleteQueue(b []byte) []byte {
	q := s.queue()
	step := s.step("queue.delete %s", q.name)
	n := q.ready()
	s.world.deleteQueue(q)
	return s.method(b, &amqp.QueueDelete{Queue: q.name},
		expectation{answer: amqp.QueueDeleteOkID, step: step, durable: q.durable, count: uint32(n)})
}

func (s *script) purge(b []byte) []byte {
	q := s.queue()
	step := s.step("queue.purge %s", q.name)
	n := s.world.purge(q)
	return s.method(b, &amqp.QueuePurge{Queue: q.name}, expectation{answer: amqp.QueuePurgeOkID, step: step, count: uint32(n)})
}

func (s *script) declareExchange(b []byte) []byte {
	name, kind := s.exchangeName()
	durable := s.rng.IntN(8) > 0
	if x := s.world.exchanges[name]; x != nil {
		durable = x.durable
	}
	step := s.step("exchange.declare %s", name)
	s.world.declareExchange(name, kind, durable)
	return s.method(b, &amqp.ExchangeDeclare{Exchange: name, Type: kind, Durable: durable},
		expectation{answer: amqp.ExchangeDeclareOkID, step: step, durable: durable})
}

func (s *script) deleteExchange(b []byte) []byte {
	name, _ := s.exchangeName()
	x := s.world.exchanges[name]
	if x == nil {
		return s.declareExchange(b)
	}
	step := s.step("exchange.delete %s", name)
	s.world.deleteExchange(x)
	return s.method(b, &amqp.ExchangeDelete{Exchange: name}, expectation{answer: amqp.ExchangeDeleteOkID, step: step, durable: x.durable})
}

func (s *script) binding() (worldBinding, bool) {
	name, _ := s.exchangeName()
	q := s.queue()
	b := worldBinding{name, q.name, fmt.Sprint("key", s.rng.IntN(3))}
	return b, s.world.exchanges[name] != nil && !q.forDead
}

func (s *script) bind(b []byte) []byte {
	k, ok := s.binding()
	if !ok {
		return s.declareExchange(b)
	}
	step := s.step("queue.bind %v", k)
	s.world.bind(k)
	durable := s.world.exchanges[k.exchange].durable && s.world.queues[k.queue].durable
	return s.method(b, &amqp.QueueBind{Queue: k.queue, Exchange: k.exchange, RoutingKey: k.key},
		expectation{answer: amqp.QueueBindOkID, step: step, durable: durable})
}

func (s *script) unbind(b []byte) []byte {
	k, ok := s.binding()
	if !ok {
		return s.declareExchange(b)
	}
	step := s.step("queue.unbind %v", k)
	durable := s.world.bindings[k] && s.world.exchanges[k.exchange].durable && s.world.queues[k.queue].durable
	s.world.unbind(k)
	return s.method(b, &amqp.QueueUnbind{Queue: k.queue, Exchange: k.exchange, RoutingKey: k.key},
		expectation{answer: amqp.QueueUnbindOkID, step: step, durable: durable})
}

func (s *script) publish(b []byte) []byte {
	s.published++
	id := newID(s.source, s.published)
	exchange, key := "", s.publishable()
	if name, _ := s.exchangeName(); s.rng.IntN(2) == 0 && s.world.exchanges[name] != nil {
		exchange, key = name, fmt.Sprint("key", s.rng.IntN(3))
	}
	to := s.world.route(exchange, key)
	mandatory := s.rng.IntN(4) == 0
	step := s.step("publish %s (%d bytes, persistent %v) to %q %q", id, id.size(), id.persistent(), exchange, key)
	s.waiting += id.size()
	if s.tx {
		s.world.publishes = append(s.world.publishes, worldPublish{id, to, mandatory && len(to) == 0})
		return appendPublish(b, exchange, key, id, mandatory)
	}
	if mandatory && len(to) == 0 {
		s.expected = append(s.expected, expectation{answer: amqp.BasicReturnID, step: step, message: &worldMessage{id: id}})
	}
	durable := s.world.publish(id, to)
	s.confirms = append(s.confirms, confirm{step: step, durable: durable, bytes: id.size()})
	return appendPublish(b, exchange, key, id, mandatory)
}

func (s *script) get(b []byte) []byte {
	q, noAck := s.queue(), s.rng.IntN(6) == 0
	step := s.step("get %s noack=%v", q.name, noAck)
	x := expectation{answer: amqp.BasicGetEmptyID, step: step}
	if m, tag, flagged := s.world.get(q, noAck); m != nil {
		x = expectation{
			answer: amqp.BasicGetOkID, step: step, count: uint32(q.ready()), queue: q.name,
			message: m, tag: tag, flagged: flagged, unsure: m.unsure && !flagged,
		}
	}
	return s.method(b, &amqp.BasicGet{Queue: q.name, NoAck: noAck}, x)
}

// settle acks, nacks or rejects one delivery or all up to it.
func (s *script) settle(b []byte) []byte {
	w := s.world
	if len(w.unacked) == 0 {
		return s.get(b)
	}
	// Mostly the older ones, so that not everything is settled by one ack of many.
	at := min(s.rng.IntN(len(w.unacked)), s.rng.IntN(len(w.unacked)))
	tag, multiple := w.unacked[at].tag, s.rng.IntN(4) == 0
	what := s.rng.IntN(10)
	var m amqp.Method
	how := []outcome{rejected, requeued}[s.rng.IntN(2)]
	taken := w.take(tag, multiple && what < 8)
	if slices.ContainsFunc(taken, func(d *worldDelivery) bool { return d.queue.quorum }) {
		how = rejected // where a quorum queue puts what is given back is not said
	}
	switch {
	case what < 6:
		how = acked
		m = &amqp.BasicAck{DeliveryTag: tag, Multiple: multiple}
	case what < 8:
		m = &amqp.BasicNack{DeliveryTag: tag, Multiple: multiple, Requeue: how == requeued}
	default:
		multiple = false
		m = &amqp.BasicReject{DeliveryTag: tag, Requeue: how == requeued}
	}
	s.step("%s", describe(m))
	s.report.acks.Add(1)
	part := worldSettlement{taken, how}
	if s.tx {
		w.settled = append(w.settled, part)
	} else {
		w.settle(part)
	}
	return amqp.AppendMethod(b, 1, m)
}

func (s *script) commit(b []byte) []byte {
	step := s.step("tx.commit of %d publishes and %d acks", len(s.world.publishes), len(s.world.settled))
	for _, p := range s.world.publishes {
		if p.returned {
			s.expected = append(s.expected, expectation{answer: amqp.BasicReturnID, step: step, message: &worldMessage{id: p.id}})
		}
	}
	s.world.commit()
	s.committing = true
	return s.method(b, &amqp.TxCommit{}, expectation{answer: amqp.TxCommitOkID, step: step, durable: true})
}

func (s *script) rollBack(b []byte) []byte {
	step := s.step("tx.rollback")
	s.world.rollBack()
	s.waiting = 0
	return s.method(b, &amqp.TxRollback{}, expectation{answer: amqp.TxRollbackOkID, step: step})
}
