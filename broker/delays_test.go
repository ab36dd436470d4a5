package broker

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/exchange"
	"github.com/warren-mq/warren/storage"
)

// delayed declares an exchange with queues of its bindings' keys.
func (b *bench) delayed(c exchange.Config, keys ...string) *exchange.Exchange {
	b.Helper()
	b.broker.Enter()
	defer b.broker.Leave()
	if err := b.session.DeclareExchange(c); err != nil {
		b.Fatal(err)
	}
	for _, key := range keys {
		if _, err := b.session.DeclareQueue(QueueDeclaration{Name: key, Durable: c.Durable}); err != nil {
			b.Fatal(err)
		}
		if err := b.session.BindQueue(key, c.Name, key, nil); err != nil {
			b.Fatal(err)
		}
	}
	x, _ := b.session.VHost().Exchange(c.Name)
	return x
}

func delayedDirect(name string) exchange.Config {
	return exchange.Config{Name: name, Type: "x-delayed-message", Arguments: amqp.Table{{Name: "x-delayed-type", Value: "direct"}}}
}

// later publishes a body with headers, and says whether it is taken.
func (b *bench) later(x, key, body string, m Message, headers ...any) bool {
	b.Helper()
	var table amqp.Table
	for i := 0; i < len(headers); i += 2 {
		table = append(table, amqp.Field{Name: headers[i].(string), Value: headers[i+1]})
	}
	props := amqp.Properties{Flags: amqp.FlagHeaders, Headers: amqp.AppendTableBody(nil, table)}
	m.Exchange, m.RoutingKey, m.Properties, m.Body = []byte(x), []byte(key), props.Append(nil), []byte(body)
	taken, err := b.pub.Publish(&m)
	if err != nil {
		b.Fatal(err)
	}
	b.broker.Enter()
	b.pub.Settle(b.broker.nowMillis(), &b.fx)
	b.broker.Leave()
	b.fx.Run()
	return taken
}

func (b *bench) queue(name string) *Queue {
	b.Helper()
	q, ok := b.session.VHost().Queue(name)
	if !ok {
		b.Fatalf("no queue %q", name)
	}
	return q
}

func (b *bench) pending(x *exchange.Exchange, want int) {
	b.Helper()
	if n, ok := b.session.VHost().MessagesDelayed(x); !ok || n != want {
		b.Errorf("%s holds %d back, want %d", x.Name(), n, want)
	}
}

// all gets what a queue has.
func (b *bench) all(q *Queue) (bodies []string) {
	for body := b.get(q); body != ""; body = b.get(q) {
		bodies = append(bodies, body)
	}
	return bodies
}

func TestDelayedMessagesComeOnTimeInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		x := b.delayed(delayedDirect("x"), "k")
		b.later("x", "k", "c", Message{}, "x-delay", int32(500))
		b.later("x", "k", "a", Message{}, "x-delay", int32(100))
		b.later("x", "k", "b", Message{}, "x-delay", int32(100))
		b.later("x", "k", "d", Message{}, "x-deliver-at", b.broker.nowMillis()+86_400_000)
		b.later("x", "k", "now", Message{}, "x-delay", int32(-100))
		b.pending(x, 4)
		if got := fmt.Sprint(b.all(b.queue("k"))); got != "[now]" {
			t.Error(got)
		}
		for _, step := range []struct {
			wait time.Duration
			want string
		}{{99, "[]"}, {1, "[a b]"}, {399, "[]"}, {1, "[c]"}, {86_400_000 - 501, "[]"}, {1, "[d]"}} {
			after(step.wait * time.Millisecond)
			if got := fmt.Sprint(b.all(b.queue("k"))); got != step.want {
				t.Errorf("after %d ms more: %s, want %s", step.wait, got, step.want)
			}
		}
		b.pending(x, 0)
	})
}

func TestADelayIsNeverCutShortToTheLastMillisecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.delayed(delayedDirect("x"), "k")
		after(900 * time.Microsecond)
		b.later("x", "k", "a", Message{}, "x-delay", int32(10))
		after(9900 * time.Microsecond)
		b.ready(b.queue("k"), 0)
		after(200 * time.Microsecond)
		b.ready(b.queue("k"), 1)
	})
}

func TestBindingsCountWhenTheMessageIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.delayed(delayedDirect("x"), "old")
		b.later("x", "old", "1", Message{}, "x-delay", int32(10))
		b.later("x", "new", "2", Message{}, "x-delay", int32(10))
		b.later("x", "new", "3", Message{}, "x-delay", int32(10), "CC", amqp.Array{"old"})
		if err := b.session.UnbindQueue("old", "x", "old", nil); err != nil {
			t.Fatal(err)
		}
		if err := b.session.BindQueue("old", "x", "new", nil); err != nil {
			t.Fatal(err)
		}
		after(10 * time.Millisecond)
		if got := fmt.Sprint(b.all(b.queue("old"))); got != "[2 3]" {
			t.Error(got)
		}
	})
}

// answers is a channel that messages are returned to.
type answers struct{ got []string }

func (a *answers) Return(_, _, _, body []byte) { a.got = append(a.got, string(body)) }

func TestMandatoryIsAnsweredAtOnceByThePluginAndWhenDueByXDelayed(t *testing.T) {
	for _, own := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			c := delayedDirect("x")
			if own {
				c.Arguments = append(c.Arguments, amqp.Field{Name: "x-delayed", Value: true})
			}
			b.delayed(c, "k")
			a, closed := &answers{}, &answers{}
			for _, key := range []string{"k", "none"} {
				if taken := b.later("x", key, key, Message{Mandatory: true, Returner: a}, "x-delay", int32(10)); taken != own {
					t.Errorf("own %v: taken %v", own, taken)
				}
				if !b.later("x", key, key, Message{Returner: a}, "x-delay", int32(10)) {
					t.Errorf("own %v: a message that is not mandatory counts as dropped", own)
				}
				b.later("x", key, key, Message{Mandatory: true, Returner: closed}, "x-delay", int32(10))
			}
			b.pub.Forget(closed)
			after(10 * time.Millisecond)
			want := "[]"
			if own {
				want = "[none]"
			}
			if got := fmt.Sprint(a.got); got != want || len(closed.got) > 0 {
				t.Errorf("own %v: returned %s, to a closed channel %v", own, got, closed.got)
			}
			b.ready(b.queue("k"), 3)
		})
	}
}

func TestADeletedExchangeDropsWhatItHoldsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.delayed(delayedDirect("x"), "k")
		b.later("x", "k", "old", Message{}, "x-delay", int32(10))
		if err := b.session.DeleteExchange("x", false); err != nil {
			t.Fatal(err)
		}
		if n := len(b.broker.timers.due); n != 0 {
			t.Errorf("%d appointments are left", n)
		}
		x := b.delayed(delayedDirect("x"), "k")
		b.pending(x, 0)
		after(10 * time.Millisecond)
		b.ready(b.queue("k"), 0)
	})
}

func TestDeadLettersAndTransactionsAreDelayedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		x := b.delayed(delayedDirect("x"), "k")
		b.declare("dying", "message-ttl", int32(50), "dead-letter-exchange", "x", "dead-letter-routing-key", "k")
		b.later("", "dying", "dead", Message{}, "x-delay", int32(100))
		after(50 * time.Millisecond)
		b.pending(x, 1)

		props := amqp.Properties{Flags: amqp.FlagHeaders, Headers: amqp.AppendTableBody(nil, amqp.Table{{Name: "x-delay", Value: int32(30)}})}
		held, routed, err := b.pub.Hold(&Message{Exchange: []byte("x"), RoutingKey: []byte("k"), Properties: props.Append(nil), Body: []byte("tx")}, &b.fx)
		if err != nil || !routed {
			t.Fatal(routed, err)
		}
		after(20 * time.Millisecond)
		b.pending(x, 1)
		b.pub.Release(&held)
		b.pub.Settle(b.broker.nowMillis(), &b.fx)
		b.pending(x, 2)
		after(29 * time.Millisecond)
		b.ready(b.queue("k"), 0)
		after(time.Millisecond)
		if got := fmt.Sprint(b.all(b.queue("k"))); got != "[tx]" {
			t.Error(got)
		}
		after(50 * time.Millisecond)
		if got := fmt.Sprint(b.all(b.queue("k"))); got != "[dead]" {
			t.Error(got)
		}
	})
}

