package broker

import (
	"errors"
	"fmt"
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/auth"
	"github.com/warren-mq/warren/exchange"
)

// TestMoreRoutingKeysThanAPublisherKeeps: each message goes where its key leads, and is counted, also where there is no room
// for its route.
func TestMoreRoutingKeysThanAPublisherKeeps(t *testing.T) {
	b := newBench(t)
	b.broker.Enter()
	if err := b.session.DeclareExchange(exchange.Config{Name: "x", Type: "topic"}); err != nil {
		t.Fatal(err)
	}
	for n := range 4 {
		name := fmt.Sprint("q", n)
		if _, err := b.session.DeclareQueue(QueueDeclaration{Name: name}); err != nil {
			t.Fatal(err)
		}
		if err := b.session.BindQueue(name, "x", fmt.Sprint(n, ".#"), nil); err != nil {
			t.Fatal(err)
		}
	}
	b.broker.Leave()
	const keys = 3 * maxRoutes
	for round := range 2 {
		for i := range keys {
			m := Message{Exchange: []byte("x"), RoutingKey: fmt.Appendf(nil, "%d.%d", i%5, i), Properties: []byte{0, 0}}
			routed, err := b.pub.Publish(&m)
			if err != nil || routed != (i%5 < 4) {
				t.Fatalf("key %s: %v, %v", m.RoutingKey, routed, err)
			}
			if i%1000 == 999 || i == keys-1 {
				b.broker.Enter()
				b.pub.Settle(0, &b.fx)
				b.broker.Leave()
				b.fx.Run()
			}
		}
		for n := range 4 {
			want := (round + 1) * ((keys - n + 4) / 5)
			if got := b.queue(fmt.Sprint("q", n)).Stats().Ready; got != want {
				t.Errorf("queue %d has %d, want %d", n, got, want)
			}
		}
	}
	x, _ := b.session.VHost().Exchange("x")
	if in, out := x.PublishIn.Load(), x.PublishOut.Load(); in != 2*keys || out != 2*(keys-keys/5) {
		t.Errorf("%d in, %d out", in, out)
	}
}

// TestTopicPermissionsOfMoreKeysThanAPublisherKeeps: a key that the user may not use is refused, whatever was used before it.
func TestTopicPermissionsOfMoreKeysThanAPublisherKeeps(t *testing.T) {
	b := newBench(t)
	b.broker.Enter()
	if err := b.session.DeclareExchange(exchange.Config{Name: "x", Type: "topic"}); err != nil {
		t.Fatal(err)
	}
	b.broker.Leave()
	publish := func(key string) error {
		_, err := b.pub.Publish(&Message{Exchange: []byte("x"), RoutingKey: []byte(key), Properties: []byte{0, 0}})
		return err
	}
	for _, limited := range []bool{true, false} {
		if limited {
			if err := b.broker.Users.SetTopicPermissions("guest", "/", "x", auth.TopicPermission{Write: "^good"}); err != nil {
				t.Fatal(err)
			}
		} else {
			b.broker.Users.ClearTopicPermissions("guest", "/", "x")
		}
		for i := range maxRoutes + 10 {
			if err := publish(fmt.Sprint("good.", i)); err != nil {
				t.Fatal(err)
			}
		}
		var refused *amqp.Error
		if err := publish("bad"); errors.As(err, &refused) != limited {
			t.Errorf("a key is refused: %v, want %v", err, limited)
		}
		if err := publish("good"); err != nil {
			t.Errorf("behind it: %v", err)
		}
	}
}

// TestRoutesToManyQueuesAreBounded: a fanout exchange takes any key, and each route holds all queues.
func TestRoutesToManyQueuesAreBounded(t *testing.T) {
	b := newBench(t)
	const queues, keys = 1000, 2 * maxKeptShares / 1000
	b.broker.Enter()
	for n := range queues {
		name := fmt.Sprint("q", n)
		if _, err := b.session.DeclareQueue(QueueDeclaration{Name: name}); err != nil {
			t.Fatal(err)
		}
		if err := b.session.BindQueue(name, "amq.fanout", "", nil); err != nil {
			t.Fatal(err)
		}
	}
	b.broker.Leave()
	for i := range keys {
		b.broker.Enter()
		m := Message{Exchange: []byte("amq.fanout"), RoutingKey: fmt.Append(nil, i), Properties: []byte{0, 0}}
		if routed, err := b.pub.Publish(&m); err != nil || !routed {
			t.Fatalf("key %s: %v, %v", m.RoutingKey, routed, err)
		}
		b.pub.Settle(0, &b.fx)
		b.broker.Leave()
		b.fx.Run()
	}
	kept := 0
	for _, r := range b.pub.routes {
		kept += len(r.shares)
	}
	if kept > maxKeptShares+queues || kept != b.pub.keptShares {
		t.Errorf("routes hold %d queues, %d are counted", kept, b.pub.keptShares)
	}
	for n := range queues {
		if got := b.queue(fmt.Sprint("q", n)).Stats().Ready; got != keys {
			t.Fatalf("queue %d has %d messages, want %d", n, got, keys)
		}
	}
}
