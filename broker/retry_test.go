package broker

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/queue"
)

// TestWhatWaitsForARetryOutlivesTheBroker: it comes back in its time and not before, at its old position, with its count,
// also if its time came while the broker was away.
func TestWhatWaitsForARetryOutlivesTheBroker(t *testing.T) {
	dir := t.TempDir()
	var clock atomic.Int64 // unix milliseconds; the broker's timers ask at any moment
	clock.Store(1_000_000)
	open := func() (*bench, func()) {
		t.Helper()
		return reopen(t, dir, smallStore, func() time.Time { return time.UnixMilli(clock.Load()) })
	}
	find := func(b *bench, name string) *Queue {
		q, ok := b.session.VHost().Queue(name)
		if !ok {
			t.Fatalf("no queue %q", name)
		}
		return q
	}
	kinds := map[string]amqp.Table{
		"classic":    {{Name: "x-retry", Value: "10s,20s"}},
		"quorum":     {{Name: "x-retry", Value: "10s,20s"}, {Name: "x-queue-type", Value: "quorum"}},
		"priorities": {{Name: "x-retry", Value: "10s,20s"}, {Name: "x-max-priority", Value: int32(3)}},
	}
	b, stop := open()
	b.broker.Enter()
	for name, args := range kinds {
		if _, err := b.session.DeclareQueue(QueueDeclaration{Name: name, Durable: true, Arguments: args}); err != nil {
			t.Fatal(err)
		}
		for _, body := range []string{"a", "b", "c", "d"} {
			props := amqp.Properties{Flags: amqp.FlagDeliveryMode | amqp.FlagPriority, DeliveryMode: 2, Priority: 2}
			if _, err := b.pub.Publish(&Message{RoutingKey: []byte(name), Properties: props.Append(nil), Body: []byte(body)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.pub.Settle(b.broker.nowMillis(), &b.fx)
	b.broker.Leave()
	for name := range kinds {
		q := find(b, name)
		first, second, third := b.hold(q), b.hold(q), b.hold(q)
		b.giveBack(q, second) // waits until 1,010,000
		b.giveBack(q, third)
		_ = first // is with a consumer when the broker stops
	}
	stop()

	clock.Store(1_009_999)
	b, stop = open()
	for name := range kinds {
		q := find(b, name)
		if st := q.Stats(); st.Delayed != 2 || st.Ready != 2 || st.Messages() != 4 {
			t.Errorf("%s: %d delayed, %d ready, want 2 and 2", name, st.Delayed, st.Ready)
		}
		b.tick(q)
		if st := q.Stats(); st.Delayed != 2 {
			t.Errorf("%s: %d came back before their time", name, 2-st.Delayed)
		}
		if got := b.get(q); got != "a" {
			t.Errorf("%s: got %q first, want a", name, got)
		}
	}
	clock.Store(1_010_000)
	for name := range kinds {
		q := find(b, name)
		b.tick(q)
		b.giveBack(q, b.hold(q)) // b; its second return, so it waits until 1,030,000
		if got := b.get(q); got != "c" {
			t.Errorf("%s: got %q, want c, which is back", name, got)
		}
	}
	stop()

	clock.Store(1_030_001) // b came due while the broker was away
	b, stop = open()
	defer stop()
	for name := range kinds {
		q := find(b, name)
		if st := q.Stats(); st.Delayed != 0 || st.Ready != 2 {
			t.Errorf("%s: %d delayed, %d ready, want 0 and 2", name, st.Delayed, st.Ready)
		}
		b.giveBack(q, b.hold(q)) // b is at its end
		if got := b.get(q); got != "d" {
			t.Errorf("%s: got %q, want d", name, got)
		}
		if st := q.Stats(); st.Messages() != 0 {
			t.Errorf("%s: %d messages are left, want none after the last step", name, st.Messages())
		}
	}
}

// holder is a consumer that remembers the message it got.
type holder struct {
	getter
	seq uint64
}

func (h *holder) Deliver(d *queue.Delivery) bool {
	h.seq = d.Seq
	return h.getter.Deliver(d)
}

// hold gets a message and does not acknowledge it.
func (b *bench) hold(q *Queue) (seq uint64) {
	b.Helper()
	var h holder
	for {
		b.broker.Enter()
		ok, wait := q.Get(&h, false, b.broker.nowMillis(), &b.fx)
		b.broker.Leave()
		b.fx.Run()
		if ok {
			return h.seq
		}
		if wait == nil {
			b.Fatalf("%s is empty", q.Name())
		}
		<-wait
	}
}

func (b *bench) giveBack(q *Queue, seq uint64) {
	b.broker.Enter()
	q.Settle(b.broker.nowMillis(), &queue.Settlement{Requeued: []uint64{seq}}, &b.fx)
	b.broker.Leave()
	b.fx.Run()
}

func (b *bench) tick(q *Queue) {
	b.broker.Enter()
	q.tick(b.broker.nowMillis(), &b.fx)
	b.broker.Leave()
	b.fx.Run()
}
