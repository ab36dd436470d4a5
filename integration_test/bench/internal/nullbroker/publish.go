package nullbroker

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/warren-mq/warren/integration_test/bench/internal/amqp"
)

// route is where the messages of one publish address go.
type route struct {
	all      bool // to each of the queues, else to one in turn
	queues   []*queue
	next     int
	exchange string
	key      string

	targets []*out   // of the message in progress
	hold    []*queue // those of its queues that have no consumer
	frames  []byte   // its frames, for hold
}

// out gathers deliveries from one publishing connection to one consumer.
type out struct {
	sink   *sink
	buf    []byte
	tags   []int // offsets of the delivery tags
	whole  int   // buf[:whole] holds whole messages
	queued bool  // is in dirty
}

// begin routes a message and starts its deliveries.
func (c *conn) begin(ch uint16, args []byte) {
	r, ok := c.routes[string(args)]
	if !ok {
		r = c.broker.route(args)
		c.routes[string(args)] = r
	}
	c.cur, c.inMessage = r, true
	if c.confirming[ch] {
		c.published[ch]++
		c.unacked = ch
	}
	r.targets, r.hold, r.frames = r.targets[:0], r.hold[:0], r.frames[:0]
	if r.all {
		for _, q := range r.queues {
			c.target(r, q)
		}
	} else if len(r.queues) > 0 {
		r.next++
		c.target(r, r.queues[r.next%len(r.queues)])
	}
}

// target starts a delivery to one consumer of q.
func (c *conn) target(r *route, q *queue) {
	sinks := q.consumers()
	if len(sinks) == 0 {
		r.hold = append(r.hold, q)
		return
	}
	s := sinks[0]
	if len(sinks) > 1 {
		r.next++
		s = sinks[r.next%len(sinks)]
	}
	o, ok := c.outs[s]
	if !ok {
		o = &out{sink: s}
		c.outs[s] = o
	}
	o.buf, o.tags = s.deliver(o.buf, o.tags, r.exchange, r.key)
	r.targets = append(r.targets, o)
}

// deliver appends a basic.deliver frame whose tag is filled in later.
func (s *sink) deliver(buf []byte, tags []int, exchange, key string) ([]byte, []int) {
	size := len(s.prefix) + 8 + 1 + 1 + len(exchange) + 1 + len(key)
	buf = append(buf, amqp.FrameMethod, byte(s.channel>>8), byte(s.channel), 0, 0, byte(size>>8), byte(size))
	buf = append(buf, s.prefix...)
	tags = append(tags, len(buf))
	buf = append(buf, 0, 0, 0, 0, 0, 0, 0, 0, 0, byte(len(exchange)))
	buf = append(buf, exchange...)
	buf = append(buf, byte(len(key)))
	buf = append(buf, key...)
	return append(buf, amqp.FrameEnd), tags
}

// forward passes a header or body frame on, and ends the message with the
// last one.
func (c *conn) forward(frame []byte) {
	r := c.cur
	for _, o := range r.targets {
		at := len(o.buf)
		o.buf = append(o.buf, frame...)
		binary.BigEndian.PutUint16(o.buf[at+1:], o.sink.channel)
	}
	if len(r.hold) > 0 {
		r.frames = append(r.frames, frame...)
	}
	if c.left > 0 {
		return
	}
	c.inMessage = false
	for _, o := range r.targets {
		if o.whole = len(o.buf); o.whole >= flushBytes {
			o.flush()
		} else if !o.queued { // only now, since a message may come over several reads
			o.queued = true
			c.dirty = append(c.dirty, o)
		}
	}
	for _, q := range r.hold {
		q.keep(r.frames)
	}
}

// keep counts a message for which there is no consumer.
func (q *queue) keep(frames []byte) {
	q.mu.Lock()
	q.held++
	if !bytes.Equal(q.sample, frames) {
		q.sample = append(q.sample[:0], frames...)
	}
	q.mu.Unlock()
}

// flush writes the whole messages that have been gathered.
func (o *out) flush() {
	s := o.sink
	s.conn.write.Lock()
	done := 0
	for _, at := range o.tags {
		if at >= o.whole {
			break
		}
		s.tag++
		binary.BigEndian.PutUint64(o.buf[at:], s.tag)
		done++
	}
	_, _ = s.conn.sock.Write(o.buf[:o.whole]) // a consumer that has gone does not matter
	s.conn.write.Unlock()

	o.buf = o.buf[:copy(o.buf, o.buf[o.whole:])]
	o.tags = o.tags[:copy(o.tags, o.tags[done:])]
	for i := range o.tags {
		o.tags[i] -= o.whole
	}
	o.whole = 0
}

// flush writes all whole deliveries.
func (c *conn) flush() {
	for _, o := range c.dirty {
		if o.whole > 0 {
			o.flush()
		}
		o.queued = false
	}
	c.dirty = c.dirty[:0]
}

// confirm confirms the messages that are complete with p, a chunk of input: at
// once, or when p is in the journal.
func (c *conn) confirm(p []byte) {
	if len(c.confirming) == 0 {
		return
	}
	d := due{conn: c, channel: c.unacked}
	if d.channel != 0 {
		d.tag = c.published[d.channel]
		if c.inMessage {
			d.tag--
		} else {
			c.unacked = 0
		}
		if d.tag <= c.confirmed[d.channel] {
			d.tag = 0
		} else {
			c.confirmed[d.channel] = d.tag
		}
	}
	if j := c.broker.journal; j != nil {
		j.add(p, d)
	} else if d.tag > 0 {
		c.ack(d.channel, d.tag)
	}
}

// ack confirms a channel's messages up to a tag.
func (c *conn) ack(channel uint16, tag uint64) {
	var w amqp.Writer
	w.Ack(channel, tag, true)
	c.write.Lock()
	defer c.write.Unlock()
	_, _ = c.sock.Write(w.Buf) // a publisher that has gone does not matter
}

// route resolves the arguments of a basic.publish.
func (b *Broker) route(args []byte) *route {
	rd := amqp.Reader{P: args}
	rd.U16()
	r := &route{exchange: rd.Short(), key: rd.Short()}
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.exchange == "" {
		if q := b.queues[r.key]; q != nil {
			r.queues = []*queue{q}
		}
	} else if e := b.exchanges[r.exchange]; e != nil {
		r.all, r.queues = e.fanout, slices.Clone(e.bound)
	}
	return r
}
