package server

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/broker"
	"github.com/warren-mq/warren/storage"
)

// channel is one AMQP channel. Fields without a remark belong to the connection's reader.
type channel struct {
	conn        *conn
	number      uint16
	content     content
	closing     bool                        // channel.close was sent: everything but its answer is ignored
	queue       string                      // the last one declared here, which an empty name stands for
	getters     map[*broker.Queue]*consumer // for basic.get
	gettersKept int                         // how many getters were needed when it was last looked
	tx          *transaction                // nil unless tx.select was sent

	// Publishes of the batch, told to others once it is settled.
	published, routedNowhere, returned uint64
	inBatch                            bool     // in conn.pubs
	refused                            []uint64 // publishes of the batch that a queue refused, counted from 0

	reply      *consumer // of direct replies; nil if there is none. Changed under the outbox's lock
	replyQueue *broker.ReplyQueue

	confirm, transactional atomic.Bool
	committing             atomic.Bool // tx.commit waits for the disk
	counts                 channelCounts
	active                 atomic.Int64 // unix milliseconds of the last method, or of the batch that it was settled with

	// Guarded by the outbox's lock:
	waiting        []commitWait   // what is told when commits are durable, in order
	written        storage.Commit // the operating system has it, as far as the channel was told
	durable        storage.Commit // it is on disk, likewise
	confirmTag     uint64         // of the last publish in confirm mode
	confirmedTag   uint64         // the last one that was confirmed
	ending         bool           // no cancel notifications any more
	consumers      map[string]*consumer
	prefetch       uint16 // of consumers that start from now on
	globalPrefetch int    // of the channel; 0: no limit
	outstanding    int    // unacknowledged deliveries to consumers; what was got does not count (3.10.8)
	unacked        unacked
	lastTag        uint64 // of deliveries and gets
	stats          deliveryCounts
}

// channelCounts are written by the reader once per batch and read by the management API.
type channelCounts struct {
	published, confirmed, returned, dropped atomic.Uint64
	uncommittedPublishes, uncommittedAcks   atomic.Int64
}

// deliveryCounts are guarded by the outbox's lock.
type deliveryCounts struct {
	Delivered, DeliveredNoAck, Got, GotNoAck, GotEmpty, Redelivered, Acked uint64
}

// handle deals with a frame of this channel. An *amqp.Error closes the channel or the connection, as its code says.
func (ch *channel) handle(f amqp.Frame) error {
	switch f.Type {
	case amqp.FrameMethod:
		return ch.handleMethod(f.Payload)
	case amqp.FrameHeader:
		if ch.content.stage != expectHeader {
			return ch.outOfOrder()
		}
		if err := ch.handleHeader(f); err != nil {
			return err
		}
	case amqp.FrameBody:
		if ch.content.stage != expectBody {
			return ch.outOfOrder()
		}
		if err := ch.handleBody(f.Payload); err != nil {
			return err
		}
	}
	if ch.conn.srv.broker.Alarms.Raised() {
		return ch.conn.holdPublisher()
	}
	return nil
}

// outOfOrder is the answer to a frame that is not what the channel waits for.
func (ch *channel) outOfOrder() error {
	switch ch.content.stage {
	case expectHeader:
		return unexpected(amqp.BasicPublishID, "expected content header for class 60, got non content header frame instead")
	case expectBody:
		return unexpected(amqp.BasicPublishID, "expected content body, got non content body frame instead")
	}
	return unexpected(0, "expected method frame, got non method frame instead")
}

func (ch *channel) handleMethod(payload []byte) error {
	if ch.content.stage != expectMethod {
		return ch.outOfOrder()
	}
	id, args, err := amqp.SplitMethod(payload)
	if err != nil {
		return err
	}
	if id == amqp.BasicPublishID {
		return tied(id, ch.handlePublish(args))
	}
	if ch.closing {
		return tied(id, ch.handleWhileClosing(id, args))
	}
	if id == amqp.BasicAckID || id == amqp.BasicNackID || id == amqp.BasicRejectID {
		return tied(id, ch.handleAck(id, args))
	}
	return tied(id, ch.handleSynchronous(id, args))
}

// tied names the method in an error that does not name one itself.
func tied(id amqp.MethodID, err error) error {
	if e, ok := errors.AsType[*amqp.Error](err); ok && e.Method == 0 && !isFraming(e) {
		e.Method = id
	}
	return err
}

// isFraming says whether RabbitMQ reports an error without the method that it was found in.
func isFraming(e *amqp.Error) bool {
	return e.Code == amqp.InternalError || e.Code == amqp.FrameError || e.Code == amqp.ConnectionForced
}

// handleWhileClosing ignores what comes after an error, if it can be decoded, until the client has answered it.
func (ch *channel) handleWhileClosing(id amqp.MethodID, args []byte) error {
	if err := decodable(id, args); err != nil {
		return err
	}
	switch id {
	case amqp.ChannelCloseOkID:
		ch.conn.forget(ch)
	case amqp.ChannelCloseID:
		ch.conn.send(ch.number, &amqp.ChannelCloseOk{})
	case amqp.ChannelOpenID:
		return amqp.Errorf(amqp.ChannelError, "second 'channel.open' seen")
	}
	return nil
}

