package load

import (
	"fmt"
	"time"

	"github.com/warren-mq/warren/integration_test/bench/internal/amqp"
	"github.com/warren-mq/warren/integration_test/bench/internal/hist"
	"github.com/warren-mq/warren/integration_test/bench/internal/procstat"
)

// declare makes queues, binds each of them to a direct exchange and deletes
// them, with so many requests under way on each of so many connections.
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
	begin := time.Now()
	for _, s := range declareSteps(o, exchange) {
		start := time.Now()
		h, err := workers(o.Producers, func(w int, h *hist.Histogram) error { return s.do(o, conns[w], w, h) })
		if err != nil {
			return err
		}
		res.extra(s.figure, float64(o.Count)/time.Since(start).Seconds())
		all.Merge(h)
		if s.memory != "" {
			if err := memoryOfEach(o, res, meter, s.memory); err != nil {
				return err
			}
		}
	}
	res.Seconds = time.Since(begin).Seconds()
	res.OperationLatency = all.Summary()
	res.Operations = res.OperationLatency.Count
	if err := meter.stop(res); err != nil {
		return err
	}
	if !o.Keep {
		if err := conns[0].DeleteExchange(channel, exchange); err != nil {
			return err
		}
	}
	for _, c := range conns {
		if err := c.Close(); err != nil {
			return err
		}
	}
	return nil
}

// declareStep is one request that is made for each queue.
type declareStep struct {
	figure, memory string
	method, reply  amqp.Method
	build          func(w *amqp.Writer, name string)
}

func declareSteps(o *Options, exchange string) []declareStep {
	steps := []declareStep{
		{"declares_per_s", "rss_kib_per_queue", amqp.QueueDeclare, amqp.QueueDeclareOk, func(w *amqp.Writer, name string) {
			q := amqp.Queue{Name: name, Durable: o.Durable, Args: o.QueueArgs}
			q.Append(w)
		}},
		{"binds_per_s", "rss_kib_per_bound_queue", amqp.QueueBind, amqp.QueueBindOk, func(w *amqp.Writer, name string) {
			amqp.AppendBind(w, name, exchange, name)
		}},
		{"deletes_per_s", "", amqp.QueueDelete, amqp.QueueDeleteOk, amqp.AppendDelete},
	}
	if o.Keep {
		steps = steps[:2]
	}
	return steps
}

// do makes the requests that fall to connection w. The latency of pipelined
// ones is their share of the time.
func (s *declareStep) do(o *Options, c *amqp.Conn, w int, h *hist.Histogram) error {
	n := (o.Count - w + o.Producers - 1) / o.Producers
	at := n // so many in one go
	if o.Window <= 1 {
		at = 1
	}
	for k := 0; k < n; k += at {
		t := time.Now()
		err := c.Pipeline(channel, at, max(o.Window, 1), s.method, s.reply, func(to *amqp.Writer, i int) {
			s.build(to, declaredName(w+(k+i)*o.Producers))
		})
		if err != nil {
			return err
		}
		each := int64(time.Since(t)) / int64(at)
		for range at {
			h.Record(each)
		}
	}
	return nil
}

func declaredName(i int) string { return fmt.Sprintf("amqpbench.declare.%d", i) }

// memoryOfEach lets the broker come to rest and divides what it has grown by
// since the beginning.
func memoryOfEach(o *Options, res *Result, m *meter, figure string) error {
	if len(o.Pids) == 0 {
		return nil
	}
	time.Sleep(o.Settle)
	s, err := procstat.Read(o.Pids)
	if err != nil {
		return err
	}
	res.extra(figure, (float64(s.RSS)-float64(m.broker.RSS))/1024/float64(o.Count))
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
	c, err := dialUntil(o)
	if err != nil {
		return err
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
	if err := usage(o, res); err != nil {
		return err
	}
	return c.Close()
}

// declareReady waits until a broker that is being restarted accepts
// connections, and sees that all queues that declare has kept are there.
func declareReady(o *Options, res *Result) error {
	begin := o.Since
	if begin.IsZero() {
		begin = time.Now()
	}
	c, err := dialUntil(o)
	if err != nil {
		return err
	}
	defer c.Abort()
	res.Product = c.Product
	res.extra("connect_s", time.Since(begin).Seconds())
	if err := c.OpenChannel(channel); err != nil {
		return err
	}
	err = c.Pipeline(channel, o.Count, max(o.Window, 1), amqp.QueueDeclare, amqp.QueueDeclareOk, func(w *amqp.Writer, i int) {
		q := amqp.Queue{Name: declaredName(i), Passive: true}
		q.Append(w)
	})
	if err != nil {
		return err
	}
	res.Seconds = time.Since(begin).Seconds()
	res.extra("ready_s", res.Seconds)
	if err := usage(o, res); err != nil {
		return err
	}
	if b := res.Broker; b != nil {
		res.extra("rss_kib_per_queue", float64(b.RSS)/1024/float64(o.Count))
	}
	return c.Close()
}

// dialUntil dials until a broker answers.
func dialUntil(o *Options) (*amqp.Conn, error) {
	until := time.Now().Add(o.Timeout)
	for {
		c, err := o.dial(0)
		if err == nil {
			return c, nil
		}
		if time.Now().After(until) {
			return nil, fmt.Errorf("not ready after %v: %w", o.Timeout, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// usage fills in what the broker has used since its start.
func usage(o *Options, res *Result) error {
	s, err := procstat.Read(o.Pids)
	if err != nil {
		return err
	}
	if len(o.Pids) > 0 {
		res.Broker = &BrokerUsage{CPUSeconds: s.CPU.Seconds(), RSS: s.RSS, RSSAnon: s.RSSAnon, PeakRSS: s.Peak,
			ReadBytes: s.ReadBytes, WriteBytes: s.WriteBytes}
	}
	return nil
}
