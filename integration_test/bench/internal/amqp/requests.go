package amqp

import (
	"errors"
	"fmt"
)

// OpenChannel opens a channel.
func (c *Conn) OpenChannel(ch uint16) error {
	_, err := c.Call(ch, ChannelOpen, func(w *Writer) { w.Short("") }, ChannelOpenOk)
	return err
}

// CloseChannel closes a channel.
func (c *Conn) CloseChannel(ch uint16) error {
	_, err := c.Call(ch, ChannelClose, func(w *Writer) { w.U16(200).Short("bye").U32(0) }, ChannelCloseOk)
	return err
}

// Queue holds the options of a queue declaration.
type Queue struct {
	Name       string
	Passive    bool
	Durable    bool
	Exclusive  bool
	AutoDelete bool
	Args       Table
}

// DeclareQueue declares a queue and returns its number of ready messages.
func (c *Conn) DeclareQueue(ch uint16, q Queue) (messages int, err error) {
	args, err := c.Call(ch, QueueDeclare, q.Append, QueueDeclareOk)
	if err != nil {
		return 0, fmt.Errorf("declare queue %q: %w", q.Name, err)
	}
	r := Reader{P: args}
	r.Short()
	return int(r.U32()), nil
}

// Pipeline makes n requests of one method that are all answered by the same
// one, with at most window of them unanswered. build appends the arguments of
// request i.
func (c *Conn) Pipeline(ch uint16, n, window int, m, reply Method, build func(w *Writer, i int)) error {
	c.arm()
	defer c.disarm()
	sent := 0
	for answered := 0; answered < n; {
		// Half a window at a time: so the broker has work while answers are read.
		if to := min(n, answered+window); to == n || to-sent >= (window+1)/2 {
			for ; sent < to; sent++ {
				c.out.Begin(ch, m)
				build(&c.out, sent)
				c.out.End()
			}
			if err := c.flush(); err != nil {
				return err
			}
			c.arm()
		}
		if _, err := c.await(ch, reply); err != nil {
			return fmt.Errorf("method %v: %w", m, err)
		}
		answered++
	}
	return nil
}

// Append writes the arguments of the queue's declaration.
func (q *Queue) Append(w *Writer) {
	w.U16(0).Short(q.Name).U8(bits(q.Passive, q.Durable, q.Exclusive, q.AutoDelete, false)).Table(q.Args)
}

// AppendBind writes the arguments of a binding.
func AppendBind(w *Writer, queue, exchange, key string) {
	w.U16(0).Short(queue).Short(exchange).Short(key).U8(0).Table(nil)
}

// AppendDelete writes the arguments of a queue's deletion.
func AppendDelete(w *Writer, queue string) { w.U16(0).Short(queue).U8(0) }

// DeleteQueue deletes a queue, if it exists.
func (c *Conn) DeleteQueue(ch uint16, name string) error {
	_, err := c.Call(ch, QueueDelete, func(w *Writer) { AppendDelete(w, name) }, QueueDeleteOk)
	return c.allowMissing(ch, err)
}

// allowMissing forgives a "not found", with which some brokers answer the
// deletion of what does not exist, and opens the channel again.
func (c *Conn) allowMissing(ch uint16, err error) error {
	var closed *CloseError
	if !errors.As(err, &closed) || closed.Level != "channel" || closed.Code != 404 {
		return err
	}
	if _, err := c.Call(ch, ChannelCloseOk, nil, 0); err != nil {
		return err
	}
	return c.OpenChannel(ch)
}

// DeclareExchange declares an exchange.
func (c *Conn) DeclareExchange(ch uint16, name, kind string, durable bool) error {
	_, err := c.Call(ch, ExchangeDeclare, func(w *Writer) {
		w.U16(0).Short(name).Short(kind).U8(bits(false, durable)).Table(nil)
	}, ExchangeDeclareOk)
	if err != nil {
		return fmt.Errorf("declare exchange %q: %w", name, err)
	}
	return nil
}

// DeleteExchange asks for the deletion of an exchange, without waiting for
// an answer (not every broker has one).
func (c *Conn) DeleteExchange(ch uint16, name string) error {
	_, err := c.Call(ch, ExchangeDelete, func(w *Writer) { w.U16(0).Short(name).U8(bits(false, true)) }, 0)
	return err
}

// BindQueue binds a queue to an exchange.
func (c *Conn) BindQueue(ch uint16, queue, exchange, key string) error {
	_, err := c.Call(ch, QueueBind, func(w *Writer) { AppendBind(w, queue, exchange, key) }, QueueBindOk)
	return err
}

// Qos sets the prefetch count for consumers that are started later.
func (c *Conn) Qos(ch uint16, prefetch int) error {
	_, err := c.Call(ch, BasicQos, func(w *Writer) { w.U32(0).U16(uint16(prefetch)).U8(0) }, BasicQosOk)
	return err
}

// Consume starts a consumer. Deliveries follow the answer at once, so the
// caller must go on with the buffered bytes.
func (c *Conn) Consume(ch uint16, queue, tag string, noAck bool) error {
	_, err := c.Call(ch, BasicConsume, func(w *Writer) {
		w.U16(0).Short(queue).Short(tag).U8(bits(false, noAck)).Table(nil)
	}, BasicConsumeOk)
	if err != nil {
		return fmt.Errorf("consume from %q: %w", queue, err)
	}
	return nil
}

// SelectConfirms turns publisher confirms on.
func (c *Conn) SelectConfirms(ch uint16) error {
	_, err := c.Call(ch, ConfirmSelect, func(w *Writer) { w.U8(0) }, ConfirmSelectOk)
	return err
}

// bits packs flags into an octet, the first one lowest.
func bits(flags ...bool) (b byte) {
	for i, f := range flags {
		if f {
			b |= 1 << i
		}
	}
	return b
}
