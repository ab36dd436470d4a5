package core_test

import (
	"bytes"
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/amqptest"
	"github.com/warren-mq/warren/broker"
)

// properties renders properties as on the wire.
func properties(p amqp.Properties) []byte { return p.Append(nil) }

// headers are properties with this header only.
func headers(name string, value any) []byte {
	return properties(amqp.Properties{Flags: amqp.FlagHeaders, Headers: amqp.AppendTableBody(nil, amqp.Table{{Name: name, Value: value}})})
}

// channelErrors are what closes channel 1, on which "q" is declared and holds one message that was got (tag 1).
var channelErrors = []struct {
	name  string
	bytes []byte
	want  amqp.Method
}{
	{"publish to a missing exchange", message(1, &amqp.BasicPublish{Exchange: []byte("none")}, nil, []byte("x")),
		closed(404, "NOT_FOUND - no exchange 'none' in vhost '/'", amqp.BasicPublishID)},
	{"empty publish to a missing exchange", message(1, &amqp.BasicPublish{Exchange: []byte("none")}, nil, nil),
		closed(404, "NOT_FOUND - no exchange 'none' in vhost '/'", amqp.BasicPublishID)},
	{"publish to an internal exchange", message(1, &amqp.BasicPublish{Exchange: []byte("inside")}, nil, []byte("x")),
		closed(403, "ACCESS_REFUSED - cannot publish to internal exchange 'inside' in vhost '/'", amqp.BasicPublishID)},
	{"body above the limit", message(1, to("q"), nil, make([]byte, messageLimit+1)),
		closed(406, "PRECONDITION_FAILED - message size 100001 is larger than configured max size 100000", amqp.BasicPublishID)},
	{"body above the limit in several frames", message(1, to("q"), nil, make([]byte, 3*131072)),
		closed(406, "PRECONDITION_FAILED - message size 393216 is larger than configured max size 100000", amqp.BasicPublishID)},
	{"expiration that is no number", message(1, to("q"), properties(amqp.Properties{Flags: amqp.FlagExpiration, Expiration: []byte("abc")}), nil),
		closed(406, "PRECONDITION_FAILED - invalid expiration 'abc': no_integer", amqp.BasicPublishID)},
	{"unknown delivery mode", message(1, to("q"), properties(amqp.Properties{Flags: amqp.FlagDeliveryMode, DeliveryMode: 3}), nil),
		closed(406, "PRECONDITION_FAILED - invalid message: {delivery_mode_unknown,3}", amqp.BasicPublishID)},
	{"somebody else's user id", message(1, to("q"), properties(amqp.Properties{Flags: amqp.FlagUserID, UserID: []byte("bob")}), nil),
		closed(406, "PRECONDITION_FAILED - user_id property set to 'bob' but authenticated user was 'guest'", amqp.BasicPublishID)},
	{"CC that is no array", message(1, to("q"), headers("CC", "key"), nil),
		closed(406, `PRECONDITION_FAILED - invalid message: {unacceptable_type_in_header,"CC",longstr}`, amqp.BasicPublishID)},

	{"ack twice", join(methodFrame(1, &amqp.BasicAck{DeliveryTag: 1}), methodFrame(1, &amqp.BasicAck{DeliveryTag: 1})),
		closed(406, "PRECONDITION_FAILED - unknown delivery tag 1", amqp.BasicAckID)},
	{"ack of an unknown tag", methodFrame(1, &amqp.BasicAck{DeliveryTag: 2}),
		closed(406, "PRECONDITION_FAILED - unknown delivery tag 2", amqp.BasicAckID)},
	{"ack of tag 0", methodFrame(1, &amqp.BasicAck{}),
		closed(406, "PRECONDITION_FAILED - unknown delivery tag 0", amqp.BasicAckID)},
	{"ack of many up to an unknown tag", methodFrame(1, &amqp.BasicAck{DeliveryTag: 18446744073709551615, Multiple: true}),
		closed(406, "PRECONDITION_FAILED - unknown delivery tag 18446744073709551615", amqp.BasicAckID)},
	{"nack of an unknown tag", methodFrame(1, &amqp.BasicNack{DeliveryTag: 9}),
		closed(406, "PRECONDITION_FAILED - unknown delivery tag 9", amqp.BasicNackID)},
	{"reject of an unknown tag", methodFrame(1, &amqp.BasicReject{DeliveryTag: 9}),
		closed(406, "PRECONDITION_FAILED - unknown delivery tag 9", amqp.BasicRejectID)},

	{"get from a missing queue", methodFrame(1, &amqp.BasicGet{Queue: "none"}),
		closed(404, "NOT_FOUND - no queue 'none' in vhost '/'", amqp.BasicGetID)},
	{"consume from a missing queue without waiting", methodFrame(1, &amqp.BasicConsume{Queue: "none", NoWait: true}),
		closed(404, "NOT_FOUND - no queue 'none' in vhost '/'", amqp.BasicConsumeID)},
	{"commit without a transaction", methodFrame(1, &amqp.TxCommit{}),
		closed(406, "PRECONDITION_FAILED - channel is not transactional", amqp.TxCommitID)},
	{"confirms in a transaction", join(methodFrame(1, &amqp.TxSelect{}), methodFrame(1, &amqp.ConfirmSelect{})),
		closed(406, "PRECONDITION_FAILED - cannot switch from tx to confirm mode", amqp.ConfirmSelectID)},
	{"somebody else's exclusive queue", methodFrame(1, &amqp.QueuePurge{Queue: "theirs"}),
		closed(405, "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'theirs' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.", amqp.QueuePurgeID)},
}

