package core_test

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/amqptest"
	"github.com/warren-mq/warren/server"
)

// TestUnknownProtocolsAreToldTheRightOne and disconnected.
func TestUnknownProtocolsAreToldTheRightOne(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement())
	for _, h := range []string{
		"AMQP\x00\x00\x09\x00", "AMQP\x00\x00\x09\x02", "AMQP\x00\x00\x0a\x00", "AMQP\x00\x00\x08\x00",
		"AMQP\x03\x01\x00\x00", "AMQP\x00\x01\x00\x00", "amqp\x00\x00\x09\x01", "GET / HTTP/1.1\r\n\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "\x00\x00\x00\x00\x00\x00\x00\x00",
	} {
		c := connect(t, s)
		c.write([]byte(h))
		if got := c.readAll(); string(got) != header {
			t.Errorf("% x is answered with % x", h, got)
		}
	}
}

func TestOlderHeadersAreAnsweredInTheirVersion(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement())
	for h, want := range map[string][2]uint8{header: {0, 9}, "AMQP\x01\x01\x00\x09": {0, 9}, "AMQP\x01\x01\x08\x00": {8, 0}} {
		c := connect(t, s)
		c.write([]byte(h))
		if m := c.skip(amqp.ConnectionStartID).(*amqp.ConnectionStart); m.VersionMajor != want[0] || m.VersionMinor != want[1] {
			t.Errorf("% x is answered with version %d-%d", h, m.VersionMajor, m.VersionMinor)
		}
	}
}

// atTune is a connection whose client has logged in.
func atTune(t *testing.T, s *amqptest.Server) *client {
	t.Helper()
	c := connect(t, s)
	c.logIn(capabilities, "guest", "guest")
	c.skip(amqp.ConnectionTuneID)
	return c
}

// atOpen is one whose client may open a vhost.
func atOpen(t *testing.T, s *amqptest.Server) *client {
	t.Helper()
	c := atTune(t, s)
	c.send(0, &amqp.ConnectionTuneOk{ChannelMax: 10, FrameMax: 4096})
	return c
}

// refused is what a client is told whose login failed.
var refused = &amqp.ConnectionClose{
	ReplyCode: 403,
	ReplyText: "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.",
}

// TestHandshakesThatGoWrong: the client is told nothing, or what RabbitMQ tells, and dropped after a pause. Everybody
// else is let in meanwhile.
func TestHandshakesThatGoWrong(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement())
	startOk := func(mechanism, response string, p amqp.Table) []byte {
		return methodFrame(0, &amqp.ConnectionStartOk{Mechanism: mechanism, Response: []byte(response), Locale: "en_US", ClientProperties: p})
	}
	tuneOk := func(channels uint16, frame uint32) []byte {
		return methodFrame(0, &amqp.ConnectionTuneOk{ChannelMax: channels, FrameMax: frame})
	}
	atStart := func(t *testing.T, s *amqptest.Server) *client {
		c := connect(t, s)
		c.write([]byte(header))
		c.skip(amqp.ConnectionStartID)
		return c
	}
	for _, bad := range []struct {
		name  string
		bring func(*testing.T, *amqptest.Server) *client
		bytes []byte
		want  amqp.Method // nil: nothing
	}{
		{"frame above 4096 before tune", atStart, []byte{1, 0, 0, 0, 0, 0x10, 0x01}, nil},
		{"frame of 4 GiB before tune", atStart, []byte{1, 0, 0, 255, 255, 255, 255}, nil},
		{"wrong end octet", atStart, []byte{1, 0, 0, 0, 0, 0, 4, 0, 10, 0, 11, 0}, nil},
		{"other method", atStart, methodFrame(0, &amqp.ConnectionOpen{VirtualHost: "/"}), nil},
		{"content", atStart, contentHeader(1, 60, 0, 1), nil},
		{"garbage in client-properties", atStart, raw(0, 10, 11, "\x00\x00\x00\x03\x01xU\x05PLAIN\x00\x00\x00\x00\x05en_US"), nil},
		{"unknown mechanism", atStart, startOk("SCRAM", "", capabilities), nil},
		{"malformed response", atStart, startOk("PLAIN", "guest", capabilities), nil},
		{"malformed AMQPLAIN", atStart, startOk("AMQPLAIN", "\x05LOGINS\x00\x00\x00\xffguest", capabilities), nil},
		{"wrong password", atStart, startOk("PLAIN", "\x00guest\x00wrong", capabilities), refused},
		{"no password", atStart, startOk("PLAIN", "\x00guest\x00", capabilities), refused},
		{"unknown user", atStart, startOk("PLAIN", "\x00nobody\x00guest", capabilities), refused},
		{"wrong password of a client that takes no close", atStart, startOk("PLAIN", "\x00guest\x00wrong", nil), nil},
		{"channel_max 0", atTune, tuneOk(0, 4096), nil},
		{"channel_max too high", atTune, tuneOk(2048, 4096), nil},
		{"frame_max 0", atTune, tuneOk(1, 0), nil},
		{"frame_max too low", atTune, tuneOk(1, 4095), nil},
		{"frame_max too high", atTune, tuneOk(1, 131073), nil},
		{"missing vhost", atOpen, methodFrame(0, &amqp.ConnectionOpen{VirtualHost: "none"}),
			closed(530, "NOT_ALLOWED - vhost none not found", amqp.ConnectionOpenID)},
		{"empty vhost", atOpen, methodFrame(0, &amqp.ConnectionOpen{}), closed(530, "NOT_ALLOWED - vhost  not found", amqp.ConnectionOpenID)},
	} {
		t.Run(bad.name, func(t *testing.T) {
			c := bad.bring(t, s)
			c.write(bad.bytes)
			if bad.want != nil {
				c.expect(0, bad.want)
			} else {
				c.socket.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
				if f, err := c.frame(); err == nil {
					t.Errorf("got a frame of type %d: % x", f.Type, f.Payload)
				} else if e, ok := err.(net.Error); !ok || !e.Timeout() {
					t.Errorf("dropped without a pause: %v", err)
				}
			}
			openChannel(t, s).ping()
		})
	}
}

