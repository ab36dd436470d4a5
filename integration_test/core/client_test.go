package core_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/amqptest"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// client speaks AMQP frame by frame, so that it can also speak it wrongly.
type client struct {
	t      *testing.T
	socket *net.TCPConn
	frames *amqp.Reader
}

// connect makes a connection that has not said anything yet.
func connect(t *testing.T, s *amqptest.Server) *client {
	t.Helper()
	n, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	n.SetDeadline(time.Now().Add(patience))
	return &client{t: t, socket: n.(*net.TCPConn), frames: amqp.NewReader(n, 0)}
}

var capabilities = amqp.Table{{Name: "capabilities", Value: amqp.Table{
	{Name: "authentication_failure_close", Value: true},
	{Name: "consumer_cancel_notify", Value: true},
	{Name: "connection.blocked", Value: true},
}}}

const header = "AMQP\x00\x00\x09\x01"

// logIn goes as far as connection.tune.
func (c *client) logIn(properties amqp.Table, user, password string) {
	c.t.Helper()
	c.write([]byte(header))
	c.skip(amqp.ConnectionStartID)
	c.send(0, &amqp.ConnectionStartOk{
		ClientProperties: properties, Mechanism: "PLAIN", Response: []byte("\x00" + user + "\x00" + password), Locale: "en_US",
	})
}

// open makes a connection that is through the handshake.
func open(t *testing.T, s *amqptest.Server) *client {
	t.Helper()
	c := connect(t, s)
	c.logIn(capabilities, "guest", "guest")
	c.skip(amqp.ConnectionTuneID)
	c.send(0, &amqp.ConnectionTuneOk{ChannelMax: 2047, FrameMax: 131072})
	c.send(0, &amqp.ConnectionOpen{VirtualHost: "/"})
	c.expect(0, &amqp.ConnectionOpenOk{})
	return c
}

// openChannel makes a connection with channel 1.
func openChannel(t *testing.T, s *amqptest.Server) *client {
	t.Helper()
	c := open(t, s)
	c.openChannels(1, 1)
	return c
}

func (c *client) openChannels(from, to uint16) {
	c.t.Helper()
	for n := range to - from + 1 {
		c.send(from+n, &amqp.ChannelOpen{})
		c.expect(from+n, &amqp.ChannelOpenOk{})
	}
}

