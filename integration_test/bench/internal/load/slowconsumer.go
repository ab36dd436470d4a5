package load

import "github.com/warren-mq/warren/integration_test/bench/internal/amqp"

// slowConsumer is the latency of messages that a fanout exchange also puts
// into another queue, whose consumer takes everything and never reads from its
// socket. What waits in that queue at the end is among the extras: it shows
// that the broker could not get rid of it.
func slowConsumer(o *Options, res *Result) error {
	t, stuck := fanout(o), "amqpbench."+o.Scenario+".stuck"
	c, err := o.dial(0)
	if err != nil {
		return err
	}
	defer c.Abort()
	if err := c.OpenChannel(channel); err != nil {
		return err
	}
	if err := c.DeleteQueue(channel, stuck); err != nil {
		return err
	}
	if err := c.DeclareExchange(channel, t.exchange, t.kind, o.Durable); err != nil {
		return err
	}
	if _, err := c.DeclareQueue(channel, amqp.Queue{Name: stuck, Durable: o.Durable, Args: o.QueueArgs}); err != nil {
		return err
	}
	if err := c.BindQueue(channel, stuck, t.exchange, ""); err != nil {
		return err
	}
	if err := c.Consume(channel, stuck, "stuck", true); err != nil {
		return err
	}
	if err := messaging(o, t, pubSub, res); err != nil {
		return err
	}

	control, err := o.dial(0)
	if err != nil {
		return err
	}
	defer control.Abort()
	if err := control.OpenChannel(channel); err != nil {
		return err
	}
	waiting, err := control.DeclareQueue(channel, amqp.Queue{Name: stuck, Passive: true})
	if err != nil {
		return err
	}
	res.extra("waiting", float64(waiting))
	c.Abort()
	if err := control.DeleteQueue(channel, stuck); err != nil {
		return err
	}
	return control.Close()
}
