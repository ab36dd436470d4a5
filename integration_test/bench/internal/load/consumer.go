package load

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/warren-mq/warren/integration_test/bench/internal/amqp"
	"github.com/warren-mq/warren/integration_test/bench/internal/hist"
)

// consumer takes deliveries from one connection and acknowledges them.
type consumer struct {
	run     *run
	conn    *amqp.Conn
	scan    amqp.Deliveries
	latency *hist.Histogram // publish to delivery, when bodies are stamped
	acked   uint64          // highest tag acknowledged
	acks    amqp.Writer
	done    chan struct{} // closed when the reading goroutine ends
}

// startConsumer connects, subscribes and reads in a goroutine of its own.
func startConsumer(r *run, queue string) (*consumer, error) {
	o := r.opt
	conn, err := o.dial(amqp.MaxInput)
	if err != nil {
		return nil, err
	}
	c := &consumer{run: r, conn: conn, done: make(chan struct{})}
	r.track(conn)
	if o.stamped() {
		c.latency = new(hist.Histogram)
		c.scan.OnBody = c.onBody
	}
	if err := conn.OpenChannel(channel); err != nil {
		return nil, err
	}
	if o.Prefetch > 0 {
		if err := conn.Qos(channel, o.Prefetch); err != nil {
			return nil, err
		}
	}
	if err := conn.Consume(channel, queue, "c", o.AckEvery == 0); err != nil {
		return nil, err
	}
	go c.loop()
	return c, nil
}

func (c *consumer) loop() {
	defer close(c.done)
	for {
		err := c.step()
		if errors.Is(err, amqp.ErrChannelClosed) {
			return
		}
		if err != nil {
			c.run.fail("consumer", err)
			return
		}
	}
}

// step takes in what has been read, acknowledges it, and reads again.
func (c *consumer) step() error {
	before := c.scan.Count
	n, err := c.scan.Feed(c.conn.Buffered())
	c.conn.Discard(n)
	if err != nil {
		return err
	}
	if d := c.scan.Count - before; d > 0 {
		at := now()
		if every := uint64(c.run.opt.AckEvery); every > 0 && c.scan.Tag-c.acked >= every {
			if err := c.ack(); err != nil {
				return err
			}
		}
		// Last, because whoever sees the final count may use c.
		c.run.lastDelivery.Store(at)
		c.run.consumed.Add(int64(d))
	}
	return c.conn.Fill()
}

// ack acknowledges everything so far: with one frame for all, or with one
// frame each if that is what the run asks for.
func (c *consumer) ack() error {
	c.acks.Buf = c.acks.Buf[:0]
	if c.run.opt.AckEvery == 1 {
		for tag := c.acked + 1; tag <= c.scan.Tag; tag++ {
			c.acks.Ack(channel, tag, false)
		}
	} else {
		c.acks.Ack(channel, c.scan.Tag, true)
	}
	c.acked = c.scan.Tag
	return c.conn.Write(c.acks.Buf)
}

func (c *consumer) onBody(body []byte) {
	if at := int64(binary.BigEndian.Uint64(body)); at >= c.run.recordFrom.Load() {
		c.latency.Record(now() - at)
	}
}

// close acknowledges the rest and closes the connection. The reading
// goroutine is idle by then: everything has been delivered.
func (c *consumer) close() error {
	if c.run.failed.Load() {
		c.conn.Abort()
		return nil
	}
	c.acks.Buf = c.acks.Buf[:0]
	if c.run.opt.AckEvery > 0 && c.scan.Tag > c.acked {
		c.acks.Ack(channel, c.scan.Tag, true)
	}
	if err := closeWhileRead(c.conn, c.acks.Buf, c.done); err != nil {
		return err
	}
	if want := c.scan.Count * uint64(c.run.opt.Size); c.scan.Bytes != want {
		return fmt.Errorf("%d body bytes were delivered instead of %d", c.scan.Bytes, want)
	}
	return c.conn.Close()
}
