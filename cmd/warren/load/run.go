package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	// settleTime is how long the end of a run waits without any progress for what must come: confirms, and messages
	// whose number is known.
	settleTime = 10 * time.Second
	// idleTime is how long it waits for messages whose number is not known.
	idleTime = time.Second
	// hurryTime is how long each of them, and the broker's good-byes, are waited for when the run is interrupted or has
	// failed.
	hurryTime = time.Second
)

// run is one measurement.
type run struct {
	options *Options
	id      uint64 // in the stamps of its messages
	start   time.Time
	keys    []string // routing keys, one for each queue
	made    struct { // by setUp, and so removed in the end
		queues   []string
		exchange bool
	}

	producers []*producer
	consumers []*consumer
	helpers   sync.WaitGroup // joined once the connections are closed

	received   atomic.Int64    // messages
	receivedAt atomic.Int64    // when the last of them came, by clock
	published  atomic.Int64    // when the last producer ended, by clock; 0 until then
	draining   atomic.Bool     // the producers have ended: what is received is acknowledged at once
	ended      context.Context // nobody waits any more
	end        context.CancelFunc
	closing    atomic.Bool  // connections end because the run does
	blocked    atomic.Int64 // connections that the broker holds back at the moment

	failed chan error // the first failure, which ends the run
}

// Run puts the load on the broker and calls progress with each interval's figures. The context ends it early; the result
// is then of what was measured until then.
func Run(ctx context.Context, o Options, progress func(Interval)) (*Result, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	r := &run{options: &o, id: rand.Uint64(), start: time.Now(), failed: make(chan error, 1)}
	r.ended, r.end = context.WithCancel(context.Background())
	defer r.end()
	if err := r.setUp(); err != nil {
		return nil, errors.Join(err, r.tearDown())
	}
	result, err := r.measure(ctx, progress)
	patience := settleTime
	if err != nil || ctx.Err() != nil {
		patience = hurryTime
	}
	r.closeAll(time.Now().Add(patience))
	if e := r.tearDown(); err == nil {
		err = e
	}
	return result, err
}

// clock is the time since the run began.
func (r *run) clock() time.Duration { return time.Since(r.start) }

// measure opens all connections, consumers first, and lets them work.
func (r *run) measure(ctx context.Context, progress func(Interval)) (*Result, error) {
	for i := range r.options.Consumers {
		c, err := r.newConsumer(i)
		if err != nil {
			return nil, err
		}
		r.consumers = append(r.consumers, c)
	}
	for i := range r.options.Producers {
		p, err := r.newProducer(i)
		if err != nil {
			return nil, err
		}
		r.producers = append(r.producers, p)
	}
	for _, c := range r.consumers {
		r.helpers.Go(func() { r.fail(c.consume()) })
	}
	return r.work(ctx, progress)
}

// work runs the producers, takes the figures of every interval, and waits until all is through.
func (r *run) work(ctx context.Context, progress func(Interval)) (*Result, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	work := ctx
	if r.options.Duration > 0 {
		var ended context.CancelFunc
		work, ended = context.WithTimeout(ctx, r.options.Duration)
		defer ended()
	}
	through := make(chan struct{})
	r.helpers.Go(func() {
		defer close(through)
		r.runProducers(work, ctx)
		r.published.Store(int64(r.clock()))
		r.draining.Store(true)
		r.drain(ctx)
	})
	result := newResult(r.options, r.start)
	ticks := time.NewTicker(r.options.Interval)
	defer ticks.Stop()
	var err error
	for done := false; !done && err == nil; {
		select {
		case <-ticks.C:
			progress(result.add(r.take()))
		case <-through:
			done = true
		case err = <-r.failed:
		}
	}
	result.end(r.take(), time.Duration(r.published.Load()), time.Duration(r.receivedAt.Load()))
	return result, err
}

// runProducers returns when all producers have ended, at the latest some time after work, or a moment after the run.
// Without any it is the time that ends the run.
func (r *run) runProducers(work, run context.Context) {
	if len(r.producers) == 0 {
		<-work.Done()
		return
	}
	hurry, done := soonAfter(run)
	defer done()
	var producers sync.WaitGroup
	for _, p := range r.producers {
		producers.Go(func() { r.fail(p.produce(work, hurry)) })
	}
	ended := make(chan struct{})
	r.helpers.Go(func() {
		producers.Wait()
		close(ended)
	})
	select {
	case <-ended:
		return
	case <-work.Done():
	}
	select {
	case <-ended:
	case <-hurry.Done():
	case <-time.After(2 * settleTime): // each has waited settleTime for its confirms by now
		r.fail(fmt.Errorf("the broker has taken nothing more from a producer for %s", 2*settleTime))
	}
}

