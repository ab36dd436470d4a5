package nullbroker

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/warren-mq/warren/integration_test/bench/internal/amqp"
)

// reply sends one method.
func (c *conn) reply(ch uint16, m amqp.Method, build func(*amqp.Writer)) error {
	var w amqp.Writer
	w.Begin(ch, m)
	if build != nil {
		build(&w)
	}
	w.End()
	c.write.Lock()
	defer c.write.Unlock()
	_, err := c.sock.Write(w.Buf)
	return err
}

// method answers everything but basic.publish and basic.ack.
func (c *conn) method(ch uint16, m amqp.Method, args []byte) error {
	c.flush() // answers come after the deliveries before them
	r := amqp.Reader{P: args}
	b := c.broker
	switch m {
	case amqp.ConnectionStartOk:
		return c.reply(0, amqp.ConnectionTune, func(w *amqp.Writer) { w.U16(2047).U32(frameMax).U16(0) })
	case amqp.ConnectionTuneOk:
		return nil
	case amqp.ConnectionOpen:
		return c.reply(0, amqp.ConnectionOpenOk, func(w *amqp.Writer) { w.Short("") })
	case amqp.ConnectionClose:
		c.closing = true
		return c.reply(0, amqp.ConnectionCloseOk, nil)
	case amqp.ChannelOpen:
		return c.reply(ch, amqp.ChannelOpenOk, func(w *amqp.Writer) { w.U32(0) })
	case amqp.ChannelClose:
		c.detach(func(s *sink) bool { return s.channel == ch })
		return c.reply(ch, amqp.ChannelCloseOk, nil)
	case amqp.ExchangeDeclare:
		r.U16()
		name, kind := r.Short(), r.Short()
		b.mu.Lock()
		if b.exchanges[name] == nil {
			b.exchanges[name] = &exchange{fanout: kind == "fanout"}
		}
		b.mu.Unlock()
		return c.reply(ch, amqp.ExchangeDeclareOk, nil)
	case amqp.ExchangeDelete:
		r.U16()
		b.mu.Lock()
		delete(b.exchanges, r.Short())
		b.mu.Unlock()
		return c.reply(ch, amqp.ExchangeDeleteOk, nil)
	case amqp.QueueDeclare:
		r.U16()
		q := b.declare(r.Short())
		q.mu.Lock()
		held := q.held
		q.mu.Unlock()
		return c.reply(ch, amqp.QueueDeclareOk, func(w *amqp.Writer) {
			w.Short(q.name).U32(uint32(held)).U32(uint32(len(q.consumers())))
		})
	case amqp.QueueDelete:
		r.U16()
		b.mu.Lock()
		delete(b.queues, r.Short())
		b.mu.Unlock()
		return c.reply(ch, amqp.QueueDeleteOk, func(w *amqp.Writer) { w.U32(0) })
	case amqp.QueueBind:
		r.U16()
		name, exch := r.Short(), r.Short()
		b.mu.Lock()
		if e, q := b.exchanges[exch], b.queues[name]; e != nil && q != nil && !slices.Contains(e.bound, q) {
			e.bound = append(e.bound, q)
		}
		b.mu.Unlock()
		return c.reply(ch, amqp.QueueBindOk, nil)
	case amqp.BasicQos:
		return c.reply(ch, amqp.BasicQosOk, nil)
	case amqp.ConfirmSelect:
		c.confirming[ch] = true
		return c.reply(ch, amqp.ConfirmSelectOk, nil)
	case amqp.BasicConsume:
		r.U16()
		name, tag := r.Short(), r.Short()
		if err := c.reply(ch, amqp.BasicConsumeOk, func(w *amqp.Writer) { w.Short(tag) }); err != nil {
			return err
		}
		c.attach(ch, b.declare(name), tag)
		return nil
	}
	return fmt.Errorf("method %v is not supported", m)
}

// declare finds or makes a queue.
func (b *Broker) declare(name string) *queue {
	b.mu.Lock()
	defer b.mu.Unlock()
	if name == "" {
		b.names++
		name = fmt.Sprintf("null.%d", b.names)
	}
	q := b.queues[name]
	if q == nil {
		q = &queue{name: name}
		b.queues[name] = q
	}
	return q
}

// attach adds a consumer, and delivers what the queue has counted so far.
func (c *conn) attach(ch uint16, q *queue, tag string) {
	s := &sink{conn: c, channel: ch, queue: q}
	s.prefix = binary.BigEndian.AppendUint32(nil, uint32(amqp.BasicDeliver))
	s.prefix = append(append(s.prefix, byte(len(tag))), tag...)
	c.sinks = append(c.sinks, s)

	q.mu.Lock()
	held, sample := q.held, slices.Clone(q.sample)
	q.held = 0
	sinks := append(slices.Clone(q.consumers()), s)
	q.sinks.Store(&sinks)
	q.mu.Unlock()
	if held > 0 {
		go s.replay(held, sample)
	}
}

// replay delivers the same message n times.
func (s *sink) replay(n uint64, frames []byte) {
	for at := 0; at < len(frames); at += int(binary.BigEndian.Uint32(frames[at+3:])) + amqp.FrameOverhead {
		binary.BigEndian.PutUint16(frames[at+1:], s.channel)
	}
	o := &out{sink: s}
	for range n {
		o.buf, o.tags = s.deliver(o.buf, o.tags, "", s.queue.name)
		o.buf = append(o.buf, frames...)
		if o.whole = len(o.buf); o.whole >= flushBytes {
			o.flush()
		}
	}
	o.flush()
}

// detach removes the connection's consumers, or those that match.
func (c *conn) detach(match func(*sink) bool) {
	c.sinks = slices.DeleteFunc(c.sinks, func(s *sink) bool {
		if match != nil && !match(s) {
			return false
		}
		q := s.queue
		q.mu.Lock()
		rest := slices.DeleteFunc(slices.Clone(q.consumers()), func(o *sink) bool { return o == s })
		q.sinks.Store(&rest)
		q.mu.Unlock()
		return true
	})
}
