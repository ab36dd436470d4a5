package core_test

import (
	"context"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/amqptest"
)

func TestPublishConfirmConsumeAck(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithLog(t.Output()))
	conn, err := amqp091.Dial(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	q, err := ch.QueueDeclare("orders", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ch.PublishWithDeferredConfirmWithContext(context.Background(), "", q.Name, false, false, amqp091.Publishing{Body: []byte("hello")})
	if err != nil {
		t.Fatal(err)
	}
	if !c.Wait() {
		t.Fatal("nacked")
	}
	ds, err := ch.Consume(q.Name, "", false, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := <-ds
	if string(d.Body) != "hello" {
		t.Fatalf("got %q", d.Body)
	}
	if err := d.Ack(false); err != nil {
		t.Fatal(err)
	}
}
