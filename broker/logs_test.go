package broker

import (
	"fmt"
	"testing"
	"time"

	"github.com/warren-mq/warren/amqp"
)

// TestPrioritiesAndDeadlinesOutliveTheBroker: every priority of a durable queue has a log of its own, and the time that
// the broker is away counts for messages but not for queues.
func TestPrioritiesAndDeadlinesOutliveTheBroker(t *testing.T) {
	dir := t.TempDir()
	now := time.UnixMilli(1_000_000)
	open := func() (*bench, func()) {
		t.Helper()
		return reopen(t, dir, smallStore, func() time.Time { return now })
	}
	b, stop := open()
	b.broker.Enter()
	for name, arg := range map[string]amqp.Field{
		"priorities": {Name: "x-max-priority", Value: int32(9)},
		"expiring":   {Name: "x-message-ttl", Value: int32(100)},
		"unused":     {Name: "x-expires", Value: int32(100)},
	} {
		if _, err := b.session.DeclareQueue(QueueDeclaration{Name: name, Durable: true, Arguments: amqp.Table{arg}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []uint8{0, 9, 4} {
		props := amqp.Properties{Flags: amqp.FlagDeliveryMode | amqp.FlagPriority, DeliveryMode: 2, Priority: p}
		for _, q := range []string{"priorities", "expiring"} {
			if _, err := b.pub.Publish(&Message{RoutingKey: []byte(q), Properties: props.Append(nil), Body: fmt.Append(nil, p)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.pub.Settle(b.broker.nowMillis(), &b.fx)
	b.broker.Leave()
	stop()

	now = now.Add(time.Minute)
	b, stop = open()
	defer stop()
	find := func(name string) *Queue {
		q, ok := b.session.VHost().Queue(name)
		if !ok {
			t.Fatalf("no queue %q", name)
		}
		return q
	}
	find("unused")
	b.ready(find("priorities"), 3)
	for _, want := range []string{"9", "4", "0"} {
		if got := b.get(find("priorities")); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := b.get(find("expiring")); got != "" {
		t.Errorf("got %q, which has expired", got)
	}
}

// get gets a message, however long it has to be waited for; "" if there is none.
func (b *bench) get(q *Queue) string {
	b.Helper()
	var g getter
	for {
		b.broker.Enter()
		_, wait := q.Get(&g, true, b.broker.nowMillis(), &b.fx)
		b.broker.Leave()
		b.fx.Run()
		if wait == nil {
			return g.body
		}
		<-wait
	}
}
