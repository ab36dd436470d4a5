package server

import (
	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/broker"
)

// Classes of methods. Only those of basic carry content.
const (
	classExchange = 40
	classQueue    = 50
	classBasic    = 60
)

// content puts a message together from its method, header and body frames (spec 4.2.6). Its views point into the
// read buffer as long as the read batch lasts; own copies what must outlive it.
type content struct {
	stage   contentStage
	publish amqp.BasicPublish
	props   []byte // as on the wire

	size, received uint64 // bytes of the body, announced and come
	body           []byte // what has come, if it came in pieces
	limited        bool   // the body is larger than is taken; it is read and dropped

	loose bool // has views into the read buffer
	owned int  // bytes that own has copied for the message in hand
	known bool // in conn.partial
}

// contentStage is what a channel expects next.
type contentStage int

const (
	expectMethod contentStage = iota
	expectHeader
	expectBody
)

// own copies the views of an unfinished content, since the read buffer is about to be used again.
func (ct *content) own() {
	ct.loose = false
	ct.owned = len(ct.publish.Exchange) + len(ct.publish.RoutingKey) + len(ct.props)
	buf := make([]byte, 0, ct.owned)
	keep := func(view []byte) []byte {
		at := len(buf)
		buf = append(buf, view...)
		return buf[at:len(buf):len(buf)]
	}
	ct.publish.Exchange = keep(ct.publish.Exchange)
	ct.publish.RoutingKey = keep(ct.publish.RoutingKey)
	ct.props = keep(ct.props)
}

// forgetViews lets go of all views.
func (ct *content) forgetViews() { ct.publish, ct.props, ct.loose = amqp.BasicPublish{}, nil, false }

// beginContent notes a basic.publish, whose header must come next.
func (ch *channel) beginContent(m *amqp.BasicPublish) {
	ct := &ch.content
	ct.stage = expectHeader
	ct.publish = *m
	ct.props, ct.loose = nil, true
	if !ct.known {
		ct.known = true
		ch.conn.partial = append(ch.conn.partial, ch)
	}
}

// handleHeader takes the content header that a publish asked for.
func (ch *channel) handleHeader(f amqp.Frame) error {
	ct := &ch.content
	h, err := amqp.DecodeContentHeader(f.Payload)
	if err != nil {
		return err
	}
	if h.Class != classBasic {
		return unexpected(amqp.BasicPublishID, "expected content header for class 60, got one for class %d instead", h.Class)
	}
	if h.Weight != 0 {
		return unexpected(amqp.BasicPublishID, "expected content header for class 60, got non content header frame instead")
	}
	ct.props, ct.size, ct.received, ct.limited = h.Properties, h.BodySize, 0, false
	ct.loose = true
	if h.BodySize == 0 {
		return ch.contentComplete(nil)
	}
	ct.stage = expectBody
	ct.limited = h.BodySize > ch.conn.srv.broker.MaxMessageSize()
	return nil
}

// handleBody takes a piece of the body. A piece that goes beyond what was announced leaves the channel waiting for
// more, as RabbitMQ 3.10 does.
func (ch *channel) handleBody(piece []byte) error {
	ct := &ch.content
	rest := ct.size - ct.received
	if uint64(len(piece)) == rest && len(ct.body) == 0 && !ct.limited {
		return ch.contentComplete(piece)
	}
	if uint64(len(piece)) > rest {
		// The surplus can never add up: nothing but a close helps this channel, so nothing is kept for it.
		ct.received = 0
		ct.size = ^uint64(0)
		ct.limited = true
		ch.dropBody()
		ch.dropViews()
		return nil
	}
	ct.received += uint64(len(piece))
	if !ct.limited && !ch.closing {
		if err := ch.keepPiece(piece); err != nil {
			return err
		}
	}
	if ct.received < ct.size {
		return nil
	}
	if ct.limited {
		ch.contentEnds()
		if ch.closing {
			return nil
		}
		e := broker.TooLarge(ct.size, ch.conn.srv.broker.MaxMessageSize())
		e.Method = amqp.BasicPublishID
		return e
	}
	body := ct.body
	ct.body = nil
	ch.conn.bodies = append(ch.conn.bodies, body)
	return ch.contentComplete(body)
}

// contentEnds makes the channel expect a method again.
func (ch *channel) contentEnds() { ch.content.stage = expectMethod }

// unexpected is a frame that does not belong where it came.
func unexpected(id amqp.MethodID, format string, args ...any) *amqp.Error {
	e := amqp.Errorf(amqp.UnexpectedFrame, format, args...)
	e.Method = id
	return e
}
