package crash_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// setUp declares what errands need. It is done after every start: a declaration that is not the same would be refused.
func (e *errands) setUp(addr string) error {
	conn, ch, err := dialLibrary(addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	to := func(queue string) amqp091.Table {
		return amqp091.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue}
	}
	retry, least := to(errandGivenUp), to(errandArrived)
	retry["x-retry"] = "150ms,400ms,900ms"
	least["x-queue-type"], least["x-overflow"], least["x-dead-letter-strategy"] = "quorum", "reject-publish", "at-least-once"
	err = ch.ExchangeDeclare("errand.delayed", "x-delayed-message", true, false, false, false, amqp091.Table{"x-delayed-type": "fanout"})
	for queue, arguments := range map[string]amqp091.Table{
		errandDue: nil, errandRetry: retry, errandPassed: least, errandGivenUp: nil, errandArrived: nil,
		errandOnce: {"x-dedup-window": "1000000"}, "errand.proofs": {"x-max-length": 1},
	} {
		if err == nil {
			_, err = ch.QueueDeclare(queue, true, false, false, false, arguments)
		}
	}
	if err == nil {
		err = ch.QueueBind(errandDue, "", "errand.delayed", false, nil)
	}
	return err
}

// publish sends errands of a kind until the broker is gone or stop is closed, and waits then for their confirms.
func (e *errands) publish(ch *amqp091.Channel, kind string, rng *rand.Rand, stop <-chan struct{}) {
	type sentErrand struct {
		errand  *errand
		confirm *amqp091.DeferredConfirmation
	}
	var window []sentErrand
	settle := func(most int) {
		for len(window) > most {
			if window[0].confirm.Wait() { // also ends with the channel
				e.confirm(window[0].errand)
			}
			window = window[1:]
		}
	}
	defer settle(0)
	again := []*errand(nil)
	if kind == errandOnce {
		again = e.unconfirmed(kind)
	}
	for {
		select {
		case <-stop:
			return
		case <-time.After(time.Duration(rng.IntN(3)) * time.Millisecond):
		}
		for range rng.IntN(10) {
			var x *errand
			if len(again) > 0 {
				x, again = again[0], again[1:]
			} else {
				x = e.create(kind)
			}
			m := amqp091.Publishing{DeliveryMode: amqp091.Persistent, MessageId: fmt.Sprint(x.number)}
			exchange, key, hold := "", kind, time.Duration(0)
			if kind == errandDue {
				exchange, hold = "errand.delayed", time.Duration(1+rng.IntN(2500))*time.Millisecond
				m.Headers = amqp091.Table{"x-delay": hold.Milliseconds()}
			}
			m.Body = e.next(x, hold)
			c, err := ch.PublishWithDeferredConfirmWithContext(context.Background(), exchange, key, false, false, m)
			if err != nil {
				return
			}
			window = append(window, sentErrand{x, c})
		}
		settle(100)
	}
}

// consume takes errands from a queue until the broker is gone. judge says what to do with each.
func (e *errands) consume(ch *amqp091.Channel, queue string) error {
	if err := ch.Qos(50, 0, false); err != nil {
		return nil
	}
	deliveries, err := ch.Consume(queue, "", false, false, false, false, nil)
	if err != nil {
		return nil
	}
	var since []returnedErrand
	var proofs sync.WaitGroup
	defer proofs.Wait()
	for d := range deliveries {
		x, err := e.deliver(queue, d.Body, d.Redelivered, time.Now())
		if err != nil {
			return fmt.Errorf("%s: %w", queue, err)
		}
		switch {
		case queue == errandPassed:
			err = d.Reject(false)
		case queue == errandRetry && (x.number%7 == 0 || x.returns < x.number%3):
			count, _ := d.Headers["x-delivery-count"].(int64)
			e.giveBack(x, int(count))
			if err = d.Nack(false, true); err == nil {
				since = append(since, returnedErrand{x, x.returns})
			}
		default:
			e.finish(x)
			err = d.Ack(false)
		}
		if err != nil {
			return nil
		}
		if len(since) > 20 {
			list := since
			since = nil
			c, err := ch.PublishWithDeferredConfirmWithContext(context.Background(), "", "errand.proofs", false, false,
				amqp091.Publishing{DeliveryMode: amqp091.Persistent})
			if err != nil {
				return nil
			}
			proofs.Go(func() {
				if c.Wait() {
					e.prove(list)
				}
			})
		}
	}
	return nil
}

