package crash_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// retried is a message of a queue with a retry ladder, as its consumer knows it.
type retried struct {
	count   int64     // returns
	durable bool      // a confirm came after the last of them
	back    time.Time // not before then may it be delivered with that count
	seen    bool      // in this round
}

// TestKilledBrokerKeepsRetries kills brokers while messages wait and are given back: none is lost, none comes before its
// time or twice, and a return that a later confirm has made durable stays counted.
func TestKilledBrokerKeepsRetries(t *testing.T) {
	const (
		delay    = 700 * time.Millisecond
		messages = 300
	)
	for _, kind := range []string{"classic", "quorum"} {
		t.Run(kind, func(t *testing.T) {
			dir := t.TempDir()
			known := make([]retried, messages)
			for round := range 4 {
				p, ch := startRetries(t, dir)
				if round == 0 {
					publishRetries(t, ch, kind, delay, messages)
				}
				tags := receiveRetries(t, ch, known)
				if t.Failed() {
					t.Log(p.log())
					p.kill()
					return
				}
				if round == 3 {
					for _, tag := range tags {
						must(t, ch.Ack(tag, false))
					}
					must(t, ch.Close())
					must(t, p.stop())
					return
				}
				giveBack := func(from, to int) {
					for i := from; i < to; i++ {
						m := &known[i]
						*m = retried{count: m.count + 1, back: time.Now().Add(delay - time.Millisecond)} // the broker counts whole ones
						must(t, ch.Nack(tags[i], false, true))
					}
				}
				giveBack(0, messages/2)
				confirmed(t, ch, "other", "")
				for i := range messages / 2 {
					known[i].durable = true
				}
				giveBack(messages/2, messages)
				p.kill()
			}
		})
	}
}

func startRetries(t *testing.T, dir string) (*process, *amqp091.Channel) {
	t.Helper()
	p, err := startProcess(small(), dir)
	must(t, err)
	must(t, p.awaitReady())
	conn, err := amqp091.Dial("amqp://guest:guest@" + p.amqp + "/")
	must(t, err)
	ch, err := conn.Channel()
	must(t, err)
	must(t, ch.Confirm(false))
	return p, ch
}

func publishRetries(t *testing.T, ch *amqp091.Channel, kind string, delay time.Duration, messages int) {
	t.Helper()
	_, err := ch.QueueDeclare("jobs", true, false, false, false, amqp091.Table{
		"x-queue-type": kind, "x-retry": fmt.Sprintf("exponential %[1]dms..%[1]dms x10", delay.Milliseconds())})
	must(t, err)
	_, err = ch.QueueDeclare("other", true, false, false, false, nil)
	must(t, err)
	for i := range messages {
		confirmed(t, ch, "jobs", strconv.Itoa(i))
	}
}

func confirmed(t *testing.T, ch *amqp091.Channel, queue, body string) {
	t.Helper()
	c, err := ch.PublishWithDeferredConfirmWithContext(context.Background(), "", queue, false, false,
		amqp091.Publishing{DeliveryMode: amqp091.Persistent, Body: []byte(body)})
	must(t, err)
	if !c.Wait() {
		t.Fatal("a publish was refused")
	}
}

// receiveRetries consumes until every message has come, and returns their delivery tags.
func receiveRetries(t *testing.T, ch *amqp091.Channel, known []retried) []uint64 {
	t.Helper()
	deliveries, err := ch.Consume("jobs", "", false, false, false, false, nil)
	must(t, err)
	tags := make([]uint64, len(known))
	deadline := time.After(patience)
	for i := range known {
		known[i].seen = false
	}
	for range known {
		var d amqp091.Delivery
		select {
		case d = <-deliveries:
		case <-deadline:
			t.Fatalf("messages are missing: %+v", known)
		}
		now := time.Now()
		i, err := strconv.Atoi(string(d.Body))
		must(t, err)
		m := &known[i]
		count, _ := d.Headers["x-delivery-count"].(int64)
		switch {
		case m.seen:
			t.Errorf("message %d came twice", i)
		case count != m.count && (m.durable || m.count == 0 || count != m.count-1):
			t.Errorf("message %d came with a count of %d, want %d (durable: %t)", i, count, m.count, m.durable)
		case count == m.count && now.Before(m.back):
			t.Errorf("message %d came %v before its time", i, m.back.Sub(now))
		}
		m.seen, m.count, tags[i] = true, count, d.DeliveryTag
	}
	return tags
}
