package crash_test

import (
	"context"
	"math/rand/v2"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// consumer takes from one queue and settles in all ways that there are. From time to time it publishes on the same
// channel: when that is confirmed, all acks that it sent before are durable.
type consumer struct {
	*traffic
	channel *amqp091.Channel
	queue   string
	rng     *rand.Rand

	source  int
	proofs  int
	pending []held
	acked   []messageID // since the last proof
	waiting []proof
	last    map[int]messageID // of each publisher, the last message that was not flagged
}

type held struct {
	tag uint64
	id  messageID
}

// proof is a publish behind acks.
type proof struct {
	sent
	acked []messageID
}

func (c *consumer) run(over <-chan struct{}) error {
	prefetch := []int{0, 1, 10, 100, 1000}[c.rng.IntN(5)]
	c.source, c.last = solidSource+int(c.traffic.source.Add(1)), map[int]messageID{}
	if err := c.channel.Qos(prefetch, 0, false); err != nil {
		return nil
	}
	deliveries, err := c.channel.Consume(c.queue, "", false, false, false, false, nil)
	if err != nil {
		return nil
	}
	most := 1 + c.rng.IntN(max(1, min(prefetch, 300)))
	for {
		c.prove(false)
		select {
		case d, ok := <-deliveries:
			if !ok {
				c.prove(true)
				return nil
			}
			if err := c.deliver(&d); err != nil {
				return err
			}
			if len(c.pending) < most {
				continue
			}
		case <-over:
			c.prove(true)
			return nil
		case <-time.After(20 * time.Millisecond):
		}
		if c.settle() != nil {
			c.prove(true)
			return nil
		}
	}
}

// deliver judges a delivery.
func (c *consumer) deliver(d *amqp091.Delivery) error {
	c.report.delivered.Add(1)
	id, err := parseID([]byte(d.MessageId))
	if err == nil {
		err = id.check(d.Body, d.DeliveryMode)
	}
	if err != nil {
		return err
	}
	before := c.seen.add(c.queue, id)
	if before && !d.Redelivered {
		c.report.violation("%s: message %s is delivered again without being flagged", c.queue, id)
	}
	if !d.Redelivered {
		if last := c.last[id.source()]; last > id {
			c.report.violation("%s: message %s is delivered behind %s", c.queue, id, last)
		}
		c.last[id.source()] = id
	}
	if err := c.ledger.deliver(id, c.queue); err != nil {
		c.report.violation("%s: %v", c.queue, err)
	}
	c.pending = append(c.pending, held{d.DeliveryTag, id})
	return nil
}

// settle says something about what is pending.
func (c *consumer) settle() (err error) {
	if len(c.pending) == 0 {
		return nil
	}
	last := c.pending[len(c.pending)-1]
	switch n := c.rng.IntN(20); {
	case n < 9:
		c.ack(c.pending...)
		err = c.channel.Ack(last.tag, true)
	case n < 15:
		c.rng.Shuffle(len(c.pending), func(i, j int) { c.pending[i], c.pending[j] = c.pending[j], c.pending[i] })
		for _, h := range c.pending {
			c.ack(h)
			if err = c.channel.Ack(h.tag, false); err != nil {
				break
			}
		}
	case n < 17:
		err = c.channel.Nack(last.tag, true, true)
	case n < 18:
		c.ack(c.pending...)
		err = c.channel.Nack(last.tag, true, false)
	default:
		for i, h := range c.pending {
			requeue := i%3 == 0
			if !requeue {
				c.ack(h)
			}
			if err = c.channel.Reject(h.tag, requeue); err != nil {
				break
			}
		}
	}
	c.pending = c.pending[:0]
	if err == nil && len(c.acked) > 0 && c.rng.IntN(4) == 0 {
		err = c.publishProof()
	}
	return err
}

// ack notes that messages are about to be acknowledged.
func (c *consumer) ack(list ...held) {
	c.report.acks.Add(int64(len(list)))
	for _, h := range list {
		c.ledger.ack(h.id, c.queue)
		c.acked = append(c.acked, h.id)
	}
}

func (c *consumer) publishProof() error {
	c.proofs++
	id := newID(c.source, c.proofs)
	confirm, err := c.channel.PublishWithDeferredConfirmWithContext(context.Background(), "", trafficProofs, false, false, publishing(id))
	if err == nil {
		c.waiting = append(c.waiting, proof{sent{id, confirm}, c.acked})
		c.acked = nil
	}
	return err
}

// prove notes which acks are proven durable. At the end it waits until the library has told all that it knows.
func (c *consumer) prove(end bool) {
	for len(c.waiting) > 0 {
		p := c.waiting[0]
		select {
		case <-p.confirm.Done():
		default:
			if !end {
				return
			}
			_ = c.channel.Close() // ends what can have no answer any more
			<-p.confirm.Done()
		}
		if p.confirm.Acked() {
			for _, id := range p.acked {
				c.ledger.prove(id, c.queue)
			}
		}
		c.waiting = c.waiting[1:]
	}
}
