package core_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/amqptest"
	"github.com/warren-mq/warren/broker"
)

func fields(pairs ...any) amqp.Table {
	var t amqp.Table
	for i := 0; i < len(pairs); i += 2 {
		t = append(t, amqp.Field{Name: pairs[i].(string), Value: pairs[i+1]})
	}
	return t
}

func withHeaders(pairs ...any) []byte {
	p := amqp.Properties{Flags: amqp.FlagHeaders | amqp.FlagDeliveryMode, DeliveryMode: 2, Headers: amqp.AppendTableBody(nil, fields(pairs...))}
	return p.Append(nil)
}

// delayExchange declares an exchange of the plugin's type, and a queue q that is bound to it with the key k.
func (c *client) delayExchange(name string, arguments ...any) {
	c.t.Helper()
	c.send(1, &amqp.ExchangeDeclare{Exchange: name, Type: "x-delayed-message", Arguments: fields(append(arguments, "x-delayed-type", "direct")...)})
	c.expect(1, &amqp.ExchangeDeclareOk{})
}

func (c *client) bound(queue, exchange, key string) {
	c.t.Helper()
	c.send(1, &amqp.QueueDeclare{Queue: queue, Exclusive: true})
	c.skip(amqp.QueueDeclareOkID)
	c.send(1, &amqp.QueueBind{Queue: queue, Exchange: exchange, RoutingKey: key})
	c.expect(1, &amqp.QueueBindOk{})
}

func (c *client) consume(queue string) {
	c.t.Helper()
	c.send(1, &amqp.BasicConsume{Queue: queue, ConsumerTag: queue, NoAck: true})
	c.expect(1, &amqp.BasicConsumeOk{ConsumerTag: queue})
}

// delivery is a message as it came.
type delivery struct {
	exchange, key, body string
	headers             amqp.Table
}

// content waits for header and body of a message.
func (c *client) content() (headers amqp.Table, body string) {
	c.t.Helper()
	f, err := c.frame()
	if err != nil || f.Type != amqp.FrameHeader {
		c.t.Fatalf("got a frame of type %d, %v; want a header", f.Type, err)
	}
	h, err := amqp.DecodeContentHeader(f.Payload)
	if err != nil {
		c.t.Fatal(err)
	}
	var p amqp.Properties
	if err := p.Decode(h.Properties); err != nil {
		c.t.Fatal(err)
	}
	if headers, err = p.Headers.Decode(); err != nil {
		c.t.Fatal(err)
	}
	for uint64(len(body)) < h.BodySize {
		if f, err = c.frame(); err != nil || f.Type != amqp.FrameBody {
			c.t.Fatalf("got a frame of type %d, %v; want a body", f.Type, err)
		}
		body += string(f.Payload)
	}
	return headers, body
}

func (c *client) delivered() delivery {
	c.t.Helper()
	m := c.skip(amqp.BasicDeliverID).(*amqp.BasicDeliver)
	d := delivery{exchange: string(m.Exchange), key: string(m.RoutingKey)}
	d.headers, d.body = c.content()
	return d
}

func TestADelayedExchangeNeedsAnInnerType(t *testing.T) {
	s := amqptest.NewServer(t)
	for _, row := range []struct {
		arguments amqp.Table
		code      amqp.ReplyCode
		text      string
	}{
		{nil, amqp.PreconditionFailed, "PRECONDITION_FAILED - Invalid argument, 'x-delayed-type' must be an existing exchange type"},
		{fields("x-delayed-type", int64(5)), amqp.PreconditionFailed, "PRECONDITION_FAILED - Invalid argument, 'x-delayed-type' must be an existing exchange type"},
		{fields("x-delayed-type", "x-delayed-message"), amqp.PreconditionFailed, "PRECONDITION_FAILED - Invalid argument, 'x-delayed-message' can't be used for 'x-delayed-type'"},
		{fields("x-delayed-type", "nothing"), amqp.CommandInvalid, "COMMAND_INVALID - unknown exchange type 'nothing'"},
	} {
		c := openChannel(t, s)
		c.send(1, &amqp.ExchangeDeclare{Exchange: "x", Type: "x-delayed-message", Arguments: row.arguments})
		ch := uint16(1)
		if row.code.Hard() {
			ch = 0
		}
		c.expect(ch, closed(row.code, row.text, amqp.ExchangeDeclareID))
	}
}

