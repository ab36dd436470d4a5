package broker

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/exchange"
	"github.com/warren-mq/warren/queue"
)

// declareAtLeastOnce makes a quorum queue that dead-letters at least once to an exchange.
func (b *bench) declareAtLeastOnce(name, exchange string, more ...amqp.Field) *Queue {
	b.Helper()
	return b.declareDurable(name, append(amqp.Table{
		{Name: "x-queue-type", Value: "quorum"}, {Name: "x-overflow", Value: "reject-publish"},
		{Name: "x-dead-letter-strategy", Value: "at-least-once"}, {Name: "x-dead-letter-exchange", Value: exchange},
	}, more...))
}

func (b *bench) declareDurable(name string, args amqp.Table) *Queue {
	b.Helper()
	b.broker.Enter()
	defer b.broker.Leave()
	q, err := b.session.DeclareQueue(QueueDeclaration{Name: name, Durable: true, Arguments: args})
	if err != nil {
		b.Fatal(err)
	}
	return q
}

// topology changes definitions between Enter and Leave.
func (b *bench) topology(change func() error) {
	b.Helper()
	b.broker.Enter()
	defer b.broker.Leave()
	if err := change(); err != nil {
		b.Fatal(err)
	}
}

// reject fetches messages and rejects them.
func (b *bench) reject(q *Queue, n int) {
	b.Helper()
	var s queue.Settlement
	for range n {
		taker := &seqTaker{}
		b.fetch(q, taker, false)
		s.Rejected = append(s.Rejected, taker.seq)
	}
	b.broker.Enter()
	defer b.broker.Leave()
	q.Settle(b.broker.nowMillis(), &s, &b.fx)
	b.fx.Run()
}

// fetch gets a message, which must be there.
func (b *bench) fetch(q *Queue, to queue.Consumer, noAck bool) {
	b.Helper()
	for {
		b.broker.Enter()
		ok, wait := q.Get(to, noAck, b.broker.nowMillis(), &b.fx)
		b.broker.Leave()
		b.fx.Run()
		switch {
		case ok:
			return
		case wait == nil:
			b.Fatalf("%s is empty", q.Name())
		}
		<-wait
	}
}

// seqTaker remembers which message it got.
type seqTaker struct{ seq uint64 }

func (*seqTaker) Acquire() {}
func (*seqTaker) Release() {}
func (*seqTaker) Wake()    {}
func (s *seqTaker) Deliver(d *queue.Delivery) bool {
	s.seq = d.Seq
	return true
}

// stuck says how many dead letters a queue must keep, none of them ready or unacked.
func (b *bench) stuck(q *Queue, want int) {
	b.Helper()
	if st := q.Stats(); st.Discarded != want || st.Ready != 0 || st.Unacked != 0 || (st.DiscardedBytes > 0) != (want > 0) {
		b.Errorf("%s keeps %d dead letters of %d bytes, %d ready and %d unacked messages; want %d dead letters alone",
			q.Name(), st.Discarded, st.DiscardedBytes, st.Ready, st.Unacked, want)
	}
}

func TestADeadLetterStaysUntilItsExchangeIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		src := b.declareAtLeastOnce("src", "dlx")
		b.publish("src", "one", "two")
		b.reject(src, 2)
		b.stuck(src, 2)
		if got := b.get(src); got != "" {
			t.Errorf("got %q, which is dead", got)
		}
		b.topology(func() error { return b.session.DeclareExchange(exchange.Config{Name: "dlx", Type: "fanout"}) })
		after(time.Millisecond)
		b.stuck(src, 2) // nothing is bound
		dst := b.declare("dst")
		b.topology(func() error { return b.session.BindQueue("dst", "dlx", "", nil) })
		after(time.Millisecond) // no need to wait for the next round
		b.stuck(src, 0)
		for _, want := range []string{"one", "two"} {
			if got := b.get(dst); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		counts := b.broker.Totals.DeadLettered.Of("quorum", AtLeastOnce)
		if want := (queue.Deaths{0, 2}); counts != want || b.broker.Totals.DeadLettered.Confirmed.Load() != 2 {
			t.Errorf("counted %v, %d confirmed", counts, b.broker.Totals.DeadLettered.Confirmed.Load())
		}
	})
}

// TestADeadLetterThatIsRefusedIsTriedAgain, and only by those that have not got it.
func TestADeadLetterThatIsRefusedIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		src := b.declareAtLeastOnce("src", "amq.fanout", amqp.Field{Name: "x-message-ttl", Value: int32(1000)})
		free := b.declare("free")
		full := b.declare("full", "max-length", int32(1), "overflow", "reject-publish")
		for _, name := range []string{"free", "full"} {
			b.topology(func() error { return b.session.BindQueue(name, "amq.fanout", "", nil) })
		}
		b.publish("full", "in the way")
		b.publish("src", "dead")
		after(time.Second)
		b.stuck(src, 1)
		b.ready(free, 1)
		after(5 * 10 * time.Second)
		b.stuck(src, 1)
		b.ready(free, 1)
		b.ready(full, 1)
		if got := b.get(full); got != "in the way" {
			t.Errorf("got %q", got)
		}
		after(10 * time.Second)
		b.stuck(src, 0)
		b.ready(free, 1)
		if got := b.get(full); got != "dead" {
			t.Errorf("got %q", got)
		}
	})
}

