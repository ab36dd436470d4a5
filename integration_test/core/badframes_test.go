package core_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/amqptest"
)

// raw is a method frame of any class, method and arguments.
func raw(channel uint16, class, method byte, args string) []byte {
	return rawFrame(amqp.FrameMethod, channel, string([]byte{0, class, 0, method})+args)
}

func join(parts ...[]byte) (all []byte) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func methodFrame(channel uint16, m amqp.Method) []byte { return amqp.AppendMethod(nil, channel, m) }

// contentHeader is a header frame without properties.
func contentHeader(channel, class, weight uint16, size uint64) []byte {
	b := amqp.AppendContentHeader(nil, channel, class, size, []byte{0, 0})
	b[amqp.FrameHeaderSize+2], b[amqp.FrameHeaderSize+3] = byte(weight>>8), byte(weight)
	return b
}

// badFrames are what breaks a connection with channel 1 open, and what the client is told. Where RabbitMQ resets the
// connection without a frame, Warren tells why.
var badFrames = []struct {
	name  string
	bytes []byte
	want  amqp.Method
}{
	{"frame too large", []byte{1, 0, 1, 0, 2, 0, 1},
		closed(501, "FRAME_ERROR - type 1, all octets = <<>>: {frame_too_large,131073,131064}", 0)},
	{"frame of 4 GiB", []byte{3, 0, 1, 255, 255, 255, 255},
		closed(501, "FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,4294967295,131064}", 0)},
	{"wrong end octet", []byte{1, 0, 1, 0, 0, 0, 4, 0, 60, 0, 10, 0},
		closed(501, "FRAME_ERROR - type 1, all octets = <<0,60,0,10>>: {invalid_frame_end_marker,0}", 0)},
	{"unknown type", rawFrame(9, 1, "abc"),
		closed(501, `FRAME_ERROR - type 9, all octets = <<"abc">>: unknown_frame`, 0)},
	{"type 4", rawFrame(4, 0, ""),
		closed(501, "FRAME_ERROR - type 4, all octets = <<>>: unknown_frame", 0)},
	{"method too short to be one", rawFrame(amqp.FrameMethod, 1, "\x00\x3c\x00"),
		closed(501, "FRAME_ERROR - type 1, all octets = <<0,60,0>>: unknown_frame", 0)},
	{"header too short to be one", join(methodFrame(1, to("q")), rawFrame(amqp.FrameHeader, 1, "\x00\x3c\x00\x00")),
		closed(501, "FRAME_ERROR - type 2, all octets = <<0,60,0,0>>: unknown_frame", 0)},
	{"heartbeat with a payload", rawFrame(amqp.FrameHeartbeat, 0, "x"),
		closed(501, `FRAME_ERROR - type 8, all octets = <<"x">>: unknown_frame`, 0)},
	{"heartbeat on a channel", rawFrame(amqp.FrameHeartbeat, 1, ""),
		closed(505, "UNEXPECTED_FRAME - type 8, all octets = <<>>", 0)},
	{"body on channel 0", rawFrame(amqp.FrameBody, 0, "abc"),
		closed(505, `UNEXPECTED_FRAME - type 3, all octets = <<"abc">>`, 0)},

	{"header without a method", contentHeader(1, 60, 0, 1),
		closed(505, "UNEXPECTED_FRAME - expected method frame, got non method frame instead", 0)},
	{"body without a method", rawFrame(amqp.FrameBody, 1, "x"),
		closed(505, "UNEXPECTED_FRAME - expected method frame, got non method frame instead", 0)},
	{"body on a channel that is not open", rawFrame(amqp.FrameBody, 7, "x"),
		closed(505, "UNEXPECTED_FRAME - expected method frame, got non method frame instead", 0)},
	{"method instead of a header", join(methodFrame(1, to("q")), methodFrame(1, &amqp.ChannelFlow{Active: true})),
		closed(505, "UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead", amqp.BasicPublishID)},
	{"body instead of a header", join(methodFrame(1, to("q")), rawFrame(amqp.FrameBody, 1, "x")),
		closed(505, "UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead", amqp.BasicPublishID)},
	{"header with a weight", join(methodFrame(1, to("q")), contentHeader(1, 60, 1, 0)),
		closed(505, "UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead", amqp.BasicPublishID)},
	{"header of another class", join(methodFrame(1, to("q")), contentHeader(1, 50, 0, 0)),
		closed(505, "UNEXPECTED_FRAME - expected content header for class 60, got one for class 50 instead", amqp.BasicPublishID)},
	{"method instead of a body", join(methodFrame(1, to("q")), contentHeader(1, 60, 0, 1), methodFrame(1, to("q"))),
		closed(505, "UNEXPECTED_FRAME - expected content body, got non content body frame instead", amqp.BasicPublishID)},
	{"header instead of a body", join(methodFrame(1, to("q")), contentHeader(1, 60, 0, 1), contentHeader(1, 60, 0, 1)),
		closed(505, "UNEXPECTED_FRAME - expected content body, got non content body frame instead", amqp.BasicPublishID)},
	{"header after an empty body", join(methodFrame(1, to("q")), contentHeader(1, 60, 0, 0), contentHeader(1, 60, 0, 0)),
		closed(505, "UNEXPECTED_FRAME - expected method frame, got non method frame instead", 0)},
	{"method after a surplus of body",
		join(methodFrame(1, to("q")), contentHeader(1, 60, 0, 1), rawFrame(amqp.FrameBody, 1, "xx"), methodFrame(1, to("q"))),
		closed(505, "UNEXPECTED_FRAME - expected content body, got non content body frame instead", amqp.BasicPublishID)},

	{"unknown class", raw(1, 99, 10, ""), closed(503, "COMMAND_INVALID - unknown method: class 99, method 10", amqp.MethodID(99<<16|10))},
	{"unknown method", raw(1, 60, 199, ""), closed(503, "COMMAND_INVALID - unknown method: class 60, method 199", amqp.MethodID(60<<16|199))},
	{"server's method", methodFrame(1, &amqp.QueueDeclareOk{Queue: "q"}),
		closed(503, "COMMAND_INVALID - unimplemented method", amqp.QueueDeclareOkID)},
	{"channel.close-ok out of place", methodFrame(1, &amqp.ChannelCloseOk{}),
		closed(503, "COMMAND_INVALID - unimplemented method", amqp.ChannelCloseOkID)},
	{"method on a channel that is not open", methodFrame(2, &amqp.BasicGet{Queue: "q"}),
		closed(504, "CHANNEL_ERROR - expected 'channel.open'", amqp.BasicGetID)},
	{"channel opened twice", methodFrame(1, &amqp.ChannelOpen{}),
		closed(504, "CHANNEL_ERROR - second 'channel.open' seen", amqp.ChannelOpenID)},
	{"basic.get on channel 0", methodFrame(0, &amqp.BasicGet{}),
		closed(504, "CHANNEL_ERROR - unexpected method in connection state running", amqp.BasicGetID)},
	{"channel.open on channel 0", methodFrame(0, &amqp.ChannelOpen{}),
		closed(504, "CHANNEL_ERROR - unexpected method in connection state running", amqp.ChannelOpenID)},
	{"second connection.open", methodFrame(0, &amqp.ConnectionOpen{VirtualHost: "/"}),
		closed(504, "CHANNEL_ERROR - unexpected method in connection state running", amqp.ConnectionOpenID)},
	{"late tune-ok", methodFrame(0, &amqp.ConnectionTuneOk{ChannelMax: 1, FrameMax: 4096}),
		closed(504, "CHANNEL_ERROR - unexpected method in connection state running", amqp.ConnectionTuneOkID)},
	{"connection.close on a channel", methodFrame(1, &amqp.ConnectionClose{}),
		closed(503, "COMMAND_INVALID - unimplemented method", amqp.ConnectionCloseID)},

	{"arguments too short", raw(1, 60, 70, "\x00\x00\x05ab"),
		closed(501, "FRAME_ERROR - cannot decode <<0,0,5,97,98>>", amqp.BasicGetID)},
	{"arguments too long", raw(1, 60, 70, "\x00\x00\x01q\x00more"),
		closed(501, "FRAME_ERROR - cannot decode <<0,0,1,113,0,109,111,114,101>>", amqp.BasicGetID)},
	{"short string that is not UTF-8", raw(1, 60, 70, "\x00\x00\x02\xff\xfe\x00"),
		closed(501, "FRAME_ERROR - Malformed UTF-8 in shortstr", 0)},
	{"arguments too short on channel 0", raw(0, 60, 70, "\x00\x00\x05ab"),
		closed(501, "FRAME_ERROR - cannot decode <<0,0,5,97,98>>", amqp.BasicGetID)},
	{"arguments too short on a channel that is not open", raw(2, 60, 70, "\x00\x00\x05ab"),
		closed(501, "FRAME_ERROR - cannot decode <<0,0,5,97,98>>", amqp.BasicGetID)},
	{"arguments too short after a channel error", join(methodFrame(1, &amqp.BasicAck{DeliveryTag: 5}), raw(1, 60, 70, "\x00\x00\x05ab")),
		closed(501, "FRAME_ERROR - cannot decode <<0,0,5,97,98>>", amqp.BasicGetID)},
	{"channel opened again before close-ok", join(methodFrame(1, &amqp.BasicAck{DeliveryTag: 5}), methodFrame(1, &amqp.ChannelOpen{})),
		closed(504, "CHANNEL_ERROR - second 'channel.open' seen", amqp.ChannelOpenID)},
	{"frame out of order after a channel error", join(methodFrame(1, &amqp.BasicAck{DeliveryTag: 5}), rawFrame(amqp.FrameBody, 1, "x")),
		closed(505, "UNEXPECTED_FRAME - expected method frame, got non method frame instead", 0)},
	{"table with an unknown type", raw(1, 50, 10, "\x00\x00\x01q\x00\x00\x00\x00\x03\x01xU"), nil},
	{"table that is cut off", raw(1, 50, 10, "\x00\x00\x01q\x00\x00\x00\x00\x04\x01xS\x00"), nil},

	{"channel.flow off", methodFrame(1, &amqp.ChannelFlow{}), closed(540, "NOT_IMPLEMENTED - active=false", amqp.ChannelFlowID)},
	{"basic.qos with a size", methodFrame(1, &amqp.BasicQos{PrefetchSize: 100}),
		closed(540, "NOT_IMPLEMENTED - prefetch_size!=0 (100)", amqp.BasicQosID)},
	{"basic.recover without requeue", methodFrame(1, &amqp.BasicRecover{}),
		closed(540, "NOT_IMPLEMENTED - requeue=false", amqp.BasicRecoverID)},
	{"immediate publish", join(message(1, &amqp.BasicPublish{RoutingKey: []byte("q"), Immediate: true}, nil, []byte("x"))),
		closed(540, "NOT_IMPLEMENTED - immediate=true", amqp.BasicPublishID)},
	{"undecodable headers", message(1, to("q"), []byte("\x20\x00\x00\x00\x00\x03\x01xU"), nil), closed(541, "INTERNAL_ERROR", 0)},
	{"properties that are cut off", message(1, to("q"), []byte("\x80\x00\x05ab"), nil), closed(541, "INTERNAL_ERROR", 0)},
}

