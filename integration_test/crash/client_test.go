package crash_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/warren-mq/warren/amqp"
)

// patience is how long anything may take that must happen.
const patience = 60 * time.Second

const frameMax = 128 << 10

// client speaks AMQP frame by frame, so that it can send much in one piece before it reads an answer.
type client struct {
	socket net.Conn
	frames *amqp.Reader
}

// event is what the broker sent: a method, and the content that follows some.
type event struct {
	channel uint16
	method  amqp.Method
	props   amqp.Properties
	body    []byte
}

// dialClient connects, and opens channel 1.
func dialClient(addr string) (*client, error) {
	n, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, err
	}
	c := &client{socket: n, frames: amqp.NewReader(n, 0)}
	if err := c.open(); err != nil {
		n.Close()
		return nil, err
	}
	return c, nil
}

func (c *client) open() error {
	if err := c.write([]byte("AMQP\x00\x00\x09\x01")); err != nil {
		return err
	}
	for _, step := range []struct {
		wait amqp.MethodID
		send []byte
	}{
		{amqp.ConnectionStartID, amqp.AppendMethod(nil, 0, &amqp.ConnectionStartOk{
			Mechanism: "PLAIN", Response: []byte("\x00guest\x00guest"), Locale: "en_US"})},
		{amqp.ConnectionTuneID, amqp.AppendMethod(amqp.AppendMethod(nil, 0, &amqp.ConnectionTuneOk{
			ChannelMax: 2047, FrameMax: frameMax}), 0, &amqp.ConnectionOpen{VirtualHost: "/"})},
		{amqp.ConnectionOpenOkID, amqp.AppendMethod(nil, 1, &amqp.ChannelOpen{})},
		{amqp.ChannelOpenOkID, nil},
	} {
		e, err := c.answer()
		if err != nil {
			return err
		}
		if e.method.ID() != step.wait {
			return fmt.Errorf("%s instead of %s", describe(e.method), step.wait)
		}
		if err := c.write(step.send); err != nil {
			return err
		}
	}
	return nil
}

func (c *client) close() { c.socket.Close() }

// write sends bytes as they are.
func (c *client) write(b []byte) error {
	c.socket.SetWriteDeadline(time.Now().Add(patience))
	_, err := c.socket.Write(b)
	return err
}

// frame waits for the next frame that is no heartbeat. It is valid until the next call.
func (c *client) frame() (amqp.Frame, error) {
	for {
		f, ok, err := c.frames.Next()
		if err != nil {
			return f, err
		}
		if !ok {
			c.socket.SetReadDeadline(time.Now().Add(patience))
			if err := c.frames.Fill(); err != nil {
				return f, err
			}
			continue
		}
		if f.Type != amqp.FrameHeartbeat {
			return f, nil
		}
	}
}

// next waits for the next event. Its body and properties are valid until the next call.
func (c *client) next() (event, error) {
	f, err := c.frame()
	if err != nil {
		return event{}, err
	}
	if f.Type != amqp.FrameMethod {
		return event{}, fmt.Errorf("frame of type %d where a method should be", f.Type)
	}
	id, args, err := amqp.SplitMethod(f.Payload)
	if err != nil {
		return event{}, err
	}
	e := event{channel: f.Channel}
	var ok bool
	if e.method, ok = amqp.NewMethod(id); !ok {
		return e, fmt.Errorf("unknown method %s", id)
	}
	if err := e.method.Decode(args); err != nil {
		return e, err
	}
	switch id {
	case amqp.BasicGetOkID, amqp.BasicDeliverID, amqp.BasicReturnID:
		err = c.content(&e)
	}
	return e, err
}

// content reads header and body.
func (c *client) content(e *event) error {
	f, err := c.frame()
	if err != nil {
		return err
	}
	h, err := amqp.DecodeContentHeader(f.Payload)
	if err != nil || f.Type != amqp.FrameHeader || f.Channel != e.channel {
		return fmt.Errorf("no content header follows %s: %w", e.method.ID(), err)
	}
	if err := e.props.Decode(append([]byte(nil), h.Properties...)); err != nil {
		return fmt.Errorf("properties: %w", err)
	}
	size := h.BodySize
	for uint64(len(e.body)) < size {
		f, err := c.frame()
		if err != nil {
			return err
		}
		if f.Type != amqp.FrameBody || f.Channel != e.channel {
			return fmt.Errorf("frame of type %d on channel %d within a body", f.Type, f.Channel)
		}
		e.body = append(e.body, f.Payload...)
	}
	return nil
}

// call sends a method on channel 1 and waits for the answer, which must be of the same type as answer, and fills it.
func (c *client) call(m amqp.Method, answer amqp.Method) error {
	if err := c.write(amqp.AppendMethod(nil, 1, m)); err != nil {
		return err
	}
	e, err := c.answer()
	if err != nil {
		return err
	}
	if e.method.ID() != answer.ID() {
		return fmt.Errorf("%s is answered with %s", m.ID(), describe(e.method))
	}
	return answer.Decode(e.method.Append(nil)[4:])
}

// errStopped says that the broker was stopped in good order before it answered.
var errStopped = errors.New("the broker takes leave")

// answer waits for the next event, which a broker that is stopped does not give.
func (c *client) answer() (event, error) {
	e, err := c.next()
	if err == nil && isShutdown(e.method) {
		err = errStopped
	}
	return e, err
}

// isShutdown recognises how a broker takes leave that is stopped in good order.
func isShutdown(m amqp.Method) bool {
	c, ok := m.(*amqp.ConnectionClose)
	return ok && amqp.ReplyCode(c.ReplyCode) == amqp.ConnectionForced
}

// describe prints a method; a close with its reason.
func describe(m amqp.Method) string {
	switch m := m.(type) {
	case *amqp.ChannelClose:
		return fmt.Sprintf("channel.close %d %s", m.ReplyCode, m.ReplyText)
	case *amqp.ConnectionClose:
		return fmt.Sprintf("connection.close %d %s", m.ReplyCode, m.ReplyText)
	}
	return fmt.Sprintf("%s %+v", m.ID(), m)
}

// appendPublish appends a publish of a message with its content to b.
func appendPublish(b []byte, exchange, key string, id messageID, mandatory bool) []byte {
	b = amqp.AppendMethod(b, 1, &amqp.BasicPublish{Exchange: []byte(exchange), RoutingKey: []byte(key), Mandatory: mandatory})
	props := amqp.Properties{
		Flags:        amqp.FlagMessageID | amqp.FlagDeliveryMode | amqp.FlagPriority,
		DeliveryMode: 1, MessageID: []byte(id.String()), Priority: id.priority(),
	}
	if id.persistent() {
		props.DeliveryMode = 2
	}
	body := id.body()
	b = amqp.AppendContentHeader(b, 1, 60, uint64(len(body)), props.Append(nil))
	return amqp.AppendBody(b, 1, body, frameMax)
}

// message is the id and the check of what an event carries.
func (e *event) message() (messageID, error) {
	id, err := parseID(e.props.MessageID)
	if err == nil {
		err = id.check(e.body, e.props.DeliveryMode)
	}
	return id, err
}

// cut tells whether an error means no more than that the broker is gone.
func cut(err error) bool {
	if err == io.EOF || err == io.ErrUnexpectedEOF || err == errStopped {
		return true
	}
	_, ok := err.(net.Error)
	return ok && !err.(net.Error).Timeout()
}