// TestDelayedDeliveries goes through the table of the plugin's behaviour: what is delayed, and how it is delivered.
func TestDelayedDeliveries(t *testing.T) {
	s := amqptest.NewServer(t)
	c := openChannel(t, s)
	c.delayExchange("x")
	c.bound("q", "x", "k")
	c.consume("q")
	for _, row := range []struct {
		headers, want amqp.Table
		delay         time.Duration
	}{
		{fields("x-delay", int32(80), "b", "c"), fields("b", "c", "x-delay", int32(-80)), 80},
		{fields("x-delay", int64(30)), fields("x-delay", int32(-30)), 30},
		{fields("x-delay", "30"), fields("x-delay", int32(-30)), 30},
		{fields("x-delay", 30.9), fields("x-delay", int32(-30)), 30},
		{fields("x-delay", int32(0)), fields("x-delay", int32(0)), 0},
		{fields("x-delay", int32(-5000)), fields("x-delay", int32(-5000)), 0},
		{fields("x-delay", int64(1<<32)), fields("x-delay", int64(1<<32)), 0},
		{fields("x-delay", true), fields("x-delay", true), 0},
		{fields("a", "b"), fields("a", "b"), 0},
		{fields("x-deliver-at", int64(1)), fields("x-deliver-at", int64(1)), 0},
	} {
		before := time.Now()
		c.publish(1, &amqp.BasicPublish{Exchange: []byte("x"), RoutingKey: []byte("k")}, headersOf(row.headers), []byte("body"))
		d := c.delivered()
		if after := time.Since(before); after < row.delay*time.Millisecond {
			t.Errorf("%v: delivered after %v", row.headers, after)
		}
		if fmt.Sprintf("%#v", d.headers) != fmt.Sprintf("%#v", row.want) || d.exchange != "x" || d.key != "k" || d.body != "body" {
			t.Errorf("%v: got %+v", row.headers, d)
		}
	}
	at := time.Now().Add(60 * time.Millisecond)
	c.publish(1, &amqp.BasicPublish{Exchange: []byte("x"), RoutingKey: []byte("k")}, withHeaders("x-deliver-at", at.UnixMilli()), []byte("at"))
	if c.delivered(); time.Now().UnixMilli() < at.UnixMilli() {
		t.Error("delivered too early")
	}
}

func headersOf(t amqp.Table) []byte {
	p := amqp.Properties{Flags: amqp.FlagHeaders, Headers: amqp.AppendTableBody(nil, t)}
	return p.Append(nil)
}

// TestADelayedMandatoryMessageIsReturnedAtOnceThoughItWillBeRouted, and confirmed: so the plugin.
func TestADelayedMandatoryMessageIsReturnedAtOnceThoughItWillBeRouted(t *testing.T) {
	s := amqptest.NewServer(t)
	c := openChannel(t, s)
	c.delayExchange("x")
	c.bound("q", "x", "k")
	c.send(1, &amqp.ConfirmSelect{})
	c.expect(1, &amqp.ConfirmSelectOk{})
	publish := &amqp.BasicPublish{Exchange: []byte("x"), RoutingKey: []byte("k"), Mandatory: true}
	c.publish(1, publish, withHeaders("x-delay", int32(50)), []byte("back"))
	c.expect(1, &amqp.BasicReturn{ReplyCode: 312, ReplyText: "NO_ROUTE", Exchange: []byte("x"), RoutingKey: []byte("k")})
	if h, body := c.content(); body != "back" || h[0].Value != int32(50) {
		t.Errorf("returned %q %v", body, h)
	}
	c.expect(1, &amqp.BasicAck{DeliveryTag: 1})
	c.consume("q")
	if d := c.delivered(); d.body != "back" {
		t.Errorf("%+v", d)
	}
}