// TestHalfOpenHandshakes: many clients that stop in each stage keep nobody out and are dropped after the timeout.
func TestHalfOpenHandshakes(t *testing.T) {
	const each = 50
	s := amqptest.NewServer(t, amqptest.WithoutManagement(), amqptest.WithServer(server.Config{HandshakeTimeout: 1500 * time.Millisecond}))
	var half []*client
	for range each {
		silent := connect(t, s)
		begun := connect(t, s)
		begun.write([]byte("AMQP"))
		started := connect(t, s)
		started.write([]byte(header))
		half = append(half, silent, begun, started, atTune(t, s), atOpen(t, s))
	}
	c := openChannel(t, s)
	for i, h := range half {
		if i%5 == 2 {
			h.skip(amqp.ConnectionStartID)
		}
		h.expectEnd()
	}
	c.ping() // its own handshake was in time
	if n := len(s.Broker.Connections()); n != 1 {
		t.Errorf("%d connections, want the one that is through", n)
	}
}

// TestProxiedClientsAreThoseTheyAre: with the PROXY protocol a connection bears the address that the proxy tells.
func TestProxiedClientsAreThoseTheyAre(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement(), amqptest.WithServer(server.Config{ProxyProtocol: true}))
	v2 := func(command, family byte, addresses string) string {
		return "\r\n\r\n\x00\r\nQUIT\n" + string([]byte{0x20 | command, family, 0, byte(len(addresses))}) + addresses
	}
	for _, c := range []struct {
		name, header, peer string // peer "": the socket's own
	}{
		{"v1 TCP4", "PROXY TCP4 127.0.0.77 127.0.0.1 4711 5672\r\n", "127.0.0.77:4711"},
		{"v1 TCP6", "PROXY TCP6 ::1 ::1 4712 5672\r\n", "[::1]:4712"},
		{"v1 UNKNOWN", "PROXY UNKNOWN\r\n", ""},
		{"v2 TCP4", v2(1, 0x11, "\x7f\x00\x00\x4d\x7f\x00\x00\x01\x12\x69\x16\x28"), "127.0.0.77:4713"},
		{"v2 LOCAL", v2(0, 0, ""), ""},
		{"v2 with a TLV", v2(1, 0x11, "\x7f\x00\x00\x4d\x7f\x00\x00\x01\x12\x6a\x16\x28\x04\x00\x02\x00\x00"), "127.0.0.77:4714"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := connect(t, s)
			want := c.peer
			if want == "" {
				want = p.socket.LocalAddr().String()
			}
			p.write([]byte(c.header))
			p.logIn(capabilities, "guest", "guest")
			p.skip(amqp.ConnectionTuneID)
			p.send(0, &amqp.ConnectionTuneOk{ChannelMax: 10, FrameMax: 4096})
			p.send(0, &amqp.ConnectionOpen{VirtualHost: "/"})
			p.expect(0, &amqp.ConnectionOpenOk{})
			i := s.Broker.Connections()[0].Info()
			if got := net.JoinHostPort(i.PeerHost, fmt.Sprint(i.PeerPort)); got != want {
				t.Errorf("peer %s, want %s", got, want)
			}
			p.close()
			eventually(t, "it is gone", func() bool { return len(s.Broker.Connections()) == 0 })
		})
	}
}

// TestGuestFromAProxyIsWhereHeIs: the loopback rule asks for the client's address, not the proxy's.
func TestGuestFromAProxyIsWhereHeIs(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement(), amqptest.WithServer(server.Config{ProxyProtocol: true}))
	p := connect(t, s)
	p.write([]byte("PROXY TCP4 192.0.2.1 127.0.0.1 4711 5672\r\n"))
	p.logIn(capabilities, "guest", "guest")
	p.expect(0, refused)
}

// TestProxyHeaderIsRequired, well-formed, when it is asked for.
func TestProxyHeaderIsRequired(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement(), amqptest.WithServer(server.Config{ProxyProtocol: true}))
	for _, h := range []string{
		"", "AMQP\x00\x00\x09\x01", "PROXY TCP4 127.0.0.1\r\n", "PROXY TCP4 127.0.0.1 127.0.0.1 99999 1\r\n", "PROXY " + fmt.Sprint(make([]int, 200)),
		"\r\n\r\n\x00\r\nQUIT\n\x21\x11\xff\xff" + string(make([]byte, 100)), "\r\n\r\n\x00\r\nQUIT\n\x31\x11\x00\x0c" + string(make([]byte, 12)),
	} {
		c := connect(t, s)
		c.write([]byte(h))
		c.socket.CloseWrite()
		if got := c.readAll(); len(got) != 0 {
			t.Errorf("%q is answered with %q", h, got)
		}
	}
}
