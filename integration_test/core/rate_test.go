package core_test

import (
	"fmt"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/amqptest"
)

// TestARateLimitHoldsDeliveriesBack, of a queue or of a consumer: nothing is dropped, and the order stays.
func TestARateLimitHoldsDeliveriesBack(t *testing.T) {
	s, err := amqptest.Start(amqptest.WithoutManagement())
	must(t, err)
	defer func() { must(t, s.Close()) }()
	conn, err := amqp091.Dial(s.URL)
	must(t, err)
	ch, err := conn.Channel()
	must(t, err)
	const (
		messages = 70
		burst    = 20
		rate     = 250 // a second
	)
	limit := amqp091.Table{"x-rate-limit": fmt.Sprintf("%d/s burst %d", rate, burst)}
	for name, args := range map[string]struct{ queue, consumer amqp091.Table }{
		"queue": {queue: limit}, "consumer": {consumer: limit},
	} {
		_, err := ch.QueueDeclare(name, false, false, false, false, args.queue)
		must(t, err)
		began := time.Now()
		deliveries, err := ch.Consume(name, "", true, false, false, false, args.consumer)
		must(t, err)
		for i := range messages {
			must(t, ch.Publish("", name, false, false, amqp091.Publishing{Body: fmt.Append(nil, i)}))
		}
		for i := range messages {
			if d := <-deliveries; string(d.Body) != fmt.Sprint(i) {
				t.Errorf("limit of the %s: got %s, want %d", name, d.Body, i)
			}
		}
		const least = (messages - burst) * time.Second / rate
		if took := time.Since(began); took < least-time.Millisecond {
			t.Errorf("limit of the %s: %d messages took %v, want %v", name, messages, took, least)
		}
	}

	_, err = ch.QueueDeclare("got", false, false, false, false, amqp091.Table{"x-rate-limit": "1/h"})
	must(t, err)
	for range 2 {
		must(t, ch.Publish("", "got", false, false, amqp091.Publishing{}))
	}
	for want := range 2 {
		if _, ok, err := ch.Get("got", true); err != nil || ok != (want == 0) {
			t.Errorf("get %d: %v, %v", want, ok, err)
		}
	}
}
