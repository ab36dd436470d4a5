package crash_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// publish sends errands of a kind until the broker is gone or stop is closed, and waits then for their confirms.
func (e *errands) publish(ch *amqp091.Channel, kind string, rng *rand.Rand, stop <-chan struct{}) {
	type sentErrand struct {
		errand  *errand
		confirm *amqp091.DeferredConfirmation
	}
	var window []sentErrand
	settle := func(most int) {
		for len(window) > most {
			if window[0].confirm.Wait() { // also ends with the channel
				e.confirm(window[0].errand)
			}
			window = window[1:]
		}
	}
	defer settle(0)
	again := []*errand(nil)
	if kind == errandOnce {
		again = e.unconfirmed(kind)
	}
	for {
		select {
		case <-stop:
			return
		case <-time.After(time.Duration(rng.IntN(3)) * time.Millisecond):
		}
		for range rng.IntN(10) {
			var x *errand
			if len(again) > 0 {
				x, again = again[0], again[1:]
			} else {
				x = e.create(kind)
			}
			m := amqp091.Publishing{DeliveryMode: amqp091.Persistent, MessageId: fmt.Sprint(x.number)}
			exchange, key, hold := "", kind, time.Duration(0)
			if kind == errandDue {
				exchange, hold = "errand.delayed", time.Duration(1+rng.IntN(2500))*time.Millisecond
				m.Headers = amqp091.Table{"x-delay": hold.Milliseconds()}
			}
			switch kind {
			case errandKeyed:
				m.Headers = amqp091.Table{"key": int64(errandKeyOf(x.number))}
			case errandBrief:
				if hold = briefLife(x.number); hold > 0 {
					m.Expiration = fmt.Sprint(hold.Milliseconds())
				}
			}
			m.Body = e.next(x, hold)
			c, err := ch.PublishWithDeferredConfirmWithContext(context.Background(), exchange, key, false, false, m)
			if err != nil {
				return
			}
			window = append(window, sentErrand{x, c})
		}
		settle(100)
	}
}

// consume takes errands from a queue until the broker is gone. judge says what to do with each.
func (e *errands) consume(ch *amqp091.Channel, queue string) error {
	if err := ch.Qos(50, 0, false); err != nil {
		return nil
	}
	deliveries, err := ch.Consume(queue, "", false, false, false, false, nil)
	if err != nil {
		return nil
	}
	returns := errandReturns{errands: e, channel: ch}
	defer returns.proofs.Wait()
	for d := range deliveries {
		x, err := e.deliver(queue, d.Body, d.Redelivered, time.Now())
		if err != nil {
			return fmt.Errorf("%s: %w", queue, err)
		}
		switch {
		case queue == errandPassed:
			err = d.Reject(false)
		case queue == errandRetry && (x.number%7 == 0 || x.returns < x.number%3):
			count, _ := d.Headers["x-delivery-count"].(int64)
			e.giveBack(x, int(count))
			if err = d.Nack(false, true); err == nil {
				err = returns.add(x)
			}
		default:
			e.finish(x)
			err = d.Ack(false)
		}
		if err != nil {
			return nil
		}
	}
	return nil
}
