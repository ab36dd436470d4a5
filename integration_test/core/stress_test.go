package core_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/amqptest"
)

// ledger knows what became of each message in each queue.
type ledger struct {
	t  *testing.T
	mu sync.Mutex
	of map[string]*account // by queue and message
}

type account struct {
	deliveries int  // that a client has seen
	acked      bool // for sure: something synchronous followed
	perhaps    bool // acked on a connection that was cut
}

func (l *ledger) published(queue, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of[queue+"/"+id] = new(account)
}

// delivered returns how many deliveries of a message were seen.
func (l *ledger) delivered(queue string, d *amqp091.Delivery) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.of[queue+"/"+string(d.Body)]
	switch {
	case a == nil:
		l.t.Errorf("%s of %s was never published", d.Body, queue)
		return 0
	case a.acked:
		l.t.Errorf("%s of %s is delivered after it was acknowledged", d.Body, queue)
	case a.deliveries > 0 && !d.Redelivered:
		l.t.Errorf("%s of %s is delivered again and not marked as redelivered", d.Body, queue)
	}
	a.deliveries++
	return a.deliveries
}

// ack is an acknowledgement that was sent.
type ack struct {
	queue, id  string
	deliveries int // seen until then
}

// settled notes acknowledgements that the broker has taken for sure.
func (l *ledger) settled(acks []ack, sure bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range acks {
		a := l.of[k.queue+"/"+k.id]
		if a == nil {
			continue // told already
		}
		if !sure {
			a.perhaps = true
			continue
		}
		if a.acked || a.deliveries != k.deliveries {
			l.t.Errorf("%s of %s: acknowledged twice, or delivered to another client meanwhile", k.id, k.queue)
		}
		a.acked = true
	}
}

// worker opens a connection, consumes for a while, settles what it gets at random and ends at random.
type worker struct {
	*ledger
	url    string
	queues []string
	rng    *rand.Rand
	sent   []ack
}

func (w *worker) session() error {
	var socket net.Conn
	conn, err := amqp091.DialConfig(w.url, amqp091.Config{Dial: func(network, addr string) (c net.Conn, err error) {
		c, err = net.Dial(network, addr)
		socket = c
		return c, err
	}})
	if err != nil {
		return err
	}
	defer conn.Close()
	for range 1 + w.rng.IntN(3) {
		ch, err := conn.Channel()
		if err != nil {
			return err
		}
		if err := w.consume(ch); err != nil {
			return err
		}
		sure := w.rng.IntN(4) > 0
		switch {
		case !sure:
			socket.Close()
		case w.rng.IntN(2) == 0:
			err = ch.Close()
		default:
			err = ch.Qos(0, 0, false) // synchronous; the channel ends with the connection
		}
		w.settled(w.sent, sure)
		w.sent = nil
		if err != nil || !sure {
			return err
		}
	}
	return nil
}

// consume starts consumers on one channel and settles some of what they get.
func (w *worker) consume(ch *amqp091.Channel) error {
	if err := ch.Qos(w.rng.IntN(30), 0, w.rng.IntN(3) == 0); err != nil {
		return err
	}
	type delivery struct {
		amqp091.Delivery
		queue string
	}
	consumers := 1 + w.rng.IntN(3)
	all := make(chan delivery)
	done := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(done)
	for n := range consumers {
		queue := w.queues[w.rng.IntN(len(w.queues))]
		ds, err := ch.Consume(queue, strconv.Itoa(n), false, false, false, false, nil)
		if err != nil {
			return err
		}
		wg.Go(func() {
			for {
				select {
				case d, ok := <-ds:
					if !ok {
						return
					}
					select {
					case all <- delivery{d, queue}:
					case <-done:
						return
					}
				case <-done:
					return
				}
			}
		})
	}
	idle := time.NewTimer(10 * time.Millisecond)
	defer idle.Stop()
	var unsettled []ack // in order of their tags, if there is one consumer
	for range w.rng.IntN(60) {
		idle.Reset(10 * time.Millisecond)
		select {
		case d := <-all:
			k := ack{d.queue, string(d.Body), w.delivered(d.queue, &d.Delivery)}
			var err error
			switch n := w.rng.IntN(20); {
			case n < 11:
				err = d.Ack(false)
				w.sent = append(w.sent, k)
			case n < 13 && consumers == 1: // else it would take in what another consumer got and nobody has seen
				err = d.Ack(true)
				w.sent = append(append(w.sent, unsettled...), k)
				unsettled = nil
			case n < 16:
				err = d.Nack(false, true)
			case n < 17:
				err = d.Reject(true)
			default:
				unsettled = append(unsettled, k)
			}
			if err != nil {
				return err
			}
		case <-idle.C:
			return nil
		}
	}
	return nil
}

