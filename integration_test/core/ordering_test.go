package core_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/amqptest"
)

// TestKeysKeepTheirOrderWithManyConsumers: whatever eight consumers do to what they get, a key has one message with them
// at a time, and its messages are done in their order.
func TestKeysKeepTheirOrderWithManyConsumers(t *testing.T) {
	for _, kind := range []string{"classic", "quorum"} {
		t.Run(kind, func(t *testing.T) {
			s := amqptest.NewServer(t, amqptest.WithDataDir(t.TempDir()), amqptest.WithoutManagement())
			publisher := durableChannel(t, s)
			_, err := publisher.QueueDeclare("work", true, false, false, false, amqp091.Table{"x-queue-type": kind, "x-ordering-key": "key"})
			must(t, err)
			const keys, each, consumers = 40, 50, 8
			w := &orderedWork{t: t, busy: make([]atomic.Int32, keys), next: make([]atomic.Int32, keys), done: make(chan struct{})}
			w.left.Store(keys * each)
			var wg sync.WaitGroup
			for i := range consumers {
				ch := durableChannel(t, s)
				must(t, ch.Qos(1+3*i, 0, false))
				deliveries, err := ch.Consume("work", "", false, false, false, false, nil)
				must(t, err)
				wg.Go(func() { w.consume(deliveries, rand.New(rand.NewPCG(uint64(i), 1))) })
			}
			for n := range each {
				for key := range keys {
					must(t, publisher.PublishWithContext(context.Background(), "", "work", false, false, amqp091.Publishing{
						DeliveryMode: amqp091.Persistent, Headers: amqp091.Table{"key": int32(key)}, Body: fmt.Append(nil, key, " ", n),
					}))
				}
			}
			<-w.done
			vh, _ := s.Broker.VHost("/")
			q, _ := vh.Queue("work")
			eventually(t, "all is acknowledged", func() bool { f := q.Figures(); return f.Ready+f.Unacked == 0 })
			must(t, s.Close())
			wg.Wait()
		})
	}
}

// orderedWork is what the consumers of a queue with an ordering key have done.
type orderedWork struct {
	t    *testing.T
	busy []atomic.Int32 // by key: how many messages are with consumers
	next []atomic.Int32 // by key: the number of the message that has to be done next
	left atomic.Int32
	done chan struct{}
}

// consume does, gives back or fails what it gets until the connection ends.
func (w *orderedWork) consume(deliveries <-chan amqp091.Delivery, dice *rand.Rand) {
	for d := range deliveries {
		first, second, _ := strings.Cut(string(d.Body), " ")
		key, _ := strconv.Atoi(first)
		number, _ := strconv.Atoi(second)
		if w.busy[key].Add(1) > 1 || int(w.next[key].Load()) != number {
			w.t.Errorf("message %d of key %d came, want %d, with %d of that key at consumers", number, key, w.next[key].Load(), w.busy[key].Load())
		}
		requeue := dice.IntN(4) == 0
		if !requeue {
			w.next[key].Add(1)
		}
		w.busy[key].Add(-1)
		if requeue {
			d.Nack(false, true)
			continue
		}
		d.Ack(false)
		if w.left.Add(-1) == 0 {
			close(w.done)
		}
	}
}

// TestKeysAreFoundOnDisk: the next message of a key is far behind others that are not in memory.
func TestKeysAreFoundOnDisk(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithDataDir(t.TempDir()), amqptest.WithoutManagement())
	ch := durableChannel(t, s)
	must(t, ch.Confirm(false))
	_, err := ch.QueueDeclare("work", true, false, false, false, amqp091.Table{"x-ordering-key": "routing-key"})
	must(t, err)
	must(t, ch.ExchangeDeclare("x", "fanout", false, false, false, false, nil))
	must(t, ch.QueueBind("work", "", "x", false, nil))
	const count = 600 // several times what the broker keeps in memory here
	var last *amqp091.DeferredConfirmation
	for n := range count {
		key := "hot"
		if n%200 == 199 {
			key = fmt.Sprint("cold", n)
		}
		body := append(fmt.Append(nil, n, " "), make([]byte, 64<<10)...)
		last, err = ch.PublishWithDeferredConfirmWithContext(context.Background(), "x", key, false, false,
			amqp091.Publishing{DeliveryMode: amqp091.Persistent, Body: body})
		must(t, err)
	}
	if !last.Wait() {
		t.Fatal("not confirmed")
	}
	consumer := durableChannel(t, s)
	deliveries, err := consumer.Consume("work", "", false, false, false, false, nil)
	must(t, err)
	number := func(d amqp091.Delivery) string {
		first, _, _ := strings.Cut(string(d.Body), " ")
		return first
	}
	hot := <-deliveries // 0 is held; the cold ones come all the same
	if number(hot) != "0" {
		t.Fatalf("got %s first", number(hot))
	}
	for n := 199; n < count; n += 200 {
		if d := <-deliveries; number(d) != fmt.Sprint(n) || d.RoutingKey != fmt.Sprint("cold", n) {
			t.Fatalf("got %s, want %d", number(d), n)
		}
	}
	for n := 1; n < count; n++ {
		if n%200 == 199 {
			continue
		}
		must(t, hot.Ack(false))
		if hot = <-deliveries; number(hot) != fmt.Sprint(n) {
			t.Fatalf("got %s, want %d", number(hot), n)
		}
	}
}

// TestKeysKeepTheirOrderThroughARestart: what was unacknowledged comes first for its key again.
func TestKeysKeepTheirOrderThroughARestart(t *testing.T) {
	dir := t.TempDir()
	start := func() (*amqptest.Server, *amqp091.Channel) {
		s, err := amqptest.Start(amqptest.WithDataDir(dir), amqptest.WithoutManagement())
		must(t, err)
		return s, durableChannel(t, s)
	}
	s, ch := start()
	must(t, ch.Confirm(false))
	_, err := ch.QueueDeclare("work", true, false, false, false, amqp091.Table{"x-ordering-key": "key"})
	must(t, err)
	for _, body := range []string{"a1", "b1", "a2", "c1", "b2", "a3"} {
		c, err := ch.PublishWithDeferredConfirmWithContext(context.Background(), "", "work", false, false,
			amqp091.Publishing{DeliveryMode: amqp091.Persistent, Headers: amqp091.Table{"key": body[:1]}, Body: []byte(body)})
		must(t, err)
		if !c.Wait() {
			t.Fatal("not confirmed")
		}
	}
	get := func(want string) amqp091.Delivery {
		t.Helper()
		d, ok, err := ch.Get("work", false)
		must(t, err)
		if !ok && want != "" || string(d.Body) != want {
			t.Fatalf("got %q %t, want %q", d.Body, ok, want)
		}
		return d
	}
	get("a1")
	must(t, get("b1").Ack(false))
	get("c1")
	get("b2")
	get("")
	must(t, s.Close())

	s, ch = start()
	defer func() { must(t, s.Close()) }()
	a1 := get("a1")
	get("c1")
	get("b2")
	get("")
	must(t, a1.Ack(false))
	must(t, get("a2").Ack(false))
	get("a3")
}