const messageLimit = 100_000

// TestChannelErrorsCloseTheChannel with RabbitMQ's words, and only that one: other channels of the connection and other
// connections go on, what the channel held is ready again, and its number can be used again after close-ok.
func TestChannelErrorsCloseTheChannel(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement(), amqptest.WithBroker(broker.Config{MaxMessageSize: messageLimit}))
	bystander := openChannel(t, s)
	bystander.declare("theirs")
	bystander.send(1, &amqp.ExchangeDeclare{Exchange: "inside", Type: "direct", Internal: true})
	bystander.expect(1, &amqp.ExchangeDeclareOk{})
	for _, bad := range channelErrors {
		t.Run(bad.name, func(t *testing.T) {
			c := openChannel(t, s)
			c.openChannels(2, 2)
			c.declare("q")
			c.publish(1, to("q"), nil, []byte("held"))
			c.send(1, &amqp.BasicGet{Queue: "q"})
			c.skip(amqp.BasicGetOkID)
			c.body()
			c.write(bad.bytes)
			_, m := c.method()
			for m.ID() == amqp.TxSelectOkID {
				_, m = c.method()
			}
			if !bytes.Equal(m.Append(nil), bad.want.Append(nil)) {
				t.Errorf("got %+v, want %+v", m, bad.want)
			}
			c.ignoredUntilCloseOk()
			if bad.name != "ack twice" {
				c.send(2, &amqp.BasicGet{Queue: "q"})
				if m := c.skip(amqp.BasicGetOkID).(*amqp.BasicGetOk); !m.Redelivered {
					t.Error("what the channel held is not marked as redelivered")
				}
				c.body()
			}
			c.openChannels(1, 1)
			c.ping()
			c.close()
		})
		bystander.ping()
	}
}

// ignoredUntilCloseOk sends on channel 1, which the server has closed, what must be ignored, then answers.
func (c *client) ignoredUntilCloseOk() {
	c.t.Helper()
	c.write(join(
		message(1, to("q"), nil, []byte("ignored")),
		message(1, &amqp.BasicPublish{Exchange: []byte("none")}, nil, bytes.Repeat([]byte("large"), 100_000)),
		methodFrame(1, &amqp.BasicAck{DeliveryTag: 77}),
		methodFrame(1, &amqp.QueueDeclare{Queue: "not made"}),
		methodFrame(1, &amqp.BasicGet{Queue: "none"}),
		methodFrame(1, &amqp.BasicQos{PrefetchSize: 1}),
		methodFrame(1, &amqp.ChannelClose{ReplyCode: 200}),
	))
	c.expect(1, &amqp.ChannelCloseOk{}) // both sides close at once
	c.send(2, &amqp.QueueDeclare{Queue: "q", Passive: true})
	if m := c.skip(amqp.QueueDeclareOkID).(*amqp.QueueDeclareOk); m.MessageCount > 1 {
		c.t.Errorf("%d messages: what came after the error counted", m.MessageCount)
	}
	c.send(1, &amqp.ChannelCloseOk{})
}

