package core_test

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/amqptest"
)

var exact = amqp091.Table{"x-exact-ttl": true, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}

// TestMessagesExpireWhereverTheyStand, in the order of expiry, with the reason expired; also where dead letters may not
// be lost.
func TestMessagesExpireWhereverTheyStand(t *testing.T) {
	t.Run("classic", func(t *testing.T) { expireWhereverTheyStand(t, exact) })
	t.Run("at least once", func(t *testing.T) {
		atLeastOnce := maps.Clone(exact)
		maps.Copy(atLeastOnce, amqp091.Table{
			"x-queue-type": "quorum", "x-overflow": "reject-publish", "x-dead-letter-strategy": "at-least-once",
		})
		expireWhereverTheyStand(t, atLeastOnce)
	})
}

func expireWhereverTheyStand(t *testing.T, exact amqp091.Table) {
	s := amqptest.NewServer(t, amqptest.WithDataDir(t.TempDir()), amqptest.WithoutManagement())
	ch := durableChannel(t, s)
	_, err := ch.QueueDeclare("dead", true, false, false, false, nil)
	must(t, err)
	_, err = ch.QueueDeclare("q", true, false, false, false, exact)
	must(t, err)
	dead, err := ch.Consume("dead", "", true, false, false, false, nil)
	must(t, err)
	for i, ttl := range []string{"", "150", "50", "", "100", "3600000"} {
		must(t, ch.PublishWithContext(context.Background(), "", "q", false, false, amqp091.Publishing{Expiration: ttl, Body: fmt.Append(nil, i)}))
	}
	for _, want := range []string{"2", "4", "1"} {
		d := <-dead
		death := d.Headers["x-death"].([]any)[0].(amqp091.Table)
		if string(d.Body) != want || death["reason"] != "expired" || death["queue"] != "q" {
			t.Errorf("message %s died of %v in %v, want %s", d.Body, death["reason"], death["queue"], want)
		}
	}
	q, err := ch.QueueDeclarePassive("q", true, false, false, false, exact)
	must(t, err)
	if q.Messages != 3 {
		t.Errorf("%d messages are left, want 3", q.Messages)
	}
}

// TestCountsSeeNothingThatHasExpired: a client that looks does not have to wait for the timer.
func TestCountsSeeNothingThatHasExpired(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement())
	ch := durableChannel(t, s)
	_, err := ch.QueueDeclare("q", false, false, false, false, amqp091.Table{"x-exact-ttl": true})
	must(t, err)
	must(t, ch.PublishWithContext(context.Background(), "", "q", false, false, amqp091.Publishing{}))
	for range 200 {
		must(t, ch.PublishWithContext(context.Background(), "", "q", false, false, amqp091.Publishing{Expiration: "0"}))
		q, err := ch.QueueDeclarePassive("q", false, false, false, false, nil)
		must(t, err)
		if q.Messages != 1 {
			t.Fatalf("%d messages, want 1", q.Messages)
		}
	}
}

// TestExpiriesAreFoundAfterARestart, also of messages that are not in memory; what came due meanwhile is not delivered.
func TestExpiriesAreFoundAfterARestart(t *testing.T) {
	dir := t.TempDir()
	start := func() (*amqptest.Server, *amqp091.Channel) {
		s, err := amqptest.Start(amqptest.WithDataDir(dir), amqptest.WithoutManagement())
		must(t, err)
		ch := durableChannel(t, s)
		must(t, ch.Confirm(false))
		return s, ch
	}
	s, ch := start()
	_, err := ch.QueueDeclare("dead", true, false, false, false, nil)
	must(t, err)
	_, err = ch.QueueDeclare("q", true, false, false, false, exact)
	must(t, err)
	const count = 600 // several times what the broker keeps in memory here
	var last *amqp091.DeferredConfirmation
	for n := range count {
		p := amqp091.Publishing{DeliveryMode: amqp091.Persistent, Body: make([]byte, 32<<10), MessageId: strconv.Itoa(n)}
		if n%3 == 2 {
			p.Expiration = "600"
		}
		last, err = ch.PublishWithDeferredConfirmWithContext(context.Background(), "", "q", false, false, p)
		must(t, err)
	}
	if !last.Wait() {
		t.Fatal("not confirmed")
	}
	must(t, s.Close())

	s, ch = start()
	defer func() { must(t, s.Close()) }()
	ready := func(queue string) int {
		q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		must(t, err)
		return q.Messages
	}
	eventually(t, "a third has expired", func() bool { return ready("q") == count*2/3 && ready("dead") == count/3 })
	must(t, ch.Qos(10, 0, false))
	deliveries, err := ch.Consume("q", "", false, false, false, false, nil)
	must(t, err)
	for n := range count {
		if n%3 == 2 {
			continue
		}
		d := <-deliveries
		if d.MessageId != strconv.Itoa(n) {
			t.Fatalf("got message %s, want %d", d.MessageId, n)
		}
		must(t, d.Ack(false))
	}
}