// work lets all clients at a broker. Publishers end when stop is closed, consumers with the broker or with over.
func (e *errands) work(addr string, rng *rand.Rand, stop, over <-chan struct{}) {
	var clients sync.WaitGroup
	client := func(what string, ends <-chan struct{}, work func(*amqp091.Channel) error) {
		clients.Go(func() {
			conn, ch, err := dialLibrary(addr)
			if err != nil {
				return
			}
			closed := ch.NotifyClose(make(chan *amqp091.Error, 1))
			ended := make(chan struct{})
			var watch sync.WaitGroup
			watch.Go(func() {
				select {
				case <-ended:
				case <-ends:
				}
				conn.Close()
			})
			if err := work(ch); err != nil {
				e.report.violation("%v", err)
			}
			close(ended)
			watch.Wait()
			if why := <-closed; why != nil && why.Server && why.Code != amqp091.ConnectionForced {
				e.report.violation("%s: closed by the broker: %v", what, why)
			}
		})
	}
	for _, kind := range []string{errandDue, errandRetry, errandOnce, errandPassed} {
		seed := rng.Uint64()
		client("publisher of "+kind, over, func(ch *amqp091.Channel) error {
			e.publish(ch, kind, rand.New(rand.NewPCG(seed, 0)), stop)
			return nil
		})
	}
	for _, queue := range []string{errandDue, errandRetry, errandOnce, errandPassed, errandGivenUp, errandArrived} {
		client("consumer of "+queue, over, func(ch *amqp091.Channel) error { return e.consume(ch, queue) })
	}
	clients.Wait()
}

// round lets a broker work for a while and kills it.
func (e *errands) round(p *process, rng *rand.Rand) error {
	over, seed := make(chan struct{}), rng.Uint64()
	var clients sync.WaitGroup
	clients.Go(func() { e.work(p.amqp, rand.New(rand.NewPCG(seed, 0)), over, over) })
	<-time.After(time.Duration(100+rng.IntN(1400)) * time.Millisecond)
	dead := p.kill()
	close(over)
	clients.Wait()
	if dead {
		return fmt.Errorf("the broker ended by itself:\n%s", p.log())
	}
	return nil
}

// settleAll lets a broker work until all that was confirmed has come.
func (e *errands) settleAll(p *process, rng *rand.Rand) error {
	stop, over := make(chan struct{}), make(chan struct{})
	var clients sync.WaitGroup
	clients.Go(func() { e.work(p.amqp, rng, stop, over) })
	<-time.After(time.Second)
	close(stop)
	end := time.Now().Add(patience)
	n, example := e.open()
	for n > 0 && time.Now().Before(end) && e.report.count() == 0 {
		<-time.After(20 * time.Millisecond)
		n, example = e.open()
	}
	// Whatever comes now comes twice.
	<-time.After(2 * time.Second)
	close(over)
	clients.Wait()
	if n > 0 && e.report.count() == 0 {
		return fmt.Errorf("%d errands were confirmed and did not come, among them %+v", n, *example)
	}
	return p.stop()
}

// errandRounds kills brokers so many times on one folder.
func errandRounds(r *report, kinds []brokerKind, dir string, rounds int, rng *rand.Rand) error {
	e := &errands{report: r, list: map[string][]*errand{}}
	for n := 0; ; n++ {
		r.setRound(n + 1)
		p, err := startProcess(kinds[rng.IntN(len(kinds))], dir)
		if err != nil {
			return err
		}
		began := time.Now()
		if err = p.awaitReady(); err == nil {
			r.started(time.Since(began))
			err = e.setUp(p.amqp)
		}
		e.begin()
		if err == nil && n < rounds {
			err = e.round(p, rng)
			r.rounds.Add(1)
		} else if err == nil {
			err = e.settleAll(p, rng)
		}
		p.kill()
		if err != nil || n == rounds || r.count() > 0 {
			return err
		}
	}
}

// TestKilledBrokerRunsItsErrands: delayed messages are neither lost nor early, retries do not come back before their time,
// a duplicate is dropped whatever happens between two attempts, and a dead letter arrives.
func TestKilledBrokerRunsItsErrands(t *testing.T) {
	r := &report{t: t}
	rng := rand.New(rand.NewPCG(chooseSeed(t), 0))
	kinds := brokers(t)
	for left := *rounds; left > 0 && r.count() == 0; left -= 10 {
		dir, err := os.MkdirTemp("", "warren-crash-")
		if err != nil {
			t.Fatal(err)
		}
		if err := errandRounds(r, kinds, dir, min(left, 10), rng); err != nil {
			r.violation("%v", err)
		}
		if r.count() > 0 {
			t.Logf("the data folder is kept as %s", dir)
		} else if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	}
	t.Log(r.figures())
	if r.count() > 0 {
		t.Errorf("%d violations", r.count())
	}
	if r.confirmed.Load() == 0 || r.delivered.Load() == 0 {
		t.Error(errors.New("nothing was confirmed or delivered: the test shows nothing"))
	}
}
