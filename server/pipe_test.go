package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/broker"
)

// pipeEnd is an end of a net.Pipe with the addresses of a socket, since guest may only come from a loopback address.
type pipeEnd struct{ net.Conn }

func (pipeEnd) LocalAddr() net.Addr  { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 5672} }
func (pipeEnd) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 40000} }

// newServer makes a server for a test in a bubble of package synctest. It is shut down when the test ends, and must
// end then without waiting for anybody.
func newServer(t *testing.T, cfg Config, core broker.Config) *Server {
	t.Helper()
	b, err := broker.New(core)
	if err != nil {
		t.Fatal(err)
	}
	s := New(cfg, b, zerolog.Nop())
	t.Cleanup(func() {
		if err := shutdown(s, time.Minute); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if n := s.pausing.Load(); n != 0 {
			t.Errorf("%d connections are counted as pausing after the end", n)
		}
		if n := s.unfinished.Load(); n != 0 {
			t.Errorf("%d bytes of unfinished bodies are counted after the end", n)
		}
	})
	return s
}

func shutdown(s *Server, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return s.Shutdown(ctx)
}

// peer is a client at the other end of a pipe, in the test's own goroutine: it takes only what it is told to.
type peer struct {
	t      *testing.T
	conn   net.Conn
	frames *amqp.Reader
}

// patience is how long, in fake time, a peer waits for the server.
const patience = 48 * time.Hour

// connect makes a connection that has not said anything yet.
func connect(t *testing.T, s *Server) *peer {
	ours, theirs := net.Pipe()
	t.Cleanup(func() { ours.Close() })
	s.start(pipeEnd{theirs})
	return &peer{t: t, conn: ours, frames: amqp.NewReader(ours, 0)}
}

// allCapabilities are those that change what the server does.
var allCapabilities = amqp.Table{{Name: "capabilities", Value: amqp.Table{
	{Name: "authentication_failure_close", Value: true},
	{Name: "consumer_cancel_notify", Value: true},
	{Name: "connection.blocked", Value: true},
}}}

// open makes a connection that is through the handshake.
func open(t *testing.T, s *Server, heartbeat uint16) *peer {
	t.Helper()
	p := connect(t, s)
	p.write([]byte("AMQP\x00\x00\x09\x01"))
	p.skip(&amqp.ConnectionStart{})
	p.send(0, &amqp.ConnectionStartOk{
		ClientProperties: allCapabilities, Mechanism: "PLAIN", Response: []byte("\x00guest\x00guest"), Locale: "en_US",
	})
	p.skip(&amqp.ConnectionTune{})
	p.send(0, &amqp.ConnectionTuneOk{ChannelMax: 2047, FrameMax: 131072, Heartbeat: heartbeat})
	p.send(0, &amqp.ConnectionOpen{VirtualHost: "/"})
	p.expect(0, &amqp.ConnectionOpenOk{})
	return p
}

// openChannel makes a connection with channel 1.
func openChannel(t *testing.T, s *Server, heartbeat uint16) *peer {
	t.Helper()
	p := open(t, s, heartbeat)
	p.send(1, &amqp.ChannelOpen{})
	p.expect(1, &amqp.ChannelOpenOk{})
	return p
}

func (p *peer) write(b []byte) {
	p.t.Helper()
	p.conn.SetWriteDeadline(time.Now().Add(patience))
	if _, err := p.conn.Write(b); err != nil {
		p.t.Fatalf("write: %v", err)
	}
}

func (p *peer) send(channel uint16, m amqp.Method) {
	p.t.Helper()
	p.write(amqp.AppendMethod(nil, channel, m))
}

func (p *peer) publish(channel uint16, exchange, key, body string) {
	p.t.Helper()
	p.write(publishFrames(channel, exchange, key, body))
}

// publishFrames are the frames of a message without properties.
func publishFrames(channel uint16, exchange, key, body string) []byte {
	b := amqp.AppendMethod(nil, channel, &amqp.BasicPublish{Exchange: []byte(exchange), RoutingKey: []byte(key)})
	b = amqp.AppendContentHeader(b, channel, classBasic, uint64(len(body)), []byte{0, 0})
	return amqp.AppendBody(b, channel, []byte(body), 131072)
}

