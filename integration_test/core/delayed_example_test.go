package core_test

import (
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/amqptest"
)

// TestTheExampleOfDelayedMessages is the one of docs/delayed-messages.md, with a shorter delay.
func TestTheExampleOfDelayedMessages(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement())
	conn, err := amqp091.Dial(s.URL)
	must(t, err)
	defer conn.Close()
	ch, err := conn.Channel()
	must(t, err)
	must(t, ch.ExchangeDeclare("later", "x-delayed-message", true, false, false, false, amqp091.Table{"x-delayed-type": "topic"}))
	q, err := ch.QueueDeclare("", false, false, true, false, nil)
	must(t, err)
	must(t, ch.QueueBind(q.Name, "mail.#", "later", false, nil))
	messages, err := ch.Consume(q.Name, "", true, false, false, false, nil)
	must(t, err)
	before := time.Now()
	must(t, ch.PublishWithContext(t.Context(), "later", "mail.reminder", false, false, amqp091.Publishing{
		Headers: amqp091.Table{"x-delay": int64(90)},
		Body:    []byte("remember"),
	}))
	d := <-messages
	if after := time.Since(before); after < 90*time.Millisecond || string(d.Body) != "remember" || d.Headers["x-delay"] != int32(-90) {
		t.Errorf("%q after %v, headers %v", d.Body, after, d.Headers)
	}
}
