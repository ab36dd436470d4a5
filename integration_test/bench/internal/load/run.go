package load

import (
	"cmp"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warren-mq/warren/integration_test/bench/internal/amqp"
	"github.com/warren-mq/warren/integration_test/bench/internal/hist"
)

// run is a messaging scenario in progress.
type run struct {
	opt       *Options
	topo      *topology
	res       *Result
	control   *amqp.Conn
	producers []*producer
	consumers []*consumer

	// Running totals, over all phases.
	published    atomic.Int64
	confirmed    atomic.Int64
	consumed     atomic.Int64
	lastDelivery atomic.Int64 // time of the newest delivery

	recordFrom atomic.Int64 // messages stamped earlier are not part of the latencies
	backlog    int64        // most messages in flight
	stop       atomic.Bool  // producers should end their phase

	failed atomic.Bool
	mu     sync.Mutex
	err    error
	conns  []*amqp.Conn // of producers and consumers, to interrupt them
}

// stamped says whether bodies carry their publish time.
func (o *Options) stamped() bool { return o.Rate > 0 && o.Size >= stampSize }

func (r *run) inFlight() int64 {
	return r.published.Load() - r.consumed.Load()/int64(r.topo.copies)
}

func (r *run) track(c *amqp.Conn) {
	r.mu.Lock()
	r.conns = append(r.conns, c)
	r.mu.Unlock()
}

// fail ends the run; the first error counts.
func (r *run) fail(who string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = fmt.Errorf("%s: %w", who, err)
	}
	r.failed.Store(true)
	r.stop.Store(true)
	for _, c := range r.conns {
		c.Interrupt()
	}
}

func (r *run) firstError() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// watch fails the run when it makes no progress, or takes too long, until
// done is closed. Nothing else in a run needs a timeout: an interrupted
// connection ends every wait.
func (r *run) watch(stall, timeout time.Duration, done <-chan struct{}) {
	begin, moved := time.Now(), time.Now()
	var last int64 = -1
	for {
		select {
		case <-done:
			return
		case <-time.After(250 * time.Millisecond):
		}
		sum := r.published.Load() + r.confirmed.Load() + r.consumed.Load()
		if sum != last {
			last, moved = sum, time.Now()
		}
		state := fmt.Sprintf("%d published, %d confirmed, %d consumed",
			r.published.Load(), r.confirmed.Load(), r.consumed.Load())
		switch {
		case time.Since(moved) > stall:
			r.fail("stall", fmt.Errorf("no progress for %v: %s", stall, state))
			return
		case time.Since(begin) > timeout:
			r.fail("timeout", fmt.Errorf("not done after %v: %s", timeout, state))
			return
		}
	}
}

// awaitDeliveries waits until so many messages have been consumed in all.
func (r *run) awaitDeliveries(want int64) error {
	for {
		if r.failed.Load() {
			return r.firstError()
		}
		switch got := r.consumed.Load(); {
		case got == want:
			return nil
		case got > want:
			return fmt.Errorf("%d messages were delivered where %d were expected", got, want)
		}
		time.Sleep(time.Millisecond)
	}
}

// awaitReady waits until the queues hold so many messages.
func (r *run) awaitReady(want int) error {
	for {
		got, err := r.topo.ready(r.control)
		if err != nil {
			return err
		}
		if r.failed.Load() {
			return fmt.Errorf("%w; the queues hold %d messages of %d", r.firstError(), got, want)
		}
		switch {
		case got == want:
			return nil
		case got > want:
			return fmt.Errorf("the queues hold %d messages where %d were expected", got, want)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// finish collects the latencies, closes the connections and, if the run went
// well, checks that the queues are as they should be before it removes them.
func (r *run) finish(m mode, ok bool) error {
	var err error // the first one
	delivery, confirm := new(hist.Histogram), new(hist.Histogram)
	for _, c := range r.consumers {
		err = cmp.Or(err, c.close())
		if c.latency != nil {
			delivery.Merge(c.latency)
			r.res.Latency = delivery.Summary()
		}
	}
	for _, p := range r.producers {
		err = cmp.Or(err, p.close())
		if p.latency != nil {
			confirm.Merge(p.latency)
			r.res.ConfirmLatency = confirm.Summary()
		}
	}
	if err != nil {
		return err
	}
	if ok {
		want := 0
		if m == publishOnly {
			want = int(r.published.Load())
		}
		left, err := r.topo.ready(r.control)
		if err != nil {
			return err
		}
		if left != want {
			return fmt.Errorf("%d messages are left in the queues instead of %d", left, want)
		}
		redelivered := uint64(0)
		for _, c := range r.consumers {
			redelivered += c.scan.Redelivered
		}
		if redelivered > 0 {
			r.res.extra("redelivered", float64(redelivered))
		}
	}
	if r.opt.Keep {
		return nil
	}
	return r.topo.remove(r.control)
}

func (r *Result) extra(name string, v float64) {
	if r.Extra == nil {
		r.Extra = map[string]float64{}
	}
	r.Extra[name] = v
}
