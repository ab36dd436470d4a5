package core_test

import (
	"context"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/amqptest"
	"github.com/warren-mq/warren/broker"
)

// TestBlockedPublisherIsToldAndGoesOn, as a client library sees it, while a consumer on another connection works.
func TestBlockedPublisherIsToldAndGoesOn(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement())
	dial := func() (*amqp091.Connection, *amqp091.Channel) {
		conn, err := amqp091.Dial(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		ch, err := conn.Channel()
		if err != nil {
			t.Fatal(err)
		}
		return conn, ch
	}
	publisher, out := dial()
	_, in := dial()
	if _, err := in.QueueDeclare("q", false, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	deliveries, err := in.Consume("q", "", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := out.Confirm(false); err != nil {
		t.Fatal(err)
	}
	blockings := publisher.NotifyBlocked(make(chan amqp091.Blocking, 10))
	publish := func(body string) *amqp091.DeferredConfirmation {
		t.Helper()
		c, err := out.PublishWithDeferredConfirmWithContext(context.Background(), "", "q", false, false, amqp091.Publishing{Body: []byte(body)})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for range 3 {
		s.Broker.Alarms.Set(broker.Memory, true)
		held := publish("held")
		if b := <-blockings; !b.Active || b.Reason != "low on memory" {
			t.Fatalf("got %+v", b)
		}
		if _, err := in.QueueDeclare("other", false, true, true, false, nil); err != nil {
			t.Fatal(err)
		}
		s.Broker.Alarms.Set(broker.Memory, false)
		if b := <-blockings; b.Active {
			t.Fatalf("got %+v", b)
		}
		if !held.Wait() {
			t.Fatal("refused")
		}
		if d := <-deliveries; string(d.Body) != "held" {
			t.Fatalf("got %s", d.Body)
		}
	}
}

// TestUpdateSecret is answered; the connection works on.
func TestUpdateSecret(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement())
	conn, err := amqp091.Dial(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.UpdateSecret("new", "expired"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Channel(); err != nil {
		t.Fatal(err)
	}
}
