package crash_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// traffic is what many clients do at the same queues, with a client library.
type traffic struct {
	report *report
	seen   *sightings
	ledger *ledger
	source *atomic.Int32 // of the last publisher
}

// Names of the traffic's queues and exchanges.
const (
	trafficAll      = "traffic.all" // a fanout exchange to all of trafficQueues, and sometimes to trafficVolatile
	trafficVolatile = "traffic.volatile"
	trafficProofs   = "traffic.proofs"
	trafficPassing  = "traffic.transient"
)

var trafficQueues = []string{"traffic.0", "traffic.1", "traffic.2"}

// shape is what a round is like.
type shape struct {
	publishers, consumers int
	window                int // publishes without a confirm
}

// setUp declares what is always there.
func (tr *traffic) setUp(addr string) error {
	conn, ch, err := dialLibrary(addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := ch.ExchangeDeclare(trafficAll, "fanout", true, false, false, false, nil); err != nil {
		return err
	}
	for _, q := range append([]string{trafficProofs}, trafficQueues...) {
		if _, err := ch.QueueDeclare(q, true, false, false, false, nil); err != nil {
			return err
		}
	}
	for _, q := range trafficQueues {
		if err := ch.QueueBind(q, "", trafficAll, false, nil); err != nil {
			return err
		}
	}
	return nil
}

// run lets all clients work until the broker is gone or stop is closed.
func (tr *traffic) run(addr string, sh shape, seed uint64, stop <-chan struct{}) {
	var clients sync.WaitGroup
	begin := func(what string, work func(*amqp091.Channel, *rand.Rand, <-chan struct{}) error) {
		rng := rand.New(rand.NewPCG(seed, uint64(tr.source.Add(1))))
		clients.Go(func() {
			if err := tr.client(addr, rng, stop, work); err != nil {
				tr.report.violation("%s: %v", what, err)
			}
		})
	}
	for range sh.publishers {
		begin("publisher", func(ch *amqp091.Channel, rng *rand.Rand, over <-chan struct{}) error {
			return tr.publish(ch, rng, sh.window, over)
		})
	}
	for i := range sh.consumers {
		queue := trafficQueues[i%len(trafficQueues)]
		begin("consumer of "+queue, func(ch *amqp091.Channel, rng *rand.Rand, over <-chan struct{}) error {
			return (&consumer{traffic: tr, channel: ch, queue: queue, rng: rng}).run(over)
		})
	}
	begin("janitor", tr.tidy)
	clients.Wait()
}

// client opens a connection and a channel and lets work use them. over is closed when the connection is, or stop.
func (tr *traffic) client(addr string, rng *rand.Rand, stop <-chan struct{}, work func(*amqp091.Channel, *rand.Rand, <-chan struct{}) error) error {
	conn, ch, err := dialLibrary(addr)
	if err != nil {
		return nil // the broker is gone; if it should not be, the next start will tell
	}
	defer conn.Close()
	over := make(chan struct{})
	closed := ch.NotifyClose(make(chan *amqp091.Error, 1))
	var why *amqp091.Error
	var watch sync.WaitGroup
	watch.Go(func() {
		defer close(over)
		select {
		case why = <-closed:
		case <-stop:
		}
	})
	err = work(ch, rng, over)
	conn.Close()
	watch.Wait()
	if why != nil && why.Server && why.Code != amqp091.ConnectionForced { // it was alive, and refused something
		return fmt.Errorf("closed by the broker: %w", why)
	}
	if err != nil {
		return err
	}
	return nil
}

func dialLibrary(addr string) (*amqp091.Connection, *amqp091.Channel, error) {
	conn, err := amqp091.DialConfig("amqp://guest:guest@"+addr+"/", amqp091.Config{Heartbeat: 60 * time.Second})
	if err != nil {
		return nil, nil, err
	}
	ch, err := conn.Channel()
	if err == nil {
		err = ch.Confirm(false)
	}
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	return conn, ch, nil
}

func publishing(id messageID) amqp091.Publishing {
	p := amqp091.Publishing{MessageId: id.String(), DeliveryMode: amqp091.Transient, Body: id.body()}
	if id.persistent() {
		p.DeliveryMode = amqp091.Persistent
	}
	return p
}

// sent is a publish that waits for its confirm.
type sent struct {
	id      messageID
	confirm *amqp091.DeferredConfirmation
}

// settled reports whether the broker has answered, and how. It waits for at most one of them while there are more
// than so many.
func settled(list []sent, most int, over <-chan struct{}, f func(s sent, acked bool)) []sent {
	for len(list) > 0 {
		s := list[0]
		if len(list) <= most {
			select {
			case <-s.confirm.Done():
			default:
				return list
			}
		} else {
			select {
			case <-s.confirm.Done():
			case <-over:
				// What has come before the end counts, what has not is unknown.
				select {
				case <-s.confirm.Done():
				default:
					return list
				}
			}
		}
		f(s, s.confirm.Acked())
		list = list[1:]
	}
	return list
}

// publish sends to all queues at once, or to one, until the end.
func (tr *traffic) publish(ch *amqp091.Channel, rng *rand.Rand, window int, over <-chan struct{}) error {
	source := int(tr.source.Add(1))
	var list []sent
	confirmed := func(s sent, acked bool) {
		if acked {
			tr.report.confirmed.Add(1)
			tr.ledger.confirm(s.id)
		}
	}
	for n := 1; ; n++ {
		select {
		case <-over:
			settled(list, 0, over, confirmed)
			return nil
		default:
		}
		id := newID(source, n)
		exchange, key, queues := trafficAll, "", uint(allQueues)
		if one := rng.IntN(2 * len(trafficQueues)); one < len(trafficQueues) {
			exchange, key, queues = "", trafficQueues[one], 1<<one
		}
		tr.ledger.publish(id, queues)
		c, err := ch.PublishWithDeferredConfirmWithContext(context.Background(), exchange, key, true, false, publishing(id))
		if err != nil {
			settled(list, 0, over, confirmed)
			return nil
		}
		list = settled(append(list, sent{id, c}), window, over, confirmed)
	}
}

// tidy deletes a queue that everybody publishes to, declares it again, binds and purges it.
func (tr *traffic) tidy(ch *amqp091.Channel, rng *rand.Rand, over <-chan struct{}) error {
	if _, err := ch.QueueDeclare(trafficPassing, false, false, false, false, nil); err != nil {
		return nil
	}
	if err := ch.QueueBind(trafficPassing, "", trafficAll, false, nil); err != nil {
		return nil
	}
	for {
		select {
		case <-over:
			return nil
		case <-time.After(time.Duration(rng.IntN(60)) * time.Millisecond):
		}
		if _, err := ch.QueuePurge(trafficPassing, false); err != nil {
			return nil
		}
		var err error
		switch rng.IntN(4) {
		case 0, 1:
			end := tr.ledger.begin(volatileDeclare)
			if _, err = ch.QueueDeclare(trafficVolatile, true, false, false, false, nil); err == nil {
				err = ch.QueueBind(trafficVolatile, "", trafficAll, false, nil)
			}
			end(err)
		case 2:
			end := tr.ledger.begin(volatileDelete)
			_, err = ch.QueueDelete(trafficVolatile, false, false, false)
			end(err)
		case 3:
			if tr.ledger.mayPurge() {
				_, err = ch.QueuePurge(trafficVolatile, false)
			}
		}
		if err != nil {
			return nil
		}
		tr.report.definitions.Add(1)
	}
}
