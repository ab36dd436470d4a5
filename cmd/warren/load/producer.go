package load

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// producer publishes on a connection of its own.
type producer struct {
	connection
	run    *run
	number int
	meter  *meter

	confirms chan amqp.Confirmation
	window   chan sent // publishes without a confirm, in order
	drained  chan struct{}
	sent     atomic.Int64
	refused  atomic.Int64
}

// sent is a publish that waits for its confirm.
type sent struct {
	tag uint64
	at  time.Duration
}

func (r *run) newProducer(number int) (*producer, error) {
	c, err := r.connect(number, "producer")
	if err != nil {
		return nil, err
	}
	p := &producer{connection: c, run: r, number: number, meter: newMeter()}
	r.watch(c)
	if r.options.Window > 0 {
		if err := c.channel.Confirm(false); err != nil {
			return nil, errors.Join(fmt.Errorf("confirm.select: %w", err), c.conn.Close())
		}
		p.confirms = c.channel.NotifyPublish(make(chan amqp.Confirmation, r.options.Window))
		p.window = make(chan sent, r.options.Window)
		p.drained = make(chan struct{})
	}
	returns := c.channel.NotifyReturn(make(chan amqp.Return, 64))
	r.helpers.Go(func() {
		for range returns {
			p.meter.note(Counts{Returned: 1})
		}
	})
	return p, nil
}

// lateBy is how far behind its schedule a producer with a rate may be before the delay counts as the broker's: its
// messages are then stamped with the time at which they were due. Less is the precision of a timer.
const lateBy = 5 * time.Millisecond

// produce publishes until ctx ends, or all is published. What the broker still has to confirm is waited for, until hurry
// ends.
func (p *producer) produce(ctx, hurry context.Context) error {
	if p.window != nil {
		p.run.helpers.Go(p.awaitConfirms)
	}
	err := p.publishAll(ctx)
	if p.window != nil {
		close(p.window)
		select {
		case <-p.drained:
		case <-hurry.Done():
		case <-time.After(settleTime):
			err = errors.Join(err, fmt.Errorf("producer %d: the broker leaves %d publishes unconfirmed for %s", p.number+1, len(p.window)+1, settleTime))
		}
	}
	return err
}

func (p *producer) publishAll(ctx context.Context) error {
	o := p.run.options
	body := make([]byte, o.Size)
	m := amqp.Publishing{Body: body, DeliveryMode: amqp.Transient}
	if o.Persistent {
		m.DeliveryMode = amqp.Persistent
	}
	keys := p.run.keys
	began := p.run.clock()
	for n := 0; o.Count == 0 || n < o.Count; n++ {
		now := p.run.clock()
		at := now
		if o.Rate > 0 {
			due := began + time.Duration(float64(n)/o.Rate*float64(time.Second))
			if !sleep(ctx, due-now) {
				return nil
			}
			if at = max(now, due); now > due+lateBy {
				at = due
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		putStamp(body, p.run.id, at)
		if p.window != nil {
			select {
			case p.window <- sent{p.channel.GetNextPublishSeqNo(), at}:
			case <-ctx.Done():
				return nil
			}
		}
		// Not with ctx: amqp091-go does not look at it once a publish has begun.
		if err := p.channel.PublishWithContext(context.Background(), o.Exchange, keys[(p.number+n)%len(keys)], false, false, m); err != nil {
			return p.run.lost(fmt.Errorf("producer %d: %w", p.number+1, err))
		}
		p.sent.Add(1)
		p.meter.note(Counts{Published: 1})
	}
	return nil
}

// awaitConfirms takes publishes out of the window as they are confirmed. amqp091-go tells of each one, in order.
func (p *producer) awaitConfirms() {
	defer close(p.drained)
	for s := range p.window {
		for {
			c, ok := <-p.confirms
			if !ok {
				for range p.window { // the connection is gone, and the publisher has learned it or will
				}
				return
			}
			if c.DeliveryTag < s.tag {
				continue
			}
			counts := Counts{Confirmed: 1}
			if !c.Ack {
				counts = Counts{Refused: 1}
				p.refused.Add(1)
			}
			p.meter.timed(counts, p.run.clock()-s.at, 1)
			break
		}
	}
}

// sleep waits, and reports whether the context still stands.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
