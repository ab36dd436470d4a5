package core_test

import (
	"context"
	"encoding/binary"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/amqptest"
)

// TestManyUnackedMessages gives back, and acknowledges, more than the queue is told of in one go: in their old order, all
// of them, flagged, and as durable as one.
func TestManyUnackedMessages(t *testing.T) {
	const count = 10_000
	dir := t.TempDir()
	s, err := amqptest.Start(amqptest.WithDataDir(dir), amqptest.WithLog(t.Output()))
	must(t, err)
	conn, err := amqp091.Dial(s.URL)
	must(t, err)
	channel := func() *amqp091.Channel {
		t.Helper()
		ch, err := conn.Channel()
		must(t, err)
		return ch
	}
	ch := channel()
	_, err = ch.QueueDeclare("q", true, false, false, false, nil)
	must(t, err)
	must(t, ch.Confirm(false))
	var last *amqp091.DeferredConfirmation
	for i := range uint32(count) {
		last, err = ch.PublishWithDeferredConfirmWithContext(context.Background(), "", "q", false, false,
			amqp091.Publishing{DeliveryMode: amqp091.Persistent, Body: binary.BigEndian.AppendUint32(nil, i)})
		must(t, err)
	}
	if !last.Wait() {
		t.Fatal("not confirmed")
	}
	// takeAll returns the tag of the last one.
	takeAll := func(deliveries <-chan amqp091.Delivery, redelivered bool) (tag uint64) {
		t.Helper()
		for i := range uint32(count) {
			d := <-deliveries
			if n := binary.BigEndian.Uint32(d.Body); n != i || d.Redelivered != redelivered {
				t.Fatalf("message %d in place %d, redelivered %v", n, i, d.Redelivered)
			}
			tag = d.DeliveryTag
		}
		return tag
	}
	first := channel()
	deliveries, err := first.Consume("q", "", false, false, false, false, nil)
	must(t, err)
	takeAll(deliveries, false)
	must(t, first.Recover(true)) //lint:ignore SA1019 this is what is tested
	tag := takeAll(deliveries, true)
	must(t, first.Nack(tag, true, true))
	takeAll(deliveries, true)
	must(t, first.Close())

	second := channel()
	deliveries, err = second.Consume("q", "", false, false, false, false, nil)
	must(t, err)
	tag = takeAll(deliveries, true)
	must(t, second.Ack(tag, true))
	must(t, second.Close())
	q, err := ch.QueueDeclarePassive("q", true, false, false, false, nil)
	if err != nil || q.Messages != 0 {
		t.Errorf("%d messages are left: %v", q.Messages, err)
	}
	must(t, s.Close())
	if s, err = amqptest.Start(amqptest.WithDataDir(dir), amqptest.WithLog(t.Output())); err != nil {
		t.Fatal(err)
	}
	defer func() { must(t, s.Close()) }()
	conn, err = amqp091.Dial(s.URL)
	must(t, err)
	if q, err = channel().QueueDeclarePassive("q", true, false, false, false, nil); err != nil || q.Messages != 0 {
		t.Errorf("%d messages are back: %v", q.Messages, err)
	}
}