func TestTheAlternateExchangeGetsDelayedMessagesAtOnce(t *testing.T) {
	s := amqptest.NewServer(t)
	c := openChannel(t, s)
	c.delayExchange("x", "alternate-exchange", "amq.fanout")
	c.bound("q", "x", "k")
	c.bound("other", "amq.fanout", "")
	c.consume("q")
	c.consume("other")
	c.publish(1, &amqp.BasicPublish{Exchange: []byte("x"), RoutingKey: []byte("k"), Mandatory: true}, withHeaders("x-delay", int32(50)), []byte("m"))
	for _, want := range []int32{50, -50} {
		if d := c.delivered(); d.headers[0].Value != want || d.exchange != "x" {
			t.Errorf("got %+v, want a delay of %d", d, want)
		}
	}
}

func TestDelayedExchangesInARowDelayOnce(t *testing.T) {
	s := amqptest.NewServer(t)
	c := openChannel(t, s)
	c.delayExchange("x")
	c.delayExchange("y")
	c.bound("q", "y", "k")
	c.send(1, &amqp.ExchangeBind{Destination: "y", Source: "x", RoutingKey: "k"})
	c.expect(1, &amqp.ExchangeBindOk{})
	c.send(1, &amqp.QueueDeclare{Queue: "dead", Exclusive: true, Arguments: fields(
		"x-message-ttl", int32(0), "x-dead-letter-exchange", "y", "x-dead-letter-routing-key", "k")})
	c.skip(amqp.QueueDeclareOkID)
	c.send(1, &amqp.QueueBind{Queue: "dead", Exchange: "x", RoutingKey: "k"})
	c.expect(1, &amqp.QueueBindOk{})
	c.consume("q")
	before := time.Now()
	c.publish(1, &amqp.BasicPublish{Exchange: []byte("x"), RoutingKey: []byte("k")}, withHeaders("x-delay", int32(1500)), []byte("m"))
	c.delivered() // by the binding
	c.delivered() // by the dead letter
	if after := time.Since(before); after < 1500*time.Millisecond || after > 2900*time.Millisecond {
		t.Errorf("delivered after %v", after)
	}
}

// TestXDelayedAnswersMandatoryWhenTheMessageIsDue, on the channel that is still open.
func TestXDelayedAnswersMandatoryWhenTheMessageIsDue(t *testing.T) {
	s := amqptest.NewServer(t)
	c := openChannel(t, s)
	c.openChannels(2, 2)
	c.send(1, &amqp.ExchangeDeclare{Exchange: "x", Type: "topic", Arguments: fields("x-delayed", true, "alternate-exchange", "amq.direct")})
	c.expect(1, &amqp.ExchangeDeclareOk{})
	c.bound("q", "x", "k.#")
	c.bound("other", "amq.direct", "other")
	c.consume("q")
	c.consume("other")
	publish := func(ch uint16, key string, delay int32) {
		c.publish(ch, &amqp.BasicPublish{Exchange: []byte("x"), RoutingKey: []byte(key), Mandatory: true}, withHeaders("x-delay", delay), []byte(key))
	}
	publish(2, "none", 60) // its channel closes meanwhile
	publish(1, "none", 80)
	publish(1, "other", 100)
	publish(1, "k.1", 120)
	c.send(2, &amqp.ChannelClose{ReplyCode: 200})
	c.expect(2, &amqp.ChannelCloseOk{})
	c.expect(1, &amqp.BasicReturn{ReplyCode: 312, ReplyText: "NO_ROUTE", Exchange: []byte("x"), RoutingKey: []byte("none")})
	if h, body := c.content(); body != "none" || h[0].Value != int32(-80) {
		t.Errorf("returned %q %v", body, h)
	}
	for _, want := range []string{"other", "k.1"} {
		if d := c.delivered(); d.body != want {
			t.Errorf("got %+v, want %s", d, want)
		}
	}
	c.send(1, &amqp.ExchangeDeclare{Exchange: "x", Type: "topic", Arguments: fields("alternate-exchange", "amq.direct")})
	c.expect(1, closed(amqp.PreconditionFailed, "PRECONDITION_FAILED - inequivalent arg 'x-delayed' for exchange 'x' in vhost '/': "+
		"received none but current is the value 'true' of type 'bool'", amqp.ExchangeDeclareID))
}

