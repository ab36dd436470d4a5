package load

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/warren-mq/warren/integration_test/bench/internal/amqp"
	"github.com/warren-mq/warren/integration_test/bench/internal/hist"
	"github.com/warren-mq/warren/integration_test/bench/internal/procstat"
)

// idle holds many open connections with one channel each, and tells what they
// cost in memory.
func idle(o *Options, res *Result) error {
	before, err := procstat.Read(o.Pids)
	if err != nil {
		return err
	}
	conns := make([]*amqp.Conn, o.Connections)
	defer func() {
		for _, c := range conns {
			if c != nil {
				c.Abort()
			}
		}
	}()
	var next atomic.Int64
	begin := time.Now()
	h, err := workers(o.Producers, func(_ int, h *hist.Histogram) error {
		for {
			i := int(next.Add(1)) - 1
			if i >= len(conns) {
				return nil
			}
			t := time.Now()
			c, err := o.dial(0)
			if err != nil {
				return fmt.Errorf("connection %d: %w", i+1, err)
			}
			conns[i] = c
			if err := c.OpenChannel(channel); err != nil {
				return fmt.Errorf("connection %d: %w", i+1, err)
			}
			h.Record(int64(time.Since(t)))
		}
	})
	if err != nil {
		return err
	}
	opened := time.Since(begin)
	res.Product = conns[0].Product

	// The measured window is idle: what it shows is the cost of doing nothing.
	time.Sleep(o.Settle)
	meter, err := startMeter(o.Pids)
	if err != nil {
		return err
	}
	window := time.Now()
	time.Sleep(o.Duration)
	res.Seconds = time.Since(window).Seconds()
	if err := meter.stop(res); err != nil {
		return err
	}
	after, err := procstat.Read(o.Pids)
	if err != nil {
		return err
	}
	res.OperationLatency = h.Summary()
	res.extra("connections", float64(len(conns)))
	res.extra("connects_per_s", float64(len(conns))/opened.Seconds())
	if len(o.Pids) > 0 {
		res.extra("rss_kib_per_connection", (float64(after.RSS)-float64(before.RSS))/1024/float64(len(conns)))
		res.extra("rss_mib_before", float64(before.RSS)/(1<<20))
	}

	_, err = workers(o.Producers, func(i int, _ *hist.Histogram) error {
		for ; i < len(conns); i += o.Producers {
			if err := conns[i].Close(); err != nil {
				return err
			}
			conns[i] = nil
		}
		return nil
	})
	return err
}
