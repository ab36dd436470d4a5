package core_test

import (
	"context"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/amqptest"
)

// TestDeliveryCountsSurviveARestart: what was counted before counts toward the delivery limit afterwards.
func TestDeliveryCountsSurviveARestart(t *testing.T) {
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
	get := func(ch *amqp091.Channel, queue string, count int64) *amqp091.Delivery {
		t.Helper()
		d, ok, err := ch.Get(queue, false)
		must(t, err)
		if !ok || d.Headers["x-delivery-count"] != count || d.Redelivered != (count > 0) {
			t.Fatalf("got %v: %v, redelivered %v, want a count of %d", ok, d.Headers, d.Redelivered, count)
		}
		return &d
	}
	s, ch := start()
	for queue, args := range map[string]amqp091.Table{
		"unlimited": {"x-queue-type": "quorum"}, // moves it to the end at each return
		"limited":   {"x-queue-type": "quorum", "x-delivery-limit": int32(2)},
	} {
		_, err := ch.QueueDeclare(queue, true, false, false, false, args)
		must(t, err)
		c, err := ch.PublishWithDeferredConfirmWithContext(context.Background(), "", queue, false, false, amqp091.Publishing{})
		must(t, err)
		c.Wait()
		for count := range int64(2) {
			must(t, get(ch, queue, count).Nack(false, true))
		}
	}
	must(t, s.Close())
	s, ch = start()
	defer func() { must(t, s.Close()) }()
	must(t, get(ch, "unlimited", 2).Nack(false, true))
	get(ch, "unlimited", 3)
	must(t, get(ch, "limited", 2).Nack(false, true))
	if _, ok, err := ch.Get("limited", true); ok || err != nil {
		t.Errorf("a message outlived its delivery limit: %v, %v", ok, err)
	}
}