// decodable returns what is wrong with the arguments of a method that is not dealt with otherwise: RabbitMQ decodes
// before it looks whether the method is in its place.
func decodable(id amqp.MethodID, args []byte) error {
	if m, ok := amqp.NewMethod(id); ok {
		return m.Decode(args)
	}
	return nil
}

// handleUnopened deals with a frame on a channel that is not open: only channel.open may come.
func (c *conn) handleUnopened(f amqp.Frame) error {
	if f.Type != amqp.FrameMethod {
		return unexpected(0, "expected method frame, got non method frame instead")
	}
	id, args, err := amqp.SplitMethod(f.Payload)
	if err != nil {
		return err
	}
	if id != amqp.ChannelOpenID {
		if err := decodable(id, args); err != nil {
			return tied(id, err)
		}
		return &amqp.Error{Code: amqp.ChannelError, Reason: "expected 'channel.open'", Method: id}
	}
	var open amqp.ChannelOpen
	if err := open.Decode(args); err != nil {
		return tied(id, err)
	}
	if n := len(c.channels); c.channelMax > 0 && n >= int(c.channelMax) {
		return amqp.Errorf(amqp.NotAllowed, "number of channels opened (%d) has reached the negotiated channel_max (%d)", n, c.channelMax)
	}
	c.settle()
	ch := &channel{conn: c, number: f.Channel, consumers: make(map[string]*consumer)}
	ch.active.Store(c.srv.broker.Now().UnixMilli())
	if c.srv.cfg.ConsumerTimeout < 0 {
		ch.unacked.ages.next = never
	}
	c.mu.Lock()
	c.channels[ch.number] = ch
	c.mu.Unlock()
	c.srv.broker.Totals.ChannelsOpened.Add(1)
	c.send(ch.number, &amqp.ChannelOpenOk{})
	return nil
}

// channelFailed closes the channel for a soft error: its consumers and deliveries go back first, then the client is
// told. Hard errors are the connection's.
func (c *conn) channelFailed(ch *channel, err error) error {
	e, ok := errors.AsType[*amqp.Error](err)
	if !ok || e.Code.Hard() {
		return err
	}
	c.settle()
	c.log.Error().Uint16("channel", ch.number).Str("error", e.ReplyText()).Stringer("method", e.Method).Msg("channel error")
	entered := c.enter()
	ch.release()
	c.leave(entered)
	ch.closing = true
	c.send(ch.number, &amqp.ChannelClose{
		ReplyCode: uint16(e.Code), ReplyText: e.ReplyText(), ClassID: e.Method.Class(), MethodID: e.Method.Method(),
	})
	return nil
}

// release ends what the channel holds: its unacknowledged deliveries return to their queues, then its consumers go. In
// this order nothing overtakes what is given back, for its own consumers take nothing any more and those that take over
// come after.
func (ch *channel) release() {
	c := ch.conn
	ch.tx.rollBack(ch)
	c.out.mu.Lock()
	ch.ending = true
	consumers := make([]*consumer, 0, len(ch.consumers))
	for _, k := range ch.consumers {
		consumers = append(consumers, k)
	}
	clear(ch.consumers)
	ch.unacked.takeAll(func(d delivery) { c.note(d, returned) })
	c.out.mu.Unlock()
	c.settleAcks(false)
	for _, k := range consumers {
		k.queue.Cancel(k.subscription, &c.fx)
	}
	ch.cancelReply()
	c.pub.Forget(ch)
	ch.getters = nil
	ch.dropBody()
	ch.dropViews()
}

// removeChannel releases a channel and forgets it.
func (c *conn) removeChannel(ch *channel) {
	ch.release()
	c.forget(ch)
}

// forget frees the channel's number.
func (c *conn) forget(ch *channel) {
	ch.content.stage = expectMethod
	c.mu.Lock()
	delete(c.channels, ch.number)
	c.mu.Unlock()
	if c.lastUsed == ch {
		c.lastUsed = nil
	}
	c.srv.broker.Totals.ChannelsClosed.Add(1)
	c.srv.broker.ChannelEnded(c.vhost, ch.info().Stats)
}

// channelList is a copy of the open channels.
func (c *conn) channelList() []*channel {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]*channel, 0, len(c.channels))
	for _, ch := range c.channels {
		list = append(list, ch)
	}
	return list
}

// handleConnectionFrame deals with a frame on channel 0.
func (c *conn) handleConnectionFrame(f amqp.Frame) error {
	if f.Type == amqp.FrameHeartbeat {
		return nil
	}
	id, args, err := amqp.SplitMethod(f.Payload)
	if err != nil {
		return err
	}
	c.settle()
	return tied(id, c.handleConnectionMethod(id, args))
}

// idleSince is when the channel was used last, if that is some time ago.
func (ch *channel) idleSince(now time.Time) time.Time {
	last := time.UnixMilli(ch.active.Load())
	if now.Sub(last) < idleAfter {
		return time.Time{}
	}
	return last
}

// idleAfter is how long a channel must have done nothing to be shown as idle.
const idleAfter = 5 * time.Second