// TestDelayedMessagesAreConfirmedWhenDurableAndSurvive, transient ones too.
func TestDelayedMessagesAreConfirmedWhenDurableAndSurvive(t *testing.T) {
	dir := t.TempDir()
	s, err := amqptest.Start(amqptest.WithDataDir(dir))
	must(t, err)
	c := openChannel(t, s)
	c.send(1, &amqp.ExchangeDeclare{Exchange: "x", Type: "x-delayed-message", Durable: true, Arguments: fields("x-delayed-type", "fanout")})
	c.expect(1, &amqp.ExchangeDeclareOk{})
	c.send(1, &amqp.QueueDeclare{Queue: "q", Durable: true})
	c.skip(amqp.QueueDeclareOkID)
	c.send(1, &amqp.QueueBind{Queue: "q", Exchange: "x"})
	c.expect(1, &amqp.QueueBindOk{})
	c.send(1, &amqp.ConfirmSelect{})
	c.expect(1, &amqp.ConfirmSelectOk{})
	at := time.Now().Add(time.Hour).UnixMilli()
	for i := range 3 {
		c.publish(1, &amqp.BasicPublish{Exchange: []byte("x")}, headersOf(fields("x-deliver-at", at)), fmt.Append(nil, i))
		c.skip(amqp.BasicAckID)
	}
	c.publish(1, &amqp.BasicPublish{Exchange: []byte("x")}, headersOf(fields("x-delay", int64(1<<31))), []byte("far"))
	c.skip(amqp.BasicAckID)
	must(t, s.Close())

	later := func() time.Time { return time.Now().Add(time.Hour - time.Second) }
	s, err = amqptest.Start(amqptest.WithDataDir(dir), amqptest.WithBroker(broker.Config{Now: later}))
	must(t, err)
	defer func() { must(t, s.Close()) }()
	c = openChannel(t, s)
	c.consume("q")
	for i := range 3 {
		if d := c.delivered(); d.body != fmt.Sprint(i) || later().UnixMilli() < at {
			t.Errorf("number %d: %+v, due in %d ms", i, d, at-later().UnixMilli())
		}
	}
	if n := delayedCount(t, s, "x"); n != 1 {
		t.Errorf("messages_delayed is %v, want 1", n)
	}
	if n := delayedCount(t, s, "amq.fanout"); n != nil {
		t.Errorf("messages_delayed of another type is %v", n)
	}
	c.send(1, &amqp.ExchangeDelete{Exchange: "x"})
	c.expect(1, &amqp.ExchangeDeleteOk{})
	c.delayExchange("x")
	if n := delayedCount(t, s, "x"); n != 0 {
		t.Errorf("messages_delayed of a new exchange is %v, want 0", n)
	}
}

// delayedCount is what the management API shows: an int, or nil.
func delayedCount(t *testing.T, s *amqptest.Server, exchange string) any {
	t.Helper()
	var x struct {
		N *int `json:"messages_delayed"`
	}
	must(t, json.Unmarshal(managed(t, s, "/api/exchanges/%2F/"+exchange), &x))
	if x.N == nil {
		return nil
	}
	return *x.N
}

// TestTheExpirationOfADelayedMessageBeginsWhenItIsDue: it is longer than the queue keeps it, and shorter than the delay.
func TestTheExpirationOfADelayedMessageBeginsWhenItIsDue(t *testing.T) {
	s := amqptest.NewServer(t)
	c := openChannel(t, s)
	c.delayExchange("x")
	c.bound("q", "x", "k")
	c.consume("q")
	p := amqp.Properties{Flags: amqp.FlagHeaders | amqp.FlagExpiration, Expiration: []byte("20"), Headers: amqp.AppendTableBody(nil, fields("x-delay", int32(100)))}
	c.publish(1, &amqp.BasicPublish{Exchange: []byte("x"), RoutingKey: []byte("k")}, p.Append(nil), []byte("m"))
	if d := c.delivered(); d.body != "m" {
		t.Errorf("%+v", d)
	}
}
