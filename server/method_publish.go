package server

import (
	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/broker"
)

// handlePublish begins a content. It is dealt with when its last frame has come.
func (ch *channel) handlePublish(args []byte) error {
	var m amqp.BasicPublish
	if err := m.Decode(args); err != nil {
		return err
	}
	if m.Immediate && !ch.closing {
		return amqp.Errorf(amqp.NotImplemented, "immediate=true")
	}
	if err := ch.conn.releaseHeld(); err != nil { // nothing about this message may overtake them
		return err
	}
	ch.beginContent(&m)
	return nil
}

// contentComplete publishes the message that the channel has put together.
func (ch *channel) contentComplete(body []byte) error {
	ch.contentEnds()
	if ch.closing {
		return nil
	}
	if ch.committing.Load() {
		return tied(amqp.BasicPublishID, committing())
	}
	c, ct := ch.conn, &ch.content
	if c.givenBack {
		c.settle() // with the publishes before it: all of it is one commit, so that none of it is durable without the rest
		c.fx.AwaitBurials(c.forced)
	}
	m := broker.Message{
		Exchange: ct.publish.Exchange, RoutingKey: ct.publish.RoutingKey, Properties: ct.props, Body: body,
		ReplyQueue: ch.replyQueue, Channel: ch.number, Mandatory: ct.publish.Mandatory, Returner: ch,
	}
	if c.pub == nil { // so that a connection that never publishes has none
		c.pub = c.session.NewPublisher()
	}
	if ch.tx != nil {
		return tied(amqp.BasicPublishID, ch.tx.publish(ch, &m, ct.publish.Mandatory))
	}
	routed, err := c.pub.Publish(&m)
	if err != nil {
		return tied(amqp.BasicPublishID, err)
	}
	if routed && ch.confirm.Load() {
		c.origins = append(c.origins, origin{ch, int32(c.pub.Pending() - 1), ch.published})
	}
	ch.published++
	if !routed {
		ch.unroutable(&m, ct.publish.Mandatory)
	}
	if !ch.inBatch {
		ch.inBatch = true
		c.pubs = append(c.pubs, ch)
	}
	if c.pub.Copies() >= broker.ManyCopies {
		// One read may bring a thousand messages for ten thousand queues: others get their turn in between, and the disk.
		return c.batchDone()
	}
	return nil
}

// unroutable returns a mandatory message to its publisher and counts one that is dropped.
func (ch *channel) unroutable(m *broker.Message, mandatory bool) {
	if !mandatory {
		ch.routedNowhere++
		return
	}
	ch.returned++
	ch.sendReturn(m.Exchange, m.RoutingKey, m.Properties, m.Body)
}

// sendReturn appends basic.return with its content, without the header BCC.
func (ch *channel) sendReturn(exchange, key, properties, body []byte) {
	ch.conn.out.lock()
	defer ch.conn.out.unlock()
	ch.appendReturn(exchange, key, properties, body)
}

// Return gives back a mandatory message that was found to be unroutable when its delay was over. It is called by the
// broker. A client that does not read what it is sent loses returns beyond maxLateReturns.
func (ch *channel) Return(exchange, key, properties, body []byte) {
	out := ch.conn.out
	out.lock()
	if ch.ending || out.closed || len(out.buf)-out.delivered > maxLateReturns {
		out.unlock()
		return
	}
	ch.appendReturn(exchange, key, properties, body)
	out.unlock()
	ch.counts.returned.Add(1)
	ch.conn.srv.broker.Totals.ReturnedUnroutable.Add(1)
	out.wake()
}

// maxLateReturns is how many bytes may wait for a client to which messages are returned that it sent long ago.
const maxLateReturns = 16 << 20

// appendReturn appends the frames. The outbox's lock is held.
func (ch *channel) appendReturn(exchange, key, properties, body []byte) {
	c := ch.conn
	buf, mark := amqp.BeginFrame(c.out.buf, amqp.FrameMethod, ch.number)
	ret := amqp.BasicReturn{
		ReplyCode: uint16(amqp.NoRoute), ReplyText: amqp.NoRoute.Name(), Exchange: exchange, RoutingKey: key,
	}
	buf = amqp.EndFrame(ret.Append(buf), mark)
	buf = amqp.AppendContentHeader(buf, ch.number, classBasic, uint64(len(body)), properties)
	c.out.buf = amqp.AppendBody(buf, ch.number, body, c.frameMax)
	c.out.frames += 3
}