// connectionClose skips channel.close and returns what closes the connection.
func (c *client) connectionClose() amqp.Method {
	c.t.Helper()
	_, m := c.method()
	for m.ID() == amqp.ChannelCloseID {
		_, m = c.method()
	}
	if m.ID() != amqp.ConnectionCloseID {
		c.t.Fatalf("got %v %+v, want connection.close", m.ID(), m)
	}
	return m
}

// TestBadFramesCloseTheConnection with RabbitMQ's words, and only that one.
func TestBadFramesCloseTheConnection(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement())
	bystander := openChannel(t, s)
	for _, bad := range badFrames {
		t.Run(bad.name, func(t *testing.T) {
			c := openChannel(t, s)
			c.write(bad.bytes)
			e := c.connectionClose().(*amqp.ConnectionClose)
			switch {
			case bad.want != nil:
				if !bytes.Equal(e.Append(nil), bad.want.Append(nil)) {
					t.Errorf("got %+v, want %+v", e, bad.want)
				}
			case e.ReplyCode != 502 || !strings.HasPrefix(e.ReplyText, "SYNTAX_ERROR - "):
				t.Errorf("got %+v, want 502", e)
			}
			c.socket.Close()
		})
		bystander.ping()
	}
	bystander.declare("after")
}

// TestBadFramesInTheSameReadAsGoodOnes: what came before counts.
func TestBadFramesInTheSameReadAsGoodOnes(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement())
	watcher := openChannel(t, s)
	watcher.send(1, &amqp.QueueDeclare{Queue: "q"})
	watcher.skip(amqp.QueueDeclareOkID)
	for i, bad := range badFrames {
		c := openChannel(t, s)
		c.write(join(message(1, to("q"), nil, []byte("before")), bad.bytes))
		c.connectionClose()
		c.socket.Close()
		watcher.send(1, &amqp.BasicGet{Queue: "q", NoAck: true})
		if _, m := watcher.method(); m.ID() != amqp.BasicGetOkID {
			t.Fatalf("%s (%d): the message before it is lost", bad.name, i)
		}
		watcher.body()
	}
}