// soonAfter ends hurryTime after ctx.
func soonAfter(ctx context.Context) (context.Context, context.CancelFunc) {
	soon, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(hurryTime, cancel) })
	return soon, func() {
		stop()
		cancel()
	}
}

// drain waits until the consumers have all that was published. Where that cannot be counted, it waits until nothing has
// come for idleTime.
func (r *run) drain(ctx context.Context) {
	if len(r.consumers) == 0 || len(r.producers) == 0 {
		return
	}
	var due int64
	for _, p := range r.producers {
		due += p.sent.Load() - p.refused.Load()
	}
	ours := len(r.made.queues) == r.options.Queues
	countable, limit := ours && r.options.oneQueueEach(), idleTime
	if countable && !r.options.mayDrop() {
		limit = settleTime
	}
	began := r.clock()
	for !(countable && r.received.Load() >= due) {
		if !ours && r.clock()-began > settleTime {
			return // somebody else's messages come without end
		}
		idle := r.clock() - max(time.Duration(r.receivedAt.Load()), time.Duration(r.published.Load()))
		if idle > limit || !sleep(ctx, 5*time.Millisecond) {
			return
		}
	}
}

// oneQueueEach says whether each message goes to one queue, and each queue has a consumer, so that what was published is
// what will be received.
func (o *Options) oneQueueEach() bool {
	return (o.ExchangeType == "direct" || o.Queues == 1) && o.Consumers >= o.Queues
}

// mayDrop says whether the queues have arguments of which one may let messages disappear, such as x-max-length.
func (o *Options) mayDrop() bool {
	for name := range o.Arguments {
		if name != "x-queue-type" {
			return true
		}
	}
	return false
}

// take collects what was noted since it was last called.
func (r *run) take() sample {
	s := sample{at: r.clock(), latency: newHistogram(), confirm: newHistogram(), blocked: int(r.blocked.Load())}
	for _, p := range r.producers {
		p.meter.take(&s.counts, s.confirm)
	}
	for _, c := range r.consumers {
		c.meter.take(&s.counts, s.latency)
	}
	return s
}

// fail ends the run.
func (r *run) fail(err error) {
	if err == nil {
		return
	}
	select {
	case r.failed <- err:
	default:
	}
}

// lost is the error of a connection that ended, unless the run has ended it.
func (r *run) lost(err error) error {
	if r.closing.Load() {
		return nil
	}
	return err
}

// watch follows a connection: whether the broker holds it back, and why it ends.
func (r *run) watch(c connection) {
	blocks := c.conn.NotifyBlocked(make(chan amqp.Blocking, 4))
	closed := make(chan *amqp.Error, 2)
	c.conn.NotifyClose(closed)
	channelClosed := c.channel.NotifyClose(make(chan *amqp.Error, 1))
	r.helpers.Go(func() {
		was := false
		for b := range blocks {
			if b.Active != was {
				was = b.Active
				r.blocked.Add(map[bool]int64{true: 1, false: -1}[was])
			}
		}
		if was {
			r.blocked.Add(-1)
		}
	})
	r.helpers.Go(func() {
		select {
		case e := <-closed:
			if e != nil {
				r.fail(r.lost(fmt.Errorf("the broker has closed a connection: %w", e)))
			}
		case e := <-channelClosed:
			if e != nil {
				r.fail(r.lost(fmt.Errorf("the broker has closed a channel: %w", e)))
			}
		}
	})
}

// closeAll closes every connection and joins all goroutines. A broker that holds a producer back does not take its close
// either; so there is a deadline.
func (r *run) closeAll(deadline time.Time) {
	r.closing.Store(true)
	r.end()
	for _, c := range r.consumers { // first, since none of them is held back
		c.closeBy(deadline)
	}
	for _, p := range r.producers {
		p.closeBy(deadline)
	}
	r.helpers.Wait()
}
