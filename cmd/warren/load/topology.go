package load

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// connection is one to the broker, with its channel.
type connection struct {
	conn    *amqp.Connection
	channel *amqp.Channel
	socket  net.Conn // below conn
}

// connect opens a connection and its channel, under a name that the broker's management page shows.
func (r *run) connect(number int, what string) (connection, error) {
	var c connection
	uri := r.options.uri(number)
	properties := amqp.NewConnectionProperties()
	host, _ := os.Hostname() // only for people; without is as well
	properties.SetClientConnectionName(fmt.Sprintf("warren bench %s %d on %s", what, number+1, host))
	dial := func(network, address string) (socket net.Conn, err error) {
		c.socket, err = amqp.DefaultDial(connectTime)(network, address)
		return c.socket, err
	}
	var err error
	if c.conn, err = amqp.DialConfig(uri, amqp.Config{Properties: properties, Dial: dial}); err != nil {
		return c, fmt.Errorf("connecting to %s: %w", shown(uri), err)
	}
	if c.channel, err = c.conn.Channel(); err != nil {
		return c, errors.Join(fmt.Errorf("opening a channel on %s: %w", shown(uri), err), c.conn.Close())
	}
	return c, nil
}

// connectTime bounds the dial and the handshake.
const connectTime = 30 * time.Second

// closeBy closes the connection until then at the latest. amqp091-go waits for a write that is under way, for ever if
// the broker takes nothing, and sets its deadline only then; so it is set here first.
func (c connection) closeBy(deadline time.Time) {
	_ = c.socket.SetDeadline(deadline)
	_ = c.conn.CloseDeadline(deadline) // what there was to measure is measured, so no error matters any more
}

// shown is an address without its password.
func shown(uri string) string {
	u, err := amqp.ParseURI(uri)
	if err != nil {
		return "an address that cannot be read"
	}
	return fmt.Sprintf("%s://%s:%d/", u.Scheme, u.Host, u.Port)
}

// setUp makes the queues and the exchange that are not there yet, or sees that they are there. What it has made is in
// made, also if it fails.
func (r *run) setUp() error {
	o := r.options
	c, err := r.connect(0, "set-up")
	if err != nil {
		return err
	}
	defer c.conn.Close() // nothing is lost with it
	if o.Exchange != "" {
		there, err := c.there(func(ch *amqp.Channel) error {
			return ch.ExchangeDeclarePassive(o.Exchange, o.ExchangeType, false, false, false, false, nil)
		}, o.Existing)
		if err == nil && !o.Existing {
			err = c.channel.ExchangeDeclare(o.Exchange, o.ExchangeType, o.Persistent, false, false, false, nil)
		}
		if err != nil {
			return fmt.Errorf("exchange %s: %w", o.Exchange, err)
		}
		r.made.exchange = !there
	}
	for i := range o.Queues {
		name := o.queue(i)
		r.keys = append(r.keys, name)
		there, err := c.there(func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclarePassive(name, false, false, false, false, nil)
			return err
		}, o.Existing)
		if err == nil && !o.Existing {
			_, err = c.channel.QueueDeclare(name, o.Persistent, false, false, false, o.Arguments)
		}
		if err != nil {
			return fmt.Errorf("queue %s: %w", name, err)
		}
		if !there {
			r.made.queues = append(r.made.queues, name)
		}
		if o.Exchange != "" && !o.Existing {
			if err := c.channel.QueueBind(name, name, o.Exchange, false, nil); err != nil {
				return fmt.Errorf("binding queue %s to exchange %s: %w", name, o.Exchange, err)
			}
		}
	}
	return nil
}

// there reports whether a passive declaration succeeds. That there is no such thing is an error only if it must be there.
func (c connection) there(declare func(*amqp.Channel) error, must bool) (bool, error) {
	ch, err := c.conn.Channel() // of its own, since the broker closes it if there is nothing
	if err != nil {
		return false, err
	}
	err = declare(ch)
	if e := (*amqp.Error)(nil); !must && errors.As(err, &e) && e.Code == amqp.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, ch.Close()
}

// tearDown removes what setUp has made.
func (r *run) tearDown() error {
	if r.options.Keep || len(r.made.queues) == 0 && !r.made.exchange {
		return nil
	}
	c, err := r.connect(0, "tear-down")
	if err != nil {
		return err
	}
	defer c.conn.Close() // nothing is lost with it
	for _, name := range r.made.queues {
		if _, err := c.channel.QueueDelete(name, false, false, false); err != nil {
			return fmt.Errorf("deleting queue %s: %w", name, err)
		}
	}
	if r.made.exchange {
		if err := c.channel.ExchangeDelete(r.options.Exchange, false, false); err != nil {
			return fmt.Errorf("deleting exchange %s: %w", r.options.Exchange, err)
		}
	}
	return nil
}
