package core_test

import (
	"context"
	"fmt"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/amqptest"
)

// TestDurableThingsOutliveTheBroker: definitions, persistent messages and their order come back, what was acked, what
// was transient and what was exclusive does not.
func TestDurableThingsOutliveTheBroker(t *testing.T) {
	dir := t.TempDir()
	start := func() (*amqptest.Server, *amqp091.Channel) {
		s, err := amqptest.Start(amqptest.WithDataDir(dir), amqptest.WithLog(t.Output()))
		if err != nil {
			t.Fatal(err)
		}
		conn, err := amqp091.Dial(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		ch, err := conn.Channel()
		if err != nil {
			t.Fatal(err)
		}
		if err := ch.Confirm(false); err != nil {
			t.Fatal(err)
		}
		return s, ch
	}
	s, ch := start()
	must(t, ch.ExchangeDeclare("orders", "topic", true, false, false, false, amqp091.Table{"x-note": int64(5)}))
	must(t, ch.ExchangeDeclare("fleeting", "topic", false, false, false, false, nil))
	for _, name := range []string{"kept", "transient"} {
		if _, err := ch.QueueDeclare(name, name == "kept", false, false, false, nil); err != nil {
			t.Fatal(err)
		}
		must(t, ch.QueueBind(name, "order.#", "orders", false, amqp091.Table{"a": "b"}))
	}
	publish := func(i int, mode uint8) {
		c, err := ch.PublishWithDeferredConfirmWithContext(context.Background(), "orders", "order.new", true, false,
			amqp091.Publishing{DeliveryMode: mode, Body: fmt.Append(nil, i), Headers: amqp091.Table{"i": int32(i)}})
		must(t, err)
		if !c.Wait() {
			t.Fatalf("message %d was not confirmed", i)
		}
	}
	for i := range 10 {
		publish(i, amqp091.Persistent)
	}
	publish(10, amqp091.Transient)
	for i := range 3 {
		d, ok, err := ch.Get("kept", false)
		if err != nil || !ok || string(d.Body) != fmt.Sprint(i) {
			t.Fatalf("get %d: %q %v %v", i, d.Body, ok, err)
		}
		if i < 2 {
			must(t, d.Ack(false))
		}
	}
	must(t, s.Close())

	s, ch = start()
	defer func() { must(t, s.Close()) }()
	must(t, ch.ExchangeDeclarePassive("orders", "topic", true, false, false, false, nil))
	q, err := ch.QueueDeclarePassive("kept", true, false, false, false, nil)
	if err != nil || q.Messages != 8 {
		t.Fatalf("queue after restart: %+v %v, want 8 messages", q, err)
	}
	for i := 2; i < 10; i++ {
		d, ok, err := ch.Get("kept", true)
		if err != nil || !ok || string(d.Body) != fmt.Sprint(i) || d.Exchange != "orders" || d.RoutingKey != "order.new" || d.Headers["i"] != int32(i) {
			t.Fatalf("get %d after restart: %+v %v %v", i, d, ok, err)
		}
		if i == 2 && !d.Redelivered {
			t.Error("a message that had been delivered came back without the redelivered flag")
		}
	}
	publish(11, amqp091.Persistent) // the binding is back, or it would be returned
	if d, ok, err := ch.Get("kept", true); err != nil || !ok || string(d.Body) != "11" {
		t.Fatalf("get after restart: %q %v %v", d.Body, ok, err)
	}
	if _, err := ch.QueueDeclarePassive("transient", false, false, false, false, nil); err == nil {
		t.Error("a transient queue came back")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestWhatAQuorumQueueMovedToItsTailIsFlaggedAfterARestart, although nobody has got it from there yet.
func TestWhatAQuorumQueueMovedToItsTailIsFlaggedAfterARestart(t *testing.T) {
	dir := t.TempDir()
	start := func() (*amqptest.Server, *amqp091.Channel) {
		s, err := amqptest.Start(amqptest.WithDataDir(dir), amqptest.WithoutManagement())
		must(t, err)
		conn, err := amqp091.Dial(s.URL)
		must(t, err)
		ch, err := conn.Channel()
		must(t, err)
		must(t, ch.Confirm(false))
		return s, ch
	}
	s, ch := start()
	_, err := ch.QueueDeclare("quorum", true, false, false, false, amqp091.Table{"x-queue-type": "quorum"})
	must(t, err)
	const messages = 3000 // more than are taken for delivered beyond what was
	var last *amqp091.DeferredConfirmation
	publish := func(n int) {
		for i := range n {
			last, err = ch.PublishWithDeferredConfirmWithContext(context.Background(), "", "quorum", false, false, amqp091.Publishing{Body: fmt.Append(nil, i)})
			must(t, err)
		}
		if !last.Wait() {
			t.Fatal("not confirmed")
		}
	}
	publish(1)
	d, ok, err := ch.Get("quorum", false)
	if err != nil || !ok {
		t.Fatalf("get: %v %v", ok, err)
	}
	publish(messages)
	must(t, d.Nack(false, true))
	publish(1)
	must(t, s.Close())

	s, ch = start()
	defer func() { must(t, s.Close()) }()
	for i := range messages + 1 {
		d, ok, err := ch.Get("quorum", true)
		if err != nil || !ok {
			t.Fatalf("get %d: %v %v", i, ok, err)
		}
		if i == messages && !d.Redelivered {
			t.Error("what was delivered, given back and moved to the tail is not flagged as redelivered")
		}
	}
}