// TestDeadLettersAtLeastOnceAreTakenByTheExchangeThatDelaysThem, once.
func TestDeadLettersAtLeastOnceAreTakenByTheExchangeThatDelaysThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		q := b.declareAtLeastOnce("dying", "x", amqp.Field{Name: "x-dead-letter-routing-key", Value: "k"}, amqp.Field{Name: "x-message-ttl", Value: int32(10)})
		b.later("", "dying", "dead", Message{}, "x-delay", int32(100))
		after(10 * time.Millisecond)
		if n := q.Stats().Discarded; n != 1 {
			t.Fatalf("%d wait for the exchange that is missing, want 1", n)
		}
		x := b.delayed(delayedDirect("x"), "k")
		b.session.VHost().retryDiscards()
		after(time.Millisecond)
		b.pending(x, 1)
		if n := q.Stats().Discarded; n != 0 {
			t.Errorf("%d wait still", n)
		}
		b.session.VHost().retryDiscards()
		after(100 * time.Millisecond)
		if got := fmt.Sprint(b.all(b.queue("k"))); got != "[dead]" {
			t.Error(got)
		}
	})
}

func TestDelayedMessagesAreListedCancelledAndRescheduled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		x := b.delayed(delayedDirect("x"), "k")
		for i := range 5 {
			b.later("x", "k", fmt.Sprint(i), Message{}, "x-delay", int32(1000*(5-i)))
		}
		page, err := b.session.Delayed("x", "", 2, nil)
		if err != nil || len(page) != 2 || string(page[0].Body) != "4" || page[0].RoutingKey != "k" || page[0].Due.UnixMilli() != b.broker.nowMillis()+1000 {
			t.Fatalf("%+v %v", page, err)
		}
		if page, err = b.session.Delayed("x", page[1].ID, 10, nil); err != nil || len(page) != 3 {
			t.Fatalf("%+v %v", page, err)
		}
		if err := b.session.CancelDelayed("x", page[0].ID, nil); err != nil {
			t.Error(err)
		}
		moved, err := b.session.RescheduleDelayed("x", page[2].ID, time.UnixMilli(b.broker.nowMillis()+1), nil)
		if err != nil {
			t.Error(err)
		}
		for _, c := range []struct {
			err  error
			want string
		}{
			{b.session.CancelDelayed("x", page[0].ID, nil), "404 NOT_FOUND - no delayed message '" + page[0].ID + "' in exchange 'x' in vhost '/'"},
			{b.session.CancelDelayed("x", "what", nil), "502 SYNTAX_ERROR - invalid id of a delayed message 'what'"},
			{b.session.CancelDelayed("y", moved, nil), "404 NOT_FOUND - no exchange 'y' in vhost '/'"},
			{b.session.CancelDelayed("amq.direct", moved, nil), "406 PRECONDITION_FAILED - exchange 'amq.direct' in vhost '/' does not delay messages"},
		} {
			if c.err == nil || c.err.Error() != c.want {
				t.Errorf("%v, want %s", c.err, c.want)
			}
		}
		b.pending(x, 4)
		after(time.Minute)
		if got := fmt.Sprint(b.all(b.queue("k"))); got != "[0 4 3 1]" {
			t.Error(got)
		}
	})
}

