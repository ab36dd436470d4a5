package load

import (
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// consumer takes messages from one queue, on a connection of its own.
type consumer struct {
	connection
	run        *run
	number     int
	meter      *meter
	deliveries <-chan amqp.Delivery
}

func (r *run) newConsumer(number int) (*consumer, error) {
	link, err := r.connect(number, "consumer")
	if err != nil {
		return nil, err
	}
	o := r.options
	c := &consumer{connection: link, run: r, number: number, meter: newMeter()}
	r.watch(link)
	queue := o.queue(number % o.Queues)
	if err = c.channel.Qos(o.Prefetch, 0, false); err == nil {
		c.deliveries, err = c.channel.Consume(queue, "", o.AutoAck, false, false, false, nil)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("consuming from queue %s: %w", queue, err), c.conn.Close())
	}
	return c, nil
}

// consume takes deliveries until the channel is closed.
func (c *consumer) consume() error {
	o, waiting := c.run.options, 0
	began, n := c.run.clock(), 0
	for d := range c.deliveries {
		counts := Counts{Received: 1}
		if d.Redelivered {
			counts.Redelivered = 1
		}
		if at, ok := stampOf(d.Body, c.run.id); ok {
			c.meter.timed(counts, c.run.clock()-at, 1)
		} else {
			c.meter.note(counts)
		}
		c.run.receivedAt.Store(int64(c.run.clock()))
		c.run.received.Add(1)
		if o.AutoAck {
			continue
		}
		if n++; o.TakeRate > 0 {
			sleep(c.run.ended, began+time.Duration(float64(n)/o.TakeRate*float64(time.Second))-c.run.clock())
		}
		if waiting++; waiting >= o.AckEvery || c.run.draining.Load() {
			waiting = 0
			if err := d.Ack(true); err != nil {
				return c.run.lost(fmt.Errorf("consumer %d: %w", c.number+1, err))
			}
		}
	}
	return c.run.lost(nil)
}