// frame waits for the next frame. It is valid until the one after that.
func (p *peer) frame() (amqp.Frame, error) {
	p.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		f, ok, err := p.frames.Next()
		if ok || err != nil {
			return f, err
		}
		if err := p.frames.Fill(); err != nil {
			return f, err
		}
	}
}

// method waits for the next method; heartbeats may come before it.
func (p *peer) method() (uint16, amqp.Method) {
	p.t.Helper()
	for {
		f, err := p.frame()
		if err != nil {
			p.t.Fatalf("read: %v", err)
		}
		if f.Type == amqp.FrameHeartbeat {
			continue
		}
		if f.Type != amqp.FrameMethod {
			p.t.Fatalf("got a frame of type %d, want a method", f.Type)
		}
		id, args, err := amqp.SplitMethod(f.Payload)
		if err != nil {
			p.t.Fatal(err)
		}
		m, ok := amqp.NewMethod(id)
		if !ok {
			p.t.Fatalf("unknown method %v", id)
		}
		if err := m.Decode(args); err != nil {
			p.t.Fatalf("%v: %v", id, err)
		}
		return f.Channel, m
	}
}

// expect waits for a method, which must be exactly this one.
func (p *peer) expect(channel uint16, want amqp.Method) {
	p.t.Helper()
	if ch, got := p.method(); ch != channel || !bytes.Equal(got.Append(nil), want.Append(nil)) {
		p.t.Fatalf("channel %d: got %v %+v, want on %d %v %+v", ch, got.ID(), got, channel, want.ID(), want)
	}
}

// skip waits for a method of this kind.
func (p *peer) skip(want amqp.Method) {
	p.t.Helper()
	if _, got := p.method(); got.ID() != want.ID() {
		p.t.Fatalf("got %v %+v, want %v", got.ID(), got, want.ID())
	}
}

// content waits for the header and body frames of a message and returns the body.
func (p *peer) content() string {
	p.t.Helper()
	f, err := p.frame()
	if err != nil || f.Type != amqp.FrameHeader {
		p.t.Fatalf("got a frame of type %d, %v; want a header", f.Type, err)
	}
	h, err := amqp.DecodeContentHeader(f.Payload)
	if err != nil {
		p.t.Fatal(err)
	}
	var body []byte
	for uint64(len(body)) < h.BodySize {
		if f, err = p.frame(); err != nil || f.Type != amqp.FrameBody {
			p.t.Fatalf("got a frame of type %d, %v; want a body", f.Type, err)
		}
		body = append(body, f.Payload...)
	}
	return string(body)
}

// delivery waits for basic.deliver and returns its tag and body.
func (p *peer) delivery() (tag uint64, body string) {
	p.t.Helper()
	_, m := p.method()
	d, ok := m.(*amqp.BasicDeliver)
	if !ok {
		p.t.Fatalf("got %v %+v, want basic.deliver", m.ID(), m)
	}
	return d.DeliveryTag, p.content()
}

// expectEnd waits for the end of the connection, with nothing but heartbeats before it, and returns when it came.
func (p *peer) expectEnd() time.Time {
	p.t.Helper()
	for {
		f, err := p.frame()
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrClosedPipe):
			return time.Now()
		case err != nil:
			p.t.Fatal(err)
		case f.Type != amqp.FrameHeartbeat:
			p.t.Fatalf("got a frame of type %d on channel %d, want the end: % x", f.Type, f.Channel, f.Payload)
		}
	}
}

// connectionClose is what the server closes a connection with.
func connectionClose(code amqp.ReplyCode, text string, id amqp.MethodID) amqp.Method {
	return &amqp.ConnectionClose{ReplyCode: uint16(code), ReplyText: text, ClassID: id.Class(), MethodID: id.Method()}
}

// bubble runs a test on fake time.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// seconds since start.
func since(start time.Time) time.Duration { return time.Since(start) }
