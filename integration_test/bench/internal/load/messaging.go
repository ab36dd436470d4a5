package load

import (
	"cmp"
	"fmt"
	"sync"
	"time"

	"github.com/warren-mq/warren/integration_test/bench/internal/hist"
)

// mode is which half of the work a messaging scenario measures.
type mode int

const (
	pubSub      mode = iota // publish and consume at once
	publishOnly             // publish to queues without consumers
	consumeOnly             // fill the queues first, then drain them
	drainOnly               // drain queues that an earlier run has filled
)

// messaging runs one of the scenarios that move messages.
func messaging(o *Options, t *topology, m mode, res *Result) (err error) {
	r := &run{opt: o, topo: t, res: res, backlog: o.backlogLimit()}
	if r.control, err = o.dial(0); err != nil {
		return err
	}
	defer func() {
		if e := r.control.Close(); err == nil {
			err = e
		}
	}()
	res.Product = r.control.Product
	if err := r.control.OpenChannel(channel); err != nil {
		return err
	}
	if err := t.declare(r.control, o, m == drainOnly); err != nil {
		return err
	}
	done := make(chan struct{})
	go r.watch(o.Stall, o.Timeout, done)
	err = r.measure(m)
	close(done)
	if e := r.firstError(); e != nil {
		err = e // the cause, where err is a consequence
	}
	return cmp.Or(err, r.finish(m, err == nil))
}

// measure runs the phases of a scenario.
func (r *run) measure(m mode) error {
	o := r.opt
	switch m {
	case consumeOnly:
		if err := r.fill(); err != nil {
			return err
		}
		return r.drain(uint64(o.Count))
	case drainOnly:
		return r.drain(uint64(o.Count))
	case pubSub:
		if err := r.startConsumers(); err != nil {
			return err
		}
	}
	if err := r.startProducers(); err != nil {
		return err
	}
	if o.Warmup > 0 {
		if err := r.phase(m, o.Warmup, 0); err != nil {
			return err
		}
	}
	return r.phase(m, o.Duration, o.Count)
}

func (r *run) startProducers() error {
	for _, keys := range r.topo.keys {
		p, err := dialProducer(r, keys)
		if err != nil {
			return err
		}
		r.producers = append(r.producers, p)
	}
	return nil
}

func (r *run) startConsumers() error {
	for i := range r.opt.Consumers {
		c, err := startConsumer(r, r.topo.queues[i%len(r.topo.queues)])
		if err != nil {
			return err
		}
		r.consumers = append(r.consumers, c)
	}
	return nil
}

// phase publishes for a while, or a number of messages, and waits until all
// of them have arrived. The figures of the last phase are the result.
func (r *run) phase(m mode, d time.Duration, count int) error {
	published, confirmed, consumed := r.published.Load(), r.confirmed.Load(), r.consumed.Load()
	for _, p := range r.producers {
		if p.latency != nil {
			*p.latency = hist.Histogram{}
		}
	}
	r.recordFrom.Store(now())
	meter, err := startMeter(r.opt.Pids)
	if err != nil {
		return err
	}
	begin := now()

	r.stop.Store(false)
	if d > 0 {
		defer time.AfterFunc(d, func() { r.stop.Store(true) }).Stop()
	}
	var wg sync.WaitGroup
	for i, p := range r.producers {
		quota := count / len(r.producers)
		if i < count%len(r.producers) {
			quota++
		}
		wg.Go(func() {
			if err := p.publish(quota); err != nil {
				r.fail("producer", err)
			}
		})
	}
	wg.Wait()
	wrote := now()

	end := wrote
	switch m {
	case pubSub:
		if err := r.awaitDeliveries(r.published.Load() * int64(r.topo.copies)); err != nil {
			return err
		}
		end = r.lastDelivery.Load()
	case publishOnly:
		// Without confirms, writing proves little: wait until the broker says
		// that the queues hold all messages.
		if err := r.awaitReady(int(r.published.Load())); err != nil {
			return err
		}
		if r.opt.ConfirmWindow == 0 {
			wrote = now()
		}
		end = now()
	}

	res := r.res
	res.Published = uint64(r.published.Load() - published)
	res.Confirmed = uint64(r.confirmed.Load() - confirmed)
	res.Consumed = uint64(r.consumed.Load() - consumed)
	res.PublishSeconds = float64(wrote-begin) / 1e9
	res.Seconds = float64(end-begin) / 1e9
	if r.opt.ConfirmWindow > 0 && res.Confirmed != res.Published {
		return fmt.Errorf("%d messages were published, but %d confirmed", res.Published, res.Confirmed)
	}
	return meter.stop(res)
}

// fill publishes the messages of a consume-only run, which are not measured.
func (r *run) fill() error {
	opt, backlog := r.opt, r.backlog
	o := *opt
	o.ConfirmWindow = max(o.ConfirmWindow, 2000)
	r.opt, r.backlog = &o, 1<<62
	err := r.startProducers()
	if err == nil {
		err = r.phase(publishOnly, 0, o.Count)
	}
	for _, p := range r.producers {
		err = cmp.Or(err, p.close())
	}
	r.opt, r.backlog, r.producers = opt, backlog, nil
	r.published.Store(0)
	r.confirmed.Store(0)
	*r.res = Result{ // without the figures of filling
		Scenario: r.res.Scenario, Target: r.res.Target, Product: r.res.Product,
		Addr: r.res.Addr, Time: r.res.Time, Params: r.res.Params,
	}
	time.Sleep(opt.Settle)
	return err
}

// drain consumes count messages that wait in the queues.
func (r *run) drain(count uint64) error {
	if err := r.awaitReady(int(count)); err != nil {
		return err
	}
	meter, err := startMeter(r.opt.Pids)
	if err != nil {
		return err
	}
	begin := now()
	if err := r.startConsumers(); err != nil {
		return err
	}
	if err := r.awaitDeliveries(int64(count)); err != nil {
		return err
	}
	r.res.Consumed = count
	r.res.Seconds = float64(r.lastDelivery.Load()-begin) / 1e9
	return meter.stop(r.res)
}
