package core_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/amqptest"
)

// TestDuplicatesAreConfirmed: each publish is confirmed positively, also one that brings nothing but duplicates, and also
// after a restart.
func TestDuplicatesAreConfirmed(t *testing.T) {
	dir := t.TempDir()
	for run := range 2 {
		s, err := amqptest.Start(amqptest.WithDataDir(dir), amqptest.WithLog(t.Output()))
		must(t, err)
		conn, err := amqp091.Dial(s.URL)
		must(t, err)
		ch, err := conn.Channel()
		must(t, err)
		must(t, ch.Confirm(false))
		window := amqp091.Table{"x-dedup-window": "1h,100000"}
		_, err = ch.QueueDeclare("window", true, false, false, false, window)
		must(t, err)
		_, err = ch.QueueDeclare("held", true, false, false, false, amqp091.Table{"x-message-deduplication": true})
		must(t, err)
		_, err = ch.QueueDeclare("behind", true, false, false, false, nil)
		must(t, err)
		must(t, ch.ExchangeDeclare("x", "fanout", true, false, false, false, window))
		must(t, ch.ExchangeDeclare("plugin", "x-message-deduplication", true, false, false, false,
			amqp091.Table{"x-cache-size": 100, "x-cache-persistence": "disk"}))
		must(t, ch.QueueBind("behind", "", "x", false, nil))
		must(t, ch.QueueBind("behind", "", "plugin", false, nil))
		publish := func(exchange, key, id string) {
			t.Helper()
			c, err := ch.PublishWithDeferredConfirmWithContext(context.Background(), exchange, key, false, false, amqp091.Publishing{
				DeliveryMode: amqp091.Persistent, MessageId: id, Headers: amqp091.Table{"x-deduplication-header": id},
			})
			must(t, err)
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			if ok, err := c.WaitContext(ctx); !ok {
				t.Fatalf("%q to %q of %q is not confirmed: %v", id, key, exchange, err)
			}
		}
		for _, id := range []string{"a", "a", "b", "a", "b", fmt.Sprint("run", run)} {
			publish("", "window", id)
			publish("x", "", id)
			publish("plugin", "", id)
			if run == 0 {
				publish("", "held", id)
			}
		}
		for name, want := range map[string]int{"window": 3 + run, "behind": 2 * (3 + run), "held": 3} {
			q, err := ch.QueueDeclarePassive(name, true, false, false, false, nil)
			must(t, err)
			if q.Messages != want {
				t.Errorf("run %d: %s has %d messages, want %d", run, name, q.Messages, want)
			}
		}
		conn.Close()
		must(t, s.Close())
	}
}

// TestADuplicateAtThePluginsExchangeIsReturned, since it is unroutable, and confirmed.
func TestADuplicateAtThePluginsExchangeIsReturned(t *testing.T) {
	s := amqptest.NewServer(t)
	conn, err := amqp091.Dial(s.URL)
	must(t, err)
	defer conn.Close()
	ch, err := conn.Channel()
	must(t, err)
	must(t, ch.Confirm(false))
	must(t, ch.ExchangeDeclare("x", "x-message-deduplication", false, false, false, false, amqp091.Table{"x-cache-size": 10}))
	q, err := ch.QueueDeclare("", false, false, true, false, nil)
	must(t, err)
	must(t, ch.QueueBind(q.Name, "", "x", false, nil))
	returns := ch.NotifyReturn(make(chan amqp091.Return, 5))
	for range 2 {
		c, err := ch.PublishWithDeferredConfirmWithContext(context.Background(), "x", "", true, false,
			amqp091.Publishing{Headers: amqp091.Table{"x-deduplication-header": "a"}})
		must(t, err)
		if !c.Wait() {
			t.Error("not confirmed")
		}
	}
	select {
	case r := <-returns:
		if r.ReplyCode != 312 {
			t.Errorf("returned with %d", r.ReplyCode)
		}
	case <-time.After(patience):
		t.Fatal("the duplicate is not returned")
	}
}
