package load

import (
	"fmt"
	"time"

	"github.com/warren-mq/warren/integration_test/bench/internal/amqp"
	"github.com/warren-mq/warren/integration_test/bench/internal/hist"
	"github.com/warren-mq/warren/integration_test/bench/internal/procstat"
)

// declare makes queues, binds each of them to a direct exchange and deletes
// them, one request at a time on each of so many connections.
func declare(o *Options, res *Result) error {
	exchange := exchangeName(o, "direct")
	conns := make([]*amqp.Conn, o.Producers)
	for i := range conns {
		c, err := o.dial(0)
		if err != nil {
			return err
		}
		defer c.Abort()
		if err := c.OpenChannel(channel); err != nil {
			return err
		}
		conns[i] = c
	}
	res.Product = conns[0].Product
	if err := conns[0].DeclareExchange(channel, exchange, "direct", o.Durable); err != nil {
		return err
	}
	meter, err := startMeter(o.Pids)
	if err != nil {
		return err
	}
	all := new(hist.Histogram)
	steps := []struct {
		figure string
		do     func(c *amqp.Conn, name string) error
	}{
		{"declares_per_s", func(c *amqp.Conn, name string) error {
			_, err := c.DeclareQueue(channel, amqp.Queue{Name: name, Durable: o.Durable, Args: o.QueueArgs})
			return err
		}},
		{"binds_per_s", func(c *amqp.Conn, name string) error {
			return c.BindQueue(channel, name, exchange, name)
		}},
		{"deletes_per_s", func(c *amqp.Conn, name string) error {
			return c.DeleteQueue(channel, name)
		}},
	}
	begin := time.Now()
	for _, s := range steps {
		start := time.Now()
		h, err := workers(o.Producers, func(w int, h *hist.Histogram) error {
			for i := w; i < o.Count; i += o.Producers {
				t := time.Now()
				if err := s.do(conns[w], fmt.Sprintf("amqpbench.declare.%d", i)); err != nil {
					return err
				}
				h.Record(int64(time.Since(t)))
			}
			return nil
		})
		if err != nil {
			return err
		}
		res.extra(s.figure, float64(o.Count)/time.Since(start).Seconds())
		all.Merge(h)
	}
	res.Seconds = time.Since(begin).Seconds()
	res.OperationLatency = all.Summary()
	res.Operations = res.OperationLatency.Count
	if err := meter.stop(res); err != nil {
		return err
	}
	if err := conns[0].DeleteExchange(channel, exchange); err != nil {
		return err
	}
	for _, c := range conns {
		if err := c.Close(); err != nil {
			return err
		}
	}
	return nil
}

// ready waits until a broker that is being restarted accepts connections and
// has all messages of the backlog scenario again.
func ready(o *Options, res *Result) error {
	begin := o.Since
	if begin.IsZero() {
		begin = time.Now()
	}
	until := time.Now().Add(o.Timeout)
	pause := func(err error) error {
		if time.Now().After(until) {
			return fmt.Errorf("not ready after %v: %w", o.Timeout, err)
		}
		time.Sleep(10 * time.Millisecond)
		return nil
	}
	var c *amqp.Conn
	for {
		var err error
		if c, err = o.dial(0); err == nil {
			break
		}
		if err = pause(err); err != nil {
			return err
		}
	}
	defer c.Abort()
	res.Product = c.Product
	res.extra("connect_s", time.Since(begin).Seconds())
	if err := c.OpenChannel(channel); err != nil {
		return err
	}
	t := direct(o)
	for {
		n, err := t.ready(c)
		if err != nil {
			return err
		}
		if n == o.Count {
			break
		}
		if err := pause(fmt.Errorf("the queues hold %d messages of %d", n, o.Count)); err != nil {
			return err
		}
	}
	res.Seconds = time.Since(begin).Seconds()
	res.extra("ready_s", res.Seconds)
	s, err := procstat.Read(o.Pids)
	if err != nil {
		return err
	}
	if len(o.Pids) > 0 {
		res.Broker = &BrokerUsage{CPUSeconds: s.CPU.Seconds(), RSS: s.RSS, RSSAnon: s.RSSAnon, PeakRSS: s.Peak,
			ReadBytes: s.ReadBytes, WriteBytes: s.WriteBytes}
	}
	return c.Close()
}