// TestMessageOfTheLimitPasses, to the octet, in one frame and in many.
func TestMessageOfTheLimitPasses(t *testing.T) {
	const limit = 400_000
	s := amqptest.NewServer(t, amqptest.WithoutManagement(), amqptest.WithBroker(broker.Config{MaxMessageSize: limit}))
	c := openChannel(t, s)
	c.declare("q")
	for _, size := range []int{0, 1, 131064, 131072, 262128, limit} {
		sent := bytes.Repeat([]byte{byte(size), 1, 2, 3, 4}, limit/5+1)[:size]
		c.publish(1, to("q"), nil, sent)
		c.send(1, &amqp.BasicGet{Queue: "q", NoAck: true})
		c.skip(amqp.BasicGetOkID)
		if got := c.body(); !bytes.Equal(got, sent) {
			t.Errorf("%d octets came back as %d, or changed", len(sent), len(got))
		}
	}
}

// TestBodyInManySmallFrames, empty ones among them.
func TestBodyInManySmallFrames(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement())
	c := openChannel(t, s)
	c.declare("q")
	b := join(methodFrame(1, to("q")), contentHeader(1, 60, 0, 1000))
	want := []byte{}
	for n := range 1000 {
		want = append(want, byte(n))
		b = join(b, rawFrame(amqp.FrameBody, 1, ""), rawFrame(amqp.FrameBody, 1, string([]byte{byte(n)})))
	}
	c.write(b)
	c.send(1, &amqp.BasicGet{Queue: "q", NoAck: true})
	c.skip(amqp.BasicGetOkID)
	if got := c.body(); !bytes.Equal(got, want) {
		t.Errorf("the body changed")
	}
}

// TestContentsOfSeveralChannelsMayAlternate frame by frame.
func TestContentsOfSeveralChannelsMayAlternate(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement())
	c := openChannel(t, s)
	c.declare("q")
	const channels = 50
	c.openChannels(2, channels)
	var stages [4][]byte
	for n := range uint16(channels) {
		stages[0] = join(stages[0], methodFrame(n+1, to("q")))
		stages[1] = join(stages[1], contentHeader(n+1, 60, 0, 2))
		stages[2] = join(stages[2], rawFrame(amqp.FrameBody, n+1, string([]byte{byte(n)})))
		stages[3] = join(stages[3], rawFrame(amqp.FrameBody, n+1, string([]byte{byte(n)})))
	}
	for _, stage := range stages {
		c.write(stage)
		c.send(0, &amqp.ConnectionUpdateSecret{NewSecret: []byte("s"), Reason: "r"}) // has its answer once the stage is read
		c.expect(0, &amqp.ConnectionUpdateSecretOk{})
	}
	for n := range channels {
		c.send(1, &amqp.BasicGet{Queue: "q", NoAck: true})
		c.skip(amqp.BasicGetOkID)
		if got := c.body(); !bytes.Equal(got, []byte{byte(n), byte(n)}) {
			t.Fatalf("message %d is % x", n, got)
		}
	}
}

// TestReturnComesBeforeTheConfirm of the same publish, also when many come in one read.
func TestReturnComesBeforeTheConfirm(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement())
	c := openChannel(t, s)
	c.declare("q")
	c.send(1, &amqp.ConfirmSelect{})
	c.expect(1, &amqp.ConfirmSelectOk{})
	var all []byte
	const count = 100
	for n := range count {
		all = join(all, message(1, &amqp.BasicPublish{RoutingKey: []byte("none"), Mandatory: true}, nil, []byte{byte(n)}), message(1, to("q"), nil, nil))
	}
	c.write(all)
	returned, confirmed := 0, uint64(0)
	for confirmed < 2*count {
		switch _, m := c.method(); m := m.(type) {
		case *amqp.BasicReturn:
			if body := c.body(); int(body[0]) != returned || m.ReplyCode != 312 || m.ReplyText != "NO_ROUTE" {
				t.Fatalf("return %d: %+v of % x", returned, m, body)
			}
			returned++
		case *amqp.BasicAck:
			confirmed = m.DeliveryTag
			if need := int(confirmed+1) / 2; returned < need {
				t.Fatalf("%d publishes are confirmed after %d returns, want %d", confirmed, returned, need)
			}
		default:
			t.Fatalf("got %v", m.ID())
		}
	}
}
