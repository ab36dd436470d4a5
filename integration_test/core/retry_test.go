package core_test

import (
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/amqptest"
)

// TestAMessageClimbsItsRetryLadder: whatever gives it back, it comes again after the step's delay and not sooner, and is
// dead-lettered after the last step.
func TestAMessageClimbsItsRetryLadder(t *testing.T) {
	for _, kind := range []string{"classic", "quorum"} {
		t.Run(kind, func(t *testing.T) {
			s, err := amqptest.Start(amqptest.WithDataDir(t.TempDir()))
			must(t, err)
			defer func() { must(t, s.Close()) }()
			conn, err := amqp091.Dial(s.URL)
			must(t, err)
			ch, err := conn.Channel()
			must(t, err)
			_, err = ch.QueueDeclare("dead", true, false, false, false, nil)
			must(t, err)
			_, err = ch.QueueDeclare("jobs", true, false, false, false, amqp091.Table{
				"x-queue-type": kind, "x-retry": "40ms,80ms,10ms,30ms",
				"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead",
			})
			must(t, err)
			jobs, err := ch.Consume("jobs", "", false, false, false, false, nil)
			must(t, err)
			must(t, ch.Publish("", "jobs", false, false, amqp091.Publishing{Body: []byte("a job"), DeliveryMode: amqp091.Persistent}))

			var given time.Time
			expect := func(jobs <-chan amqp091.Delivery, count int64, delay time.Duration) *amqp091.Delivery {
				t.Helper()
				d := <-jobs
				if got, _ := d.Headers["x-delivery-count"].(int64); got != count || d.Redelivered != (count > 0) {
					t.Errorf("delivery with a count of %d, redelivered %t, want %d", got, d.Redelivered, count)
				}
				// The broker's clock is in whole milliseconds.
				if took := time.Since(given); took < delay-time.Millisecond {
					t.Errorf("return %d came back after %v, want %v", count, took, delay)
				}
				given = time.Now()
				return &d
			}
			must(t, expect(jobs, 0, 0).Nack(false, true))
			must(t, expect(jobs, 1, 40*time.Millisecond).Reject(true))
			expect(jobs, 2, 80*time.Millisecond)
			must(t, ch.Recover(true)) //lint:ignore SA1019 this is what is tested
			expect(jobs, 3, 10*time.Millisecond)

			other, err := conn.Channel() // the loss of the channel gives it back too
			must(t, err)
			must(t, ch.Close())
			last, err := other.Consume("jobs", "", false, false, false, false, nil)
			must(t, err)
			dead, err := other.Consume("dead", "", true, false, false, false, nil)
			must(t, err)
			d := expect(last, 4, 30*time.Millisecond)
			must(t, d.Nack(false, true))
			death := (<-dead).Headers["x-death"].([]any)[0].(amqp091.Table)
			if death["reason"] != "delivery_limit" || death["queue"] != "jobs" {
				t.Errorf("died of %v in %v, want delivery_limit in jobs", death["reason"], death["queue"])
			}
		})
	}
}

// TestWhatWaitsForARetrySurvivesARestart, and does not come before its time.
func TestWhatWaitsForARetrySurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	start := func() (*amqptest.Server, *amqp091.Channel) {
		s, err := amqptest.Start(amqptest.WithDataDir(dir), amqptest.WithoutManagement())
		must(t, err)
		conn, err := amqp091.Dial(s.URL)
		must(t, err)
		ch, err := conn.Channel()
		must(t, err)
		return s, ch
	}
	s, ch := start()
	_, err := ch.QueueDeclare("jobs", true, false, false, false, amqp091.Table{"x-retry": "500ms"})
	must(t, err)
	must(t, ch.Publish("", "jobs", false, false, amqp091.Publishing{Body: []byte("a job"), DeliveryMode: amqp091.Persistent}))
	d, ok, err := ch.Get("jobs", false)
	must(t, err)
	if !ok {
		t.Fatal("no message")
	}
	given := time.Now()
	must(t, d.Nack(false, true))
	must(t, s.Close())

	s, ch = start()
	defer func() { must(t, s.Close()) }()
	jobs, err := ch.Consume("jobs", "", true, false, false, false, nil)
	must(t, err)
	d = <-jobs
	if took := time.Since(given); took < 499*time.Millisecond {
		t.Errorf("came back after %v, want 500 ms", took)
	}
	if string(d.Body) != "a job" || d.Headers["x-delivery-count"] != int64(1) {
		t.Errorf("got %q with %v", d.Body, d.Headers)
	}
}