// TestDelayedMessagesOutliveTheBroker: those of durable exchanges do, persistent or not, with their ids and their order;
// what was due meanwhile comes at once.
func TestDelayedMessagesOutliveTheBroker(t *testing.T) {
	dir := t.TempDir()
	now := time.UnixMilli(1_700_000_000_000)
	open := func() (*bench, func()) {
		return reopen(t, dir, smallStore, func() time.Time { return now })
	}
	b, stop := open()
	c := delayedDirect("kept")
	c.Durable = true
	b.delayed(c, "k")
	b.delayed(delayedDirect("gone"))
	const n = 2000
	for i := range n {
		b.later("kept", "k", fmt.Sprint(n-i), Message{}, "x-delay", int32(1000*(1+(n-i)/10)))
	}
	b.later("kept", "k", "late", Message{}, "x-deliver-at", now.UnixMilli()+400*86_400_000)
	b.later("gone", "k", "never", Message{}, "x-delay", int32(10))
	page, err := b.session.Delayed("kept", "", 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	stop()

	now = now.Add(time.Hour)
	b, stop = open()
	x, _ := b.session.VHost().Exchange("kept")
	q := b.queue("k")
	eventually(t, func() bool { return q.Stats().Ready == n })
	b.pending(x, 1)
	got := b.all(q)
	if len(got) != n || !slices.Equal(got[:3], []string{string(page[0].Body), string(page[1].Body), string(page[2].Body)}) {
		t.Errorf("%d came after the restart, first %q", len(got), got[:min(3, len(got))])
	}
	if b.later("kept", "k", "new", Message{}, "x-delay", int32(1000)); b.broker.starts != 2 {
		t.Errorf("start number %d", b.broker.starts)
	}
	stop()

	now = now.Add(400 * 24 * time.Hour)
	b, stop = open()
	defer stop()
	x, _ = b.session.VHost().Exchange("kept")
	eventually(t, func() bool { return b.queue("k").Stats().Ready == 2 })
	b.pending(x, 0)
	if got := b.all(b.queue("k")); !slices.Equal(got, []string{"new", "late"}) {
		t.Errorf("%q", got)
	}
	b.broker.Enter()
	for _, l := range b.broker.cfg.Store.Logs() {
		if l.Tag()[0] == kindOfStarts {
			t.Errorf("a log of delayed messages is left: %q", l.Tag())
		}
	}
	b.broker.Leave()
}

// TestACrashWhileMessagesFallDueLosesNoneAndRepeatsNone: at any moment a message is in the schedule or in its queue.
func TestACrashWhileMessagesFallDueLosesNoneAndRepeatsNone(t *testing.T) {
	const n = 3000
	dir := t.TempDir()
	open := func(dir string, shift time.Duration) (*bench, func()) {
		return reopen(t, dir, storage.Options{SegmentBytes: 8 << 20, ValueLogBytes: 1 << 20}, func() time.Time { return time.Now().Add(shift) })
	}
	b, stop := open(dir, 0)
	c := delayedDirect("x")
	c.Durable = true
	x := b.delayed(c, "k")
	for i := range n {
		props := amqp.Properties{Flags: amqp.FlagHeaders | amqp.FlagDeliveryMode, DeliveryMode: 2,
			Headers: amqp.AppendTableBody(nil, amqp.Table{{Name: "x-delay", Value: int32(200 + i*7919%1000)}})}
		if _, err := b.pub.Publish(&Message{Exchange: []byte("x"), RoutingKey: []byte("k"), Properties: props.Append(nil), Body: fmt.Append(nil, i)}); err != nil {
			t.Fatal(err)
		}
	}
	commit := b.broker.Enter()
	b.pub.Settle(b.broker.nowMillis(), &b.fx)
	b.broker.Leave()
	if err := b.broker.WaitDurable(commit, nil); err != nil {
		t.Fatal(err)
	}
	var copies []string
	for _, left := range []int{n - 1, n * 2 / 3, n / 3, 1} {
		eventually(t, func() bool { now, _ := b.session.VHost().MessagesDelayed(x); return now <= left })
		// What is in the files now is what a crash would leave: only the journal is written to.
		image := t.TempDir()
		eventually(t, func() bool { return os.RemoveAll(image) == nil && os.CopyFS(image, os.DirFS(dir)) == nil })
		copies = append(copies, image)
	}
	stop()
	for i, image := range copies {
		b, stop := open(image, time.Hour)
		x, _ := b.session.VHost().Exchange("x")
		came := b.queue("k").Stats().Ready
		eventually(t, func() bool { return b.queue("k").Stats().Ready >= n })
		b.pending(x, 0)
		got := b.all(b.queue("k"))
		t.Logf("crash %d: %d were in the queue", i, came)
		slices.Sort(got)
		if len(got) != n || len(slices.Compact(got)) != n {
			t.Errorf("crash %d: %d messages, of them %d different, want %d", i, len(got), len(slices.Compact(got)), n)
		}
		stop()
	}
}

// eventually waits until something has become true.
func eventually(t testing.TB, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("it does not happen")
		}
	}
}

func TestTagsOfDelayedLogs(t *testing.T) {
	for _, tag := range []string{"", "t", "t\x00\x01/\x00\x01x\x0b\x00\x00\x00\x00\x00\x00\x00\x00", "t\x00\x01/\x00\x01x\x01\x00\x00\x00\x00\x00\x00\x00\x01", "t\x00\x01/\x00\x09x\x00\x00\x00\x00\x00\x00\x00\x00\x00"} {
		if _, _, _, err := cutDelayedTag([]byte(tag)); err == nil {
			t.Errorf("%q is taken", tag)
		}
	}
}