// TestBadFramesOctetByOctet: it makes no difference in which pieces they come.
func TestBadFramesOctetByOctet(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement())
	for _, bad := range badFrames {
		t.Run(bad.name, func(t *testing.T) {
			c := openChannel(t, s)
			c.socket.SetNoDelay(true)
			for _, b := range bad.bytes {
				if _, err := c.socket.Write([]byte{b}); err != nil {
					break // answered before its end
				}
			}
			if m := c.connectionClose(); bad.want != nil && string(m.Append(nil)) != string(bad.want.Append(nil)) {
				t.Errorf("got %+v, want %+v", m, bad.want)
			}
			c.socket.Close()
		})
	}
}

// TestClientsThatVanish at any octet of a message leave nothing behind.
func TestClientsThatVanish(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement())
	watcher := openChannel(t, s)
	all := join(methodFrame(1, &amqp.QueueDeclare{Queue: "theirs", Exclusive: true, NoWait: true}), message(1, to("theirs"), nil, []byte("body")))
	for n := range all {
		c := openChannel(t, s)
		c.write(all[:n])
		if n%2 == 0 {
			c.socket.SetLinger(0) // a reset instead of an end
		}
		c.socket.Close()
	}
	eventually(t, "only the watcher is connected", func() bool { return len(s.Broker.Connections()) == 1 })
	vh, _ := s.Broker.VHost("/")
	eventually(t, "no queue is left", func() bool { return vh.QueueCount() == 0 })
	watcher.ping()
}

