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

// The scenarios in this file exercise connections and declarations instead
// of messages.

// workers runs f concurrently in n goroutines until one fails or all return,
// and collects what they record.
func workers(n int, f func(i int, h *hist.Histogram) error) (*hist.Histogram, error) {
	var (
		wg  sync.WaitGroup
		mu  sync.Mutex
		err error
		all = new(hist.Histogram)
	)
	for i := range n {
		wg.Go(func() {
			h := new(hist.Histogram)
			e := f(i, h)
			mu.Lock()
			all.Merge(h)
			err = cmp.Or(err, e)
			mu.Unlock()
		})
	}
	wg.Wait()
	return all, err
}

// churn opens connections, each with a channel and an exclusive queue, and
// closes them again, as fast as so many workers can.
func churn(o *Options, res *Result) error {
	var names atomic.Int64
	one := func() error {
		c, err := o.dial(0)
		if err != nil {
			return err
		}
		if err = c.OpenChannel(channel); err == nil {
			_, err = c.DeclareQueue(channel, amqp.Queue{
				Name: fmt.Sprintf("amqpbench.churn.%d", names.Add(1)), Exclusive: true,
			})
		}
		if err != nil {
			c.Abort()
			return err
		}
		return c.Close()
	}
	c, err := o.dial(0)
	if err != nil {
		return err
	}
	res.Product = c.Product
	if err := c.Close(); err != nil {
		return err
	}
	meter, err := startMeter(o.Pids)
	if err != nil {
		return err
	}
	var n atomic.Int64
	begin := time.Now()
	until := begin.Add(o.Duration)
	h, err := workers(o.Producers, func(_ int, h *hist.Histogram) error {
		for {
			if o.Count > 0 && n.Add(1) > int64(o.Count) || o.Duration > 0 && time.Now().After(until) {
				return nil
			}
			t := time.Now()
			if err := one(); err != nil {
				return err
			}
			h.Record(int64(time.Since(t)))
		}
	})
	if err != nil {
		return err
	}
	res.Seconds = time.Since(begin).Seconds()
	res.OperationLatency = h.Summary()
	res.Operations = res.OperationLatency.Count
	return meter.stop(res)
}