// TestManyClientsAtOnceLoseAndDoubleNothing: publishers with confirms, consumers that ack, give back, close and are
// cut at random. Every message is acknowledged once, and nothing is left at the end.
func TestManyClientsAtOnceLoseAndDoubleNothing(t *testing.T) {
	t.Run("in memory", func(t *testing.T) { manyClients(t, amqptest.NewServer(t, amqptest.WithoutManagement())) })
	t.Run("on disk", func(t *testing.T) {
		manyClients(t, amqptest.NewServer(t, amqptest.WithoutManagement(), amqptest.WithDataDir(t.TempDir())))
	})
}

func manyClients(t *testing.T, s *amqptest.Server) {
	const publishers, workers, messages = 4, 8, 400
	seed := rand.Uint64()
	t.Log("seed", seed)
	l := &ledger{t: t, of: make(map[string]*account)}
	queues := []string{"one", "two", "three"}

	conn, err := amqp091.Dial(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range queues {
		if _, err := ch.QueueDeclare(q, true, false, false, false, nil); err != nil {
			t.Fatal(err)
		}
		if err := ch.QueueBind(q, "", "amq.fanout", false, nil); err != nil {
			t.Fatal(err)
		}
	}

	published := make(chan struct{})
	var producing, consuming sync.WaitGroup
	for n := range publishers {
		producing.Go(func() {
			if err := produce(s.URL, l, queues, fmt.Sprint(n), messages); err != nil {
				t.Error(err)
			}
		})
	}
	for n := range workers {
		w := &worker{ledger: l, url: s.URL, queues: queues, rng: rand.New(rand.NewPCG(seed, uint64(n)))}
		consuming.Go(func() {
			for {
				if err := w.session(); err != nil {
					t.Error(err)
				}
				select {
				case <-published:
					return
				default:
				}
			}
		})
	}
	producing.Wait()
	close(published)
	consuming.Wait()
	rest(t, s, ch, l, queues)
	conn.Close()
	eventually(t, "all connections are gone", func() bool { return len(s.Broker.Connections()) == 0 })
	totals := &s.Broker.Totals
	if o, c := totals.ConnectionsOpened.Load(), totals.ConnectionsClosed.Load(); o != c {
		t.Errorf("%d connections were opened and %d closed", o, c)
	}
	if o, c := totals.ChannelsOpened.Load(), totals.ChannelsClosed.Load(); o != c {
		t.Errorf("%d channels were opened and %d closed", o, c)
	}
}

// produce publishes with confirms, some to one queue and some to all.
func produce(url string, l *ledger, queues []string, name string, messages int) error {
	conn, err := amqp091.Dial(url)
	if err != nil {
		return err
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	if err := ch.Confirm(false); err != nil {
		return err
	}
	var last *amqp091.DeferredConfirmation
	for n := range messages {
		id := fmt.Sprintf("%s-%d", name, n)
		exchange, to := "", queues[n%len(queues):][:1]
		if n%5 == 0 {
			exchange, to = "amq.fanout", queues
		}
		for _, q := range to {
			l.published(q, id)
		}
		last, err = ch.PublishWithDeferredConfirmWithContext(context.Background(), exchange, to[0], true, false, amqp091.Publishing{
			Body: []byte(id), DeliveryMode: uint8(1 + n%2),
		})
		if err != nil {
			return err
		}
		if n%100 == 99 && !last.Wait() {
			return fmt.Errorf("%s was refused", id)
		}
	}
	if !last.Wait() {
		return fmt.Errorf("the last one of %s was refused", name)
	}
	return nil
}

// rest takes what is left and checks that nothing is missing.
func rest(t *testing.T, s *amqptest.Server, ch *amqp091.Channel, l *ledger, queues []string) {
	t.Helper()
	vh, _ := s.Broker.VHost("/")
	for _, name := range queues {
		q, _ := vh.Queue(name)
		eventually(t, "everything is given back", func() bool { return q.Stats().Unacked == 0 && q.Stats().Consumers == 0 })
		for {
			d, ok, err := ch.Get(name, false)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			k := ack{name, string(d.Body), l.delivered(name, &d)}
			if err := d.Ack(false); err != nil {
				t.Fatal(err)
			}
			l.settled([]ack{k}, true)
		}
		eventually(t, "the queue is empty", func() bool { st := q.Stats(); return st.Ready == 0 && st.Unacked == 0 })
		if st := q.Stats(); st.ReadyBytes != 0 || st.UnackedBytes != 0 {
			t.Errorf("%s is empty and counts %d and %d bytes", name, st.ReadyBytes, st.UnackedBytes)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, a := range l.of {
		if !a.acked && !a.perhaps {
			t.Errorf("%s is lost", id)
		}
	}
}