// TestStrayHeartbeatsAreIgnored, however many, and also before the connection is open.
func TestStrayHeartbeatsAreIgnored(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement())
	c := connect(t, s)
	beats := []byte{}
	for range 1000 {
		beats = amqp.AppendHeartbeat(beats)
	}
	c.logIn(capabilities, "guest", "guest")
	c.write(beats)
	c.skip(amqp.ConnectionTuneID)
	c.send(0, &amqp.ConnectionTuneOk{ChannelMax: 10, FrameMax: 4096})
	c.write(beats)
	c.send(0, &amqp.ConnectionOpen{VirtualHost: "/"})
	c.expect(0, &amqp.ConnectionOpenOk{})
	c.openChannels(1, 1)
	c.write(join(methodFrame(1, to("q")), beats, contentHeader(1, 60, 0, 2), beats, rawFrame(amqp.FrameBody, 1, "x"), beats, rawFrame(amqp.FrameBody, 1, "y"), beats))
	c.ping()
}

// TestTenThousandChannels: the negotiated number can be opened, one more closes the connection.
func TestTenThousandChannels(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement())
	bystander := openChannel(t, s)
	c := open(t, s)
	var all []byte
	for n := range uint16(10_000) {
		all = amqp.AppendMethod(all, n+1, &amqp.ChannelOpen{})
	}
	go c.socket.Write(all)
	for n := range uint16(2047) {
		c.expect(n+1, &amqp.ChannelOpenOk{})
	}
	c.expect(0, closed(530, "NOT_ALLOWED - number of channels opened (2047) has reached the negotiated channel_max (2047)", 0))
	c.send(0, &amqp.ConnectionCloseOk{})
	bystander.ping()
	eventually(t, "it is gone", func() bool { return len(s.Broker.Connections()) == 1 })
}

// TestChannelMaxIsTheNegotiatedOne, not the offered one; the numbers themselves are free.
func TestChannelMaxIsTheNegotiatedOne(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement())
	c := connect(t, s)
	c.logIn(capabilities, "guest", "guest")
	c.skip(amqp.ConnectionTuneID)
	c.send(0, &amqp.ConnectionTuneOk{ChannelMax: 2, FrameMax: 4096})
	c.send(0, &amqp.ConnectionOpen{VirtualHost: "/"})
	c.expect(0, &amqp.ConnectionOpenOk{})
	c.openChannels(65535, 65535)
	c.openChannels(1000, 1000)
	c.send(65535, &amqp.ChannelClose{})
	c.expect(65535, &amqp.ChannelCloseOk{})
	c.openChannels(3, 3)
	c.send(4, &amqp.ChannelOpen{})
	c.expect(0, closed(530, "NOT_ALLOWED - number of channels opened (2) has reached the negotiated channel_max (2)", 0))
}

// TestFrameMaxIsTheNegotiatedOne: a payload of frame_max passes, as in RabbitMQ, one octet more does not.
func TestFrameMaxIsTheNegotiatedOne(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement())
	for size, passes := range map[int]bool{4096: true, 4097: false} {
		c := connect(t, s)
		c.logIn(capabilities, "guest", "guest")
		c.skip(amqp.ConnectionTuneID)
		c.send(0, &amqp.ConnectionTuneOk{ChannelMax: 2, FrameMax: 4096})
		c.send(0, &amqp.ConnectionOpen{VirtualHost: "/"})
		c.expect(0, &amqp.ConnectionOpenOk{})
		c.openChannels(1, 1)
		c.write(join(methodFrame(1, to("q")), contentHeader(1, 60, 0, uint64(size)), rawFrame(amqp.FrameBody, 1, string(make([]byte, size)))))
		if passes {
			c.ping()
		} else {
			c.expect(0, closed(501, "FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,4097,4088}", 0))
		}
		c.socket.Close()
	}
}