func (c *client) write(b []byte) {
	c.t.Helper()
	if _, err := c.socket.Write(b); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

func (c *client) send(channel uint16, m amqp.Method) {
	c.t.Helper()
	c.write(amqp.AppendMethod(nil, channel, m))
}

func (c *client) publish(channel uint16, m *amqp.BasicPublish, properties []byte, body []byte) {
	c.t.Helper()
	c.write(message(channel, m, properties, body))
}

// message is a publish with its content. Without properties there are none.
func message(channel uint16, m *amqp.BasicPublish, properties, body []byte) []byte {
	if properties == nil {
		properties = []byte{0, 0}
	}
	b := amqp.AppendMethod(nil, channel, m)
	b = amqp.AppendContentHeader(b, channel, 60, uint64(len(body)), properties)
	return amqp.AppendBody(b, channel, body, 131072)
}

// to is a publish to a queue.
func to(queue string) *amqp.BasicPublish { return &amqp.BasicPublish{RoutingKey: []byte(queue)} }

// rawFrame is a frame of any kind.
func rawFrame(typ byte, channel uint16, payload string) []byte {
	b := []byte{typ, byte(channel >> 8), byte(channel), 0, 0, 0, 0}
	binary.BigEndian.PutUint32(b[3:], uint32(len(payload)))
	return append(append(b, payload...), amqp.FrameEnd)
}

// frame waits for the next frame but heartbeats. It is valid until the one after that.
func (c *client) frame() (amqp.Frame, error) {
	for {
		f, ok, err := c.frames.Next()
		switch {
		case err != nil:
			return f, err
		case ok && f.Type != amqp.FrameHeartbeat:
			return f, nil
		case ok:
		default:
			if err := c.frames.Fill(); err != nil {
				return f, err
			}
		}
	}
}

// method waits for the next method.
func (c *client) method() (uint16, amqp.Method) {
	c.t.Helper()
	f, err := c.frame()
	if err != nil {
		c.t.Fatalf("read: %v", err)
	}
	if f.Type != amqp.FrameMethod {
		c.t.Fatalf("got a frame of type %d, want a method", f.Type)
	}
	id, args, err := amqp.SplitMethod(f.Payload)
	if err != nil {
		c.t.Fatal(err)
	}
	m, ok := amqp.NewMethod(id)
	if !ok {
		c.t.Fatalf("unknown method %v", id)
	}
	if err := m.Decode(args); err != nil {
		c.t.Fatal(err)
	}
	return f.Channel, m
}

// expect waits for a method, which must be exactly this one.
func (c *client) expect(channel uint16, want amqp.Method) {
	c.t.Helper()
	if ch, got := c.method(); ch != channel || !bytes.Equal(got.Append(nil), want.Append(nil)) {
		c.t.Fatalf("channel %d: got %v %+v, want on %d %v %+v", ch, got.ID(), got, channel, want.ID(), want)
	}
}

// skip waits for a method of this kind and returns it.
func (c *client) skip(id amqp.MethodID) amqp.Method {
	c.t.Helper()
	_, got := c.method()
	if got.ID() != id {
		c.t.Fatalf("got %v %+v, want %v", got.ID(), got, id)
	}
	return got
}

// body waits for the content of a message.
func (c *client) body() []byte {
	c.t.Helper()
	f, err := c.frame()
	if err != nil || f.Type != amqp.FrameHeader {
		c.t.Fatalf("got a frame of type %d, %v; want a header", f.Type, err)
	}
	h, err := amqp.DecodeContentHeader(f.Payload)
	if err != nil {
		c.t.Fatal(err)
	}
	body := []byte{}
	for uint64(len(body)) < h.BodySize {
		if f, err = c.frame(); err != nil || f.Type != amqp.FrameBody {
			c.t.Fatalf("got a frame of type %d, %v; want a body", f.Type, err)
		}
		body = append(body, f.Payload...)
	}
	return body
}

// expectEnd waits for the end of the connection, with nothing before it.
func (c *client) expectEnd() {
	c.t.Helper()
	f, err := c.frame()
	switch {
	case err == nil:
		c.t.Fatalf("got a frame of type %d on channel %d, want the end: % x", f.Type, f.Channel, f.Payload)
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.t.Fatal("the connection does not end")
	}
}

// close ends the connection in good order: what it held is given back when it returns.
func (c *client) close() {
	c.t.Helper()
	c.send(0, &amqp.ConnectionClose{ReplyCode: 200})
	c.expect(0, &amqp.ConnectionCloseOk{})
	c.socket.Close()
}

// ping makes sure that channel 1 works.
func (c *client) ping() {
	c.t.Helper()
	c.send(1, &amqp.ChannelFlow{Active: true})
	c.expect(1, &amqp.ChannelFlowOk{Active: true})
}

// declare makes a queue that lasts as long as the connection.
func (c *client) declare(queue string) {
	c.t.Helper()
	c.send(1, &amqp.QueueDeclare{Queue: queue, Exclusive: true})
	c.skip(amqp.QueueDeclareOkID)
}

// closed is the frame that the server closes a connection with, or a channel.
func closed(code amqp.ReplyCode, text string, id amqp.MethodID) amqp.Method {
	if code.Hard() {
		return &amqp.ConnectionClose{ReplyCode: uint16(code), ReplyText: text, ClassID: id.Class(), MethodID: id.Method()}
	}
	return &amqp.ChannelClose{ReplyCode: uint16(code), ReplyText: text, ClassID: id.Class(), MethodID: id.Method()}
}

// eventually waits until something has become true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s", what)
		}
	}
}

// readAll reads until the connection ends.
func (c *client) readAll() []byte {
	c.t.Helper()
	b, err := io.ReadAll(c.socket)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatalf("the connection does not end after % x", b)
	}
	return b
}