// TestStuckDeadLettersCountTowardsTheLimits (RabbitMQ 3.10.8 behaviour), and a purge does not reach them.
func TestStuckDeadLettersCountTowardsTheLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		src := b.declareAtLeastOnce("src", "none", amqp.Field{Name: "x-max-length", Value: int32(3)})
		b.publish("src", "1", "2")
		b.reject(src, 2)
		if refused := b.publish("src", "3", "4"); !slices.Equal(refused, []int32{1}) {
			t.Errorf("refused %v, want the second", refused)
		}
		if n := src.Purge(&b.fx.Effects); n != 1 {
			t.Errorf("purged %d", n)
		}
		b.stuck(src, 2)
		b.broker.Enter()
		src.delete(&b.fx)
		b.broker.Leave()
		b.stuck(src, 0)
		after(time.Minute)
	})
}

// TestWithoutRejectPublishDeadLettersAreAtMostOnce, whatever the strategy says.
func TestWithoutRejectPublishDeadLettersAreAtMostOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		src := b.declareDurable("src", amqp.Table{
			{Name: "x-queue-type", Value: "quorum"}, {Name: "x-dead-letter-strategy", Value: "at-least-once"},
			{Name: "x-dead-letter-exchange", Value: "none"},
		})
		if src.FallsBack() == "" {
			t.Error("nobody is told")
		}
		b.publish("src", "lost")
		b.reject(src, 1)
		b.stuck(src, 0)
		if counts := b.broker.Totals.DeadLettered.Of("quorum", Disabled); counts[1] != 1 {
			t.Errorf("counted %v", counts)
		}
	})
}

// TestManyStuckDeadLettersAreTriedInSlices: a round ends where too many in a row are stuck, and what can leave leaves in
// the end.
func TestManyStuckDeadLettersAreTriedInSlices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		src := b.declareAtLeastOnce("src", "dlx")
		const all = 3500
		for n := range all {
			b.publish("src", fmt.Sprint(n))
		}
		b.reject(src, all)
		b.stuck(src, all)
		dst := b.declare("dst")
		b.topology(func() error { return b.session.DeclareExchange(exchange.Config{Name: "dlx", Type: "fanout"}) })
		after(time.Millisecond) // or a round would be on its way when the queue is bound
		b.topology(func() error { return b.session.BindQueue("dst", "dlx", "", nil) })
		after(time.Millisecond)
		b.stuck(src, 0)
		b.ready(dst, all)
		for n := range all {
			if got := b.get(dst); got != fmt.Sprint(n) {
				t.Fatalf("got %q, want %d", got, n)
			}
		}
	})
}

func TestStuckDeadLettersOutliveTheBroker(t *testing.T) {
	dir := t.TempDir()
	now := time.UnixMilli(1_000_000)
	open := func() (*bench, func()) {
		t.Helper()
		return reopen(t, dir, smallStore, func() time.Time { return now })
	}
	b, stop := open()
	src := b.declareAtLeastOnce("src", "amq.fanout")
	b.broker.Enter()
	b.publish("src", "one", "two", "three")
	b.broker.Leave()
	b.reject(src, 2)
	stop()

	now = now.Add(time.Hour)
	b, stop = open()
	defer stop()
	src, _ = b.session.VHost().Queue("src")
	if st := src.Stats(); st.Ready != 1 || st.Discarded != 2 {
		t.Fatalf("%d ready, %d dead letters", st.Ready, st.Discarded)
	}
	if got := b.get(src); got != "three" {
		t.Errorf("got %q", got)
	}
	dst := b.declareDurable("dst", nil)
	// A message that is tried while the binding is made may overtake one that was tried before it.
	b.eventually(func() bool { return b.wokenLater(src) }, "the round of the start does not end")
	b.topology(func() error { return b.session.BindQueue("dst", "amq.fanout", "", nil) })
	b.eventually(func() bool { return dst.Stats().Ready == 2 }, "the dead letters did not leave")
	b.stuck(src, 0)
	for _, want := range []string{"one", "two"} {
		if got, died := b.getDeath(dst); got != want || died != 1000 {
			t.Errorf("got %q, which died at %d; want %q, at 1000", got, died, want)
		}
	}
}

// wokenLater reports whether a queue is to be woken, and not at once: so a round of its dead letters is over.
func (b *bench) wokenLater(q *Queue) bool {
	t := &b.broker.timers
	t.mu.Lock()
	defer t.mu.Unlock()
	a := q.alarm()
	return a.of != nil && a.place >= 0 && a.at > b.broker.nowMillis()
}

// eventually polls with a deadline, for what the real clock decides.
func (b *bench) eventually(done func() bool, what string) {
	b.Helper()
	for end := time.After(20 * time.Second); !done(); {
		select {
		case <-end:
			b.Fatal(what)
		case <-time.After(time.Millisecond):
		}
	}
}

// getDeath fetches a message and says when it died first, in seconds.
func (b *bench) getDeath(q *Queue) (body string, died uint64) {
	b.Helper()
	var taker deathTaker
	b.fetch(q, &taker, true)
	history, _ := taker.headers.Get("x-death")
	for _, row := range history.(amqp.Array) {
		at, _ := row.(amqp.Table).Get("time")
		return taker.body, uint64(at.(amqp.Timestamp))
	}
	b.Fatal("it has no history")
	return "", 0
}

// deathTaker remembers the headers of what it got.
type deathTaker struct {
	seqTaker
	body    string
	headers amqp.Table
}

func (d *deathTaker) Deliver(m *queue.Delivery) bool {
	var p amqp.Properties
	if p.Decode(m.Message.Properties) == nil {
		d.headers, _ = p.Headers.Decode()
	}
	d.body = string(m.Message.Body)
	return true
}
