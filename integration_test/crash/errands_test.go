package crash_test

import (
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
	retry, least, brief := to(errandGivenUp), to(errandArrived), to(errandExpired)
	brief["x-exact-ttl"] = true
	retry["x-retry"] = "150ms,400ms,900ms" // retrySteps
	least["x-queue-type"], least["x-overflow"], least["x-dead-letter-strategy"] = "quorum", "reject-publish", "at-least-once"
	err = ch.ExchangeDeclare("errand.delayed", "x-delayed-message", true, false, false, false, amqp091.Table{"x-delayed-type": "fanout"})
	for queue, arguments := range map[string]amqp091.Table{
		errandDue: nil, errandRetry: retry, errandPassed: least, errandGivenUp: nil, errandArrived: nil,
		errandKeyed: {"x-ordering-key": "key", "x-retry": retry["x-retry"]}, errandBrief: brief, errandExpired: nil,
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

// work lets all clients at a broker. Publishers end when stop is closed, consumers with the broker or with over. Until brief
// is closed, nobody takes what may expire.
func (e *errands) work(addr string, rng *rand.Rand, stop, over, brief <-chan struct{}) {
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
	for _, kind := range []string{errandDue, errandRetry, errandOnce, errandPassed, errandKeyed, errandBrief} {
		seed := rng.Uint64()
		client("publisher of "+kind, over, func(ch *amqp091.Channel) error {
			e.publish(ch, kind, rand.New(rand.NewPCG(seed, 0)), stop)
			return nil
		})
	}
	for _, queue := range []string{errandDue, errandRetry, errandOnce, errandPassed, errandGivenUp, errandArrived, errandExpired} {
		client("consumer of "+queue, over, func(ch *amqp091.Channel) error { return e.consume(ch, queue) })
	}
	for range 3 {
		client("consumer of "+errandKeyed, over, e.consumeKeyed)
	}
	client("consumer of "+errandBrief, over, func(ch *amqp091.Channel) error {
		select {
		case <-brief:
			return e.consume(ch, errandBrief)
		case <-over:
			return nil
		}
	})
	clients.Wait()
}

// round lets a broker work for a while and kills it.
func (e *errands) round(p *process, rng *rand.Rand) error {
	over, brief, seed := make(chan struct{}), make(chan struct{}), rng.Uint64()
	var clients sync.WaitGroup
	clients.Go(func() { e.work(p.amqp, rand.New(rand.NewPCG(seed, 0)), over, over, brief) })
	time.AfterFunc(time.Duration(rng.IntN(1500))*time.Millisecond, func() { close(brief) })
	<-time.After(time.Duration(100+rng.IntN(1400)) * time.Millisecond)
	dead := p.kill()
	close(over)
	clients.Wait()
	if dead {
		return fmt.Errorf("the broker ended by itself:\n%s", p.log())
	}
	return nil
}

// settleAll lets a broker work until all that was confirmed has come. What has expired has to be gone before anybody takes
// what stands before it.
func (e *errands) settleAll(p *process, rng *rand.Rand) error {
	stop, over, brief := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var clients sync.WaitGroup
	clients.Go(func() { e.work(p.amqp, rng, stop, over, brief) })
	<-time.After(time.Second)
	close(stop)
	err := e.await(e.late, "have expired and are still there")
	close(brief)
	if err == nil {
		err = e.await(e.open, "were confirmed and did not come")
	}
	// Whatever comes now comes twice.
	<-time.After(2 * time.Second)
	close(over)
	clients.Wait()
	if err != nil {
		return err
	}
	return p.stop()
}

// await waits until no errands are left.
func (e *errands) await(left func() (n int, example string), what string) error {
	end := time.Now().Add(patience)
	n, example := left()
	for n > 0 && time.Now().Before(end) && e.report.count() == 0 {
		<-time.After(20 * time.Millisecond)
		n, example = left()
	}
	if n > 0 && e.report.count() == 0 {
		return fmt.Errorf("%d errands %s, among them %s", n, what, example)
	}
	return nil
}

// errandRounds kills brokers so many times on one folder.
func errandRounds(r *report, kinds []brokerKind, dir string, rounds int, rng *rand.Rand) error {
	e := &errands{report: r, list: map[string][]*errand{}, keys: map[int]*errandKey{}, came: map[string]int{}}
	defer func() { r.t.Logf("deliveries: %v", e.came) }()
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
// a duplicate is dropped whatever happens between two attempts, a dead letter arrives, messages of a key come one by one in
// their order, and what has expired dies in its time and comes to no consumer.
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
