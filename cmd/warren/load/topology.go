package load

import (
	"errors"
	"fmt"
	"os"

	amqp "github.com/rabbitmq/amqp091-go"
)

// connect opens a connection and its channel, under a name that the broker's management page shows.
func (r *run) connect(number int, what string) (*amqp.Connection, *amqp.Channel, error) {
	uri := r.options.uri(number)
	properties := amqp.NewConnectionProperties()
	host, _ := os.Hostname() // only for people; without is as well
	properties.SetClientConnectionName(fmt.Sprintf("warren bench %s %d on %s", what, number+1, host))
	conn, err := amqp.DialConfig(uri, amqp.Config{Properties: properties})
	if err != nil {
		return nil, nil, fmt.Errorf("connecting to %s: %w", shown(uri), err)
	}
	ch, err := conn.Channel()
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("opening a channel on %s: %w", shown(uri), err), conn.Close())
	}
	return conn, ch, nil
}

// shown is an address without its password.
func shown(uri string) string {
	u, err := amqp.ParseURI(uri)
	if err != nil {
		return "an address that cannot be read"
	}
	return fmt.Sprintf("%s://%s:%d/", u.Scheme, u.Host, u.Port)
}

// setUp makes the queues and the exchange, or sees that they are there.
func (r *run) setUp() error {
	o := r.options
	conn, ch, err := r.connect(0, "set-up")
	if err != nil {
		return err
	}
	defer conn.Close() // nothing is lost with it
	if o.Exchange != "" {
		if o.Existing {
			err = ch.ExchangeDeclarePassive(o.Exchange, o.ExchangeType, false, false, false, false, nil)
		} else {
			err = ch.ExchangeDeclare(o.Exchange, o.ExchangeType, o.Persistent, false, false, false, nil)
		}
		if err != nil {
			return fmt.Errorf("exchange %s: %w", o.Exchange, err)
		}
	}
	for i := range o.Queues {
		name := o.queue(i)
		r.keys = append(r.keys, name)
		if o.Existing {
			if _, err := ch.QueueDeclarePassive(name, false, false, false, false, nil); err != nil {
				return fmt.Errorf("queue %s: %w", name, err)
			}
			continue
		}
		if _, err := ch.QueueDeclare(name, o.Persistent, false, false, false, o.Arguments); err != nil {
			return fmt.Errorf("queue %s: %w", name, err)
		}
		if o.Exchange != "" {
			if err := ch.QueueBind(name, name, o.Exchange, false, nil); err != nil {
				return fmt.Errorf("binding queue %s to exchange %s: %w", name, o.Exchange, err)
			}
		}
	}
	return nil
}

// tearDown removes what setUp has made.
func (r *run) tearDown() error {
	o := r.options
	if o.Existing || o.Keep {
		return nil
	}
	conn, ch, err := r.connect(0, "tear-down")
	if err != nil {
		return err
	}
	defer conn.Close() // nothing is lost with it
	for i := range o.Queues {
		if _, err := ch.QueueDelete(o.queue(i), false, false, false); err != nil {
			return fmt.Errorf("deleting queue %s: %w", o.queue(i), err)
		}
	}
	if o.Exchange != "" {
		if err := ch.ExchangeDelete(o.Exchange, false, false); err != nil {
			return fmt.Errorf("deleting exchange %s: %w", o.Exchange, err)
		}
	}
	return nil
}
