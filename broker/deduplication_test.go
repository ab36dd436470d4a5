package broker

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/exchange"
	"github.com/warren-mq/warren/queue"
)

// named is a persistent message with a message id, or none if that is empty.
func named(exchange, key, id string) *Message {
	p := amqp.Properties{Flags: amqp.FlagDeliveryMode, DeliveryMode: 2}
	body := "-"
	if id != "" {
		body = id
		p.Flags, p.MessageID = p.Flags|amqp.FlagMessageID, []byte(id)
	}
	return &Message{Exchange: []byte(exchange), RoutingKey: []byte(key), Properties: p.Append(nil), Body: []byte(body)}
}

// send publishes one message for each id in one batch, and returns which were refused.
func (b *bench) send(exchange, key string, ids ...string) []int32 {
	b.Helper()
	b.broker.Enter()
	for _, id := range ids {
		if _, err := b.pub.Publish(named(exchange, key, id)); err != nil {
			b.Fatal(err)
		}
	}
	refused := append([]int32(nil), b.pub.Settle(b.broker.nowMillis(), &b.fx)...)
	b.broker.Leave()
	b.fx.Run()
	return refused
}

// contents empties a queue and returns its bodies.
func (b *bench) contents(q *Queue) string {
	b.Helper()
	var all []string
	for body := b.get(q); body != ""; body = b.get(q) {
		all = append(all, body)
	}
	return strings.Join(all, " ")
}

func (b *bench) expect(q *Queue, want string) {
	b.Helper()
	if got := b.contents(q); got != want {
		b.Errorf("%s holds %q, want %q", q.Name(), got, want)
	}
}

func (b *bench) exchange(name, typ string, args ...any) *exchange.Exchange {
	b.Helper()
	var table amqp.Table
	for i := 0; i < len(args); i += 2 {
		table = append(table, amqp.Field{Name: args[i].(string), Value: args[i+1]})
	}
	b.broker.Enter()
	defer b.broker.Leave()
	if err := b.session.DeclareExchange(exchange.Config{Name: name, Type: typ, Durable: true, Arguments: table}); err != nil {
		b.Fatal(err)
	}
	x, _ := b.session.VHost().Exchange(name)
	return x
}

func (b *bench) bind(queue, exchange string) {
	b.Helper()
	b.broker.Enter()
	defer b.broker.Leave()
	if err := b.session.BindQueue(queue, exchange, "", nil); err != nil {
		b.Fatal(err)
	}
}

func TestAQueueTakesAMessageOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		q := b.declare("q", "dedup-window", "10s")
		if refused := b.send("", "q", "a", "b", "a", "", "", "b"); len(refused) != 0 {
			t.Errorf("%v are refused; a duplicate is confirmed", refused)
		}
		if st := q.Stats(); st.Ready != 4 || st.Publish != 4 {
			t.Errorf("%d ready of %d, want 4", st.Ready, st.Publish)
		}
		b.expect(q, "a b - -")
		b.send("", "q", "a", "c") // a was consumed, and counts
		b.expect(q, "c")
		if f, _ := q.Dedup(); f.Duplicates != 3 || f.Entries != 3 {
			t.Errorf("%+v", f)
		}
		after(10 * time.Second)
		b.send("", "q", "a")
		b.expect(q, "a")
		after(12 * time.Second) // what is over is forgotten although nobody publishes
		if f, _ := q.Dedup(); f.Entries != 0 {
			t.Errorf("%d entries are left", f.Entries)
		}
	})
}

func TestAWindowOfACountForgetsTheOldest(t *testing.T) {
	b := newBench(t)
	q := b.declare("q", "dedup-window", "2")
	b.send("", "q", "a", "b", "c", "a", "c", "b")
	b.expect(q, "a b c a b")
}

func TestAWindowOfOneKnowsTheLast(t *testing.T) {
	b := newBench(t)
	q := b.declare("q", "dedup-window", "1")
	b.send("", "q", "a", "a", "b", "a", "a")
	b.send("", "q", "a")
	b.expect(q, "a b a")
}

// TestWindowsOfAnExchangeAndOfAQueueBehindItKnowTheirOwn: either alone sees to it that a message comes in once.
func TestWindowsOfAnExchangeAndOfAQueueBehindItKnowTheirOwn(t *testing.T) {
	b := newBench(t)
	x := b.exchange("x", "fanout", "x-dedup-window", "1", "alternate-exchange", "amq.fanout")
	q := b.declare("q", "dedup-window", "10")
	b.bind("q", "x")
	aside := b.declare("aside")
	b.bind("aside", "amq.fanout")
	b.send("x", "", "a", "a") // the exchange drops the second
	b.send("x", "", "b", "a") // and has forgotten the first: the queue has not
	b.send("", "q", "b", "c")
	b.send("x", "", "c")
	b.expect(q, "a b c")
	b.expect(aside, "") // a duplicate is not unroutable
	if f, _ := q.Dedup(); f.Duplicates != 3 || b.session.VHost().Dedup(x).Duplicates != 1 {
		t.Errorf("duplicates at the queue: %+v, at the exchange: %+v", f, b.session.VHost().Dedup(x))
	}
}

func TestAMessageIsNamedByAHeader(t *testing.T) {
	b := newBench(t)
	q := b.declare("q", "dedup-window", "10", "dedup-header", "n")
	for _, n := range []any{int32(1), int64(1), "1", int32(2), "1"} {
		p := amqp.Properties{Flags: amqp.FlagHeaders, Headers: amqp.AppendTableBody(nil, amqp.Table{{Name: "n", Value: n}})}
		b.pub.Publish(&Message{RoutingKey: []byte("q"), Properties: p.Append(nil), Body: fmt.Append(nil, n)})
	}
	b.pub.Settle(0, &b.fx)
	b.expect(q, "1 1 2")
}

func TestWhatAQueueRefusesWasNeverThere(t *testing.T) {
	b := newBench(t)
	q := b.declare("q", "dedup-window", "10", "max-length", int32(1), "overflow", "reject-publish")
	if refused := b.send("", "q", "a", "b"); fmt.Sprint(refused) != "[1]" {
		t.Errorf("refused %v", refused)
	}
	b.expect(q, "a")
	if refused := b.send("", "q", "b"); len(refused) != 0 {
		t.Errorf("refused %v", refused)
	}
	b.expect(q, "b")
}

func TestDuplicatesAreDeadLetteredIfThatIsWanted(t *testing.T) {
	b := newBench(t)
	q := b.declare("q", "dedup-window", "10", "dedup-dead-letter", true, "dead-letter-exchange", "", "dead-letter-routing-key", "dlq")
	dlq := b.declare("dlq")
	b.send("", "q", "a", "b", "a")
	b.expect(q, "a b")
	var k keeper
	b.broker.Enter()
	dlq.Get(&k, true, 0, &b.fx)
	b.broker.Leave()
	if k.body != "a" || !strings.Contains(k.properties, "duplicate") {
		t.Errorf("the dead letter is %q with %q", k.body, k.properties)
	}
	if counts := b.broker.Totals.DeadLettered.Of("classic", AtMostOnce); counts != (queue.Deaths{4: 1}) {
		t.Errorf("counted %v", counts)
	}
}

type keeper struct {
	getter
	properties string
}

func (k *keeper) Deliver(d *queue.Delivery) bool {
	k.properties = string(d.Message.Properties)
	return k.getter.Deliver(d)
}

func TestDeadLettersAreDeduplicatedToo(t *testing.T) {
	b := newBench(t)
	from := b.declare("from", "dead-letter-exchange", "", "dead-letter-routing-key", "to", "max-length", int32(0))
	to := b.declare("to", "dedup-window", "10")
	b.send("", "from", "a", "b", "a")
	b.ready(from, 0)
	b.expect(to, "a b")

	x := b.exchange("x", "fanout", "x-dedup-window", "10")
	b.declare("other", "dead-letter-exchange", "x", "max-length", int32(0))
	target := b.declare("target")
	b.send("", "other", "a") // goes nowhere, and so does not count
	b.bind("target", "x")
	b.send("", "other", "a", "b", "a")
	b.expect(target, "a b")
	if f := b.session.VHost().Dedup(x); f.Duplicates != 1 || f.Entries != 2 {
		t.Errorf("%+v", f)
	}
}

func TestATransactionIsDeduplicatedWhenItIsCommitted(t *testing.T) {
	b := newBench(t)
	q := b.declare("q", "dedup-window", "10")
	x := b.exchange("x", "fanout", "x-dedup-window", "10")
	behind := b.declare("behind")
	b.bind("behind", "x")
	hold := func(exchange, key, id string) Held {
		h, routed, err := b.pub.Hold(named(exchange, key, id), &b.fx)
		if err != nil || !routed {
			t.Fatal(err, routed)
		}
		return h
	}
	hold("", "q", "a") // rolled back
	hold("x", "", "a")
	held := []Held{hold("", "q", "a"), hold("", "q", "a"), hold("x", "", "a"), hold("x", "", "a")}
	for i := range held {
		b.pub.Release(&held[i])
	}
	if refused := b.pub.Settle(0, &b.fx); len(refused) != 0 {
		t.Errorf("refused %v", refused)
	}
	b.expect(q, "a")
	b.expect(behind, "a")
	if f := b.session.VHost().Dedup(x); f.Duplicates != 1 || x.PublishIn.Load() != 2 || x.PublishOut.Load() != 1 {
		t.Errorf("%+v, in %d, out %d", f, x.PublishIn.Load(), x.PublishOut.Load())
	}
}

func TestAnExchangePassesAMessageOnOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.exchange("x", "direct", "x-dedup-window", "10s")
		b.send("x", "", "a") // unroutable: it does not count
		one, two := b.declare("one"), b.declare("two")
		b.bind("one", "x")
		b.bind("two", "x")
		b.send("x", "", "a", "a", "b")
		b.send("x", "", "a", "", "")
		b.expect(one, "a b - -")
		b.expect(two, "a b - -")
		after(11 * time.Second)
		b.send("x", "", "a")
		b.expect(one, "a")
	})
}

func TestAnExchangeBehindAnotherDeduplicatesItsOwnWay(t *testing.T) {
	b := newBench(t)
	b.exchange("entry", "fanout")
	b.exchange("x", "fanout", "x-dedup-window", "10")
	if err := b.session.BindExchange("x", "entry", "", nil); err != nil {
		t.Fatal(err)
	}
	direct, behind := b.declare("direct"), b.declare("behind")
	b.bind("direct", "entry")
	b.bind("behind", "x")
	b.send("entry", "", "a", "a", "b", "a")
	b.expect(direct, "a a b a")
	b.expect(behind, "a b")
}

func TestADuplicateOfWhatIsRefusedIsRefused(t *testing.T) {
	b := newBench(t)
	x := b.exchange("x", "fanout", "x-dedup-window", "10")
	q := b.declare("q", "max-length", int32(1), "overflow", "reject-publish")
	b.bind("q", "x")
	if refused := b.send("x", "", "a", "b", "b", "a"); fmt.Sprint(refused) != "[1 2]" {
		t.Errorf("refused %v, want b and its duplicate", refused)
	}
	b.expect(q, "a")
	if refused := b.send("x", "", "b"); len(refused) != 0 {
		t.Errorf("refused %v, although there is room", refused)
	}
	b.expect(q, "b")
	if f := b.session.VHost().Dedup(x); f.Entries != 2 {
		t.Errorf("%+v", f)
	}
}

// Another connection's message is in flight from its decision until its queues have it. What would be a duplicate of it
// then is refused: neither lost, if that one fails, nor there twice.
func TestADuplicateOfWhatIsInFlightElsewhereIsRefused(t *testing.T) {
	b := newBench(t)
	x := b.exchange("x", "fanout", "x-dedup-window", "10")
	q := b.declare("q")
	b.bind("q", "x")
	other := b.session.NewPublisher()
	if _, err := other.Publish(named("x", "", "a")); err != nil {
		t.Fatal(err)
	}
	var fx Effects
	other.passGate(&fx)
	if refused := b.send("x", "", "a"); fmt.Sprint(refused) != "[0]" {
		t.Errorf("refused %v", refused)
	}
	other.gate.held = nil // it has passed
	other.gate.touch(b.session.VHost().windowOfExchange(x))
	other.Settle(0, &fx)
	b.expect(q, "a")
	if refused := b.send("x", "", "a"); len(refused) != 0 {
		t.Errorf("refused %v, although the first has landed", refused)
	}
	b.expect(q, "")
	if f := b.session.VHost().Dedup(x); f.Duplicates != 2 || f.Entries != 1 {
		t.Errorf("%+v", f)
	}
}

func TestThePluginsExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.exchange("rest", "fanout")
		x := b.exchange("x", "x-message-deduplication", "x-cache-size", int32(3), "x-cache-ttl", "5000", "alternate-exchange", "rest")
		q, rest := b.declare("q"), b.declare("rest")
		b.bind("q", "x")
		b.bind("rest", "rest")
		send := func(id any, ttl int) {
			t.Helper()
			var headers amqp.Table
			if id != nil {
				headers = headers.With("x-deduplication-header", id)
			}
			if ttl > 0 {
				headers = headers.With("x-cache-ttl", int32(ttl))
			}
			p := amqp.Properties{Flags: amqp.FlagHeaders, Headers: amqp.AppendTableBody(nil, headers)}
			if _, err := b.pub.Publish(&Message{Exchange: []byte("x"), Properties: p.Append(nil), Body: fmt.Append(nil, id)}); err != nil {
				t.Fatal(err)
			}
			b.pub.Settle(b.broker.nowMillis(), &b.fx)
		}
		for _, id := range []any{"a", "a", nil, nil, "b"} {
			send(id, 0)
		}
		b.expect(q, "a <nil> <nil> b")
		b.expect(rest, "a")
		after(5 * time.Second)
		send("a", 20_000)
		after(10 * time.Second)
		send("a", 0)
		send("b", 0)
		b.expect(q, "a b")
		b.contents(rest)
		send("c", 0)
		send("d", 0) // a goes
		send("a", 0)
		b.expect(q, "c d a")
		if f := b.session.VHost().Dedup(x); f.Duplicates != 2 || f.Entries != 3 {
			t.Errorf("%+v", f)
		}
	})
}

// newStored opens a broker on a folder.
func newStored(t *testing.T, dir string, now *atomic.Int64) (b *bench, stop func()) {
	t.Helper()
	return reopen(t, dir, smallStore, func() time.Time { return time.UnixMilli(now.Load()) })
}

func (b *bench) durable(name string, args amqp.Table) *Queue {
	b.Helper()
	b.broker.Enter()
	defer b.broker.Leave()
	q, err := b.session.DeclareQueue(QueueDeclaration{Name: name, Durable: true, Arguments: args})
	if err != nil {
		b.Fatal(err)
	}
	return q
}

// sync waits until all that was done is on disk.
func (b *bench) sync() {
	b.Helper()
	b.broker.Enter()
	commit := b.broker.Outstanding()
	b.broker.Leave()
	if err := b.broker.WaitDurable(commit, nil); err != nil {
		b.Fatal(err)
	}
}

// copyOf is the folder as a kill of the broker would leave it.
func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

func TestAWindowOutlivesTheBroker(t *testing.T) {
	dir := t.TempDir()
	var now atomic.Int64
	now.Store(1_000_000)
	window := amqp.Table{{Name: "x-dedup-window", Value: "10s,1000"}}
	b, stop := newStored(t, dir, &now)
	b.durable("q", window)
	b.durable("gone", window)
	b.durable("again", window)
	b.exchange("x", "fanout", "x-dedup-window", "10s")
	b.exchange("plugin", "x-message-deduplication", "x-cache-size", int32(10), "x-cache-persistence", "disk")
	b.durable("behind", nil)
	b.bind("behind", "x")
	for i := range 300 { // more than a row
		b.send("", "q", fmt.Sprint(i))
	}
	var many []string
	for i := range 600 {
		many = append(many, fmt.Sprint("many", i))
	}
	b.send("", "q", many...)
	b.send("", "gone", "a")
	b.send("", "again", "a")
	b.send("x", "", "a", "b")
	transient := amqp.Properties{Flags: amqp.FlagMessageID, MessageID: []byte("transient")}
	b.broker.Enter()
	b.pub.Publish(&Message{RoutingKey: []byte("q"), Properties: transient.Append(nil)})
	b.pub.Settle(b.broker.nowMillis(), &b.fx)
	for _, name := range []string{"gone", "again"} {
		if _, err := b.session.DeleteQueue(name, false, false, &b.fx); err != nil {
			t.Fatal(err)
		}
	}
	b.broker.Leave()
	again := b.durable("again", window)
	b.send("", "again", "a") // its namesake's window is not its own
	b.ready(again, 1)
	b.sync()
	killed := copyOf(t, dir)
	stop()

	for _, dir := range []string{dir, killed} {
		now.Store(1_005_000)
		b, stop = newStored(t, dir, &now)
		q, _ := b.session.VHost().Queue("q")
		b.ready(q, 900)
		b.send("", "q", "0", "299", "many0", "many599", "new", "transient")
		b.ready(q, 902) // what was transient was lost, and may come again
		b.send("", "again", "a")
		again, _ := b.session.VHost().Queue("again")
		b.ready(again, 1)
		b.send("x", "", "a", "c")
		behind, _ := b.session.VHost().Queue("behind")
		b.ready(behind, 3)
		gone := b.durable("gone", window)
		b.send("", "gone", "a")
		b.ready(gone, 1)

		now.Store(1_010_001) // the time that the broker was away counts
		b.send("", "q", "0")
		b.ready(q, 903)
		b.sync()
		stop()
		b, stop = newStored(t, dir, &now)
		for !b.sweepAll() {
		}
		q, _ = b.session.VHost().Queue("q")
		if f, _ := q.Dedup(); f.Entries != 3 { // new and transient have some time left
			t.Errorf("%d entries after all old ones are over", f.Entries)
		}
		b.sync()
		stop()
		b, stop = newStored(t, dir, &now)
		if rows := b.windowRows(); rows > 8 {
			t.Errorf("%d rows are left in the store", rows)
		}
		stop()
	}
}

// windowRows is how many rows of windows the store holds.
func (b *bench) windowRows() (rows int) {
	b.Helper()
	if err := b.broker.eachDefinition(kindOfWindowRow, func(_, _ []byte) error { rows++; return nil }); err != nil {
		b.Fatal(err)
	}
	return rows
}

// TestSmallRowsBecomeOne whatever they come in; what was never to be stored does not get there by that.
func TestSmallRowsBecomeOne(t *testing.T) {
	for _, test := range []struct{ of, atOnce, rows int }{
		{2000, 1, 2000/256 + 2*mergedRows},
		{2000, 7, 2000/128 + 2*mergedRows},
		{2000, 100, 2000/128 + 2},
		{2000, 300, 2000/128 + 2},
	} {
		dir := t.TempDir()
		var now atomic.Int64
		now.Store(1_000_000)
		b, stop := newStored(t, dir, &now)
		b.durable("q", amqp.Table{{Name: "x-dedup-window", Value: "10s,10000"}})
		b.exchange("x", "fanout", "x-dedup-window", "10s,10000")
		b.durable("behind", nil)
		b.bind("behind", "x")
		transient := func(name string) {
			p := amqp.Properties{Flags: amqp.FlagMessageID, MessageID: []byte(name)}
			b.broker.Enter()
			b.pub.Publish(&Message{RoutingKey: []byte("q"), Properties: p.Append(nil)})
			b.pub.Publish(&Message{Exchange: []byte("x"), Properties: p.Append(nil)})
			b.pub.Settle(b.broker.nowMillis(), &b.fx)
			b.broker.Leave()
		}
		var all []string
		for i := range test.of {
			all = append(all, fmt.Sprint(i))
		}
		for ids := range slices.Chunk(all, test.atOnce) {
			b.send("", "q", ids...)
			b.send("x", "", ids...)
			transient("transient" + ids[0])
		}
		b.sync()
		killed := copyOf(t, dir)
		stop()
		for _, dir := range []string{dir, killed} {
			now.Store(1_005_000)
			b, stop = newStored(t, dir, &now)
			if rows := b.windowRows(); rows > 2*test.rows {
				t.Errorf("%d by %d: %d rows in two windows, want %d at most", test.of, test.atOnce, rows, 2*test.rows)
			}
			q, _ := b.session.VHost().Queue("q")
			behind, _ := b.session.VHost().Queue("behind")
			b.ready(q, test.of)
			b.send("", "q", all...)
			b.send("x", "", all...)
			b.ready(q, test.of)
			b.ready(behind, test.of)
			transient("transient0") // the first was lost, so this is taken
			b.ready(q, test.of+1)
			b.ready(behind, test.of+1)

			now.Store(1_020_000)
			for ids := range slices.Chunk(all, test.atOnce) { // with rows that are over among those that become one
				b.send("", "q", ids...)
			}
			b.ready(q, 2*test.of+1)
			now.Store(1_040_000)
			for !b.sweepAll() {
			}
			b.sync()
			if rows := b.windowRows(); rows > 0 {
				t.Errorf("%d by %d: %d rows are left when all is over", test.of, test.atOnce, rows)
			}
			stop()
		}
	}
}

// sweepAll sweeps as the timer does, once.
func (b *bench) sweepAll() (done bool) {
	b.broker.windows.sweep(b.broker)
	b.broker.windows.mu.Lock()
	defer b.broker.windows.mu.Unlock()
	return len(b.broker.windows.orphans) == 0
}

func TestPurgeKeepsTheWindow(t *testing.T) {
	b := newBench(t)
	q := b.declare("q", "dedup-window", "10")
	b.send("", "q", "a", "b")
	q.Purge(&b.fx.Effects)
	b.send("", "q", "a", "c")
	b.expect(q, "c")
}

func TestAQueueThatHoldsAMessageTakesNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		q := b.declare("q", "message-deduplication", true, "dead-letter-exchange", "", "dead-letter-routing-key", "dlq")
		dlq := b.declare("dlq")
		send := func(ids ...string) {
			t.Helper()
			for _, id := range ids {
				p := amqp.Properties{Flags: amqp.FlagHeaders}
				p.Headers = amqp.AppendTableBody(nil, amqp.Table{{Name: "x-deduplication-header", Value: id}})
				if id == "soon" {
					p.Flags, p.Expiration = p.Flags|amqp.FlagExpiration, []byte("100")
				}
				b.pub.Publish(&Message{RoutingKey: []byte("q"), Properties: p.Append(nil), Body: []byte(id)})
			}
			if refused := b.pub.Settle(b.broker.nowMillis(), &b.fx); len(refused) != 0 {
				t.Errorf("%v are refused", refused)
			}
		}
		send("a", "a", "b")
		b.send("", "q", "", "") // without the header none is a duplicate
		b.expect(q, "a b - -")
		send("a", "b")
		held := b.hold(q)
		send("a") // with a consumer, and so still in the queue
		b.giveBack(q, held)
		send("a")
		b.ready(q, 2)
		q.Purge(&b.fx.Effects)
		send("a", "soon", "soon")
		b.ready(q, 2)
		b.hold(q)
		after(time.Second) // what has expired has left
		b.expect(dlq, "soon")
		send("soon", "a")
		b.ready(q, 1)
		if n := q.Stats().Deduplicated; n != 5 {
			t.Errorf("%d counted, want 5", n)
		}
	})
}

// TestOneIsTakenOfWhatManyPublish: each identity comes from several connections at once, and is there once.
func TestOneIsTakenOfWhatManyPublish(t *testing.T) {
	b := newBench(t)
	q := b.declare("q", "dedup-window", "100000")
	b.exchange("x", "fanout", "x-dedup-window", "100000")
	behind := b.declare("behind")
	b.bind("behind", "x")
	const publishers, ids = 4, 2000
	done := make(chan error)
	for range publishers {
		go func() {
			session, err := b.broker.Open(b.broker.Users.Lookup("guest"), "/", nil)
			if err != nil {
				done <- err
				return
			}
			pub := session.NewPublisher()
			var fx Effects
			for first := 0; first < ids; first += 50 {
				for {
					for id := first; id < first+50; id++ {
						for _, to := range [...]*Message{named("", "q", fmt.Sprint(id)), named("x", "", fmt.Sprint(id))} {
							if _, err := pub.Publish(to); err != nil {
								done <- err
								return
							}
						}
					}
					if refused := pub.Settle(1, &fx); len(refused) == 0 {
						break // else somebody else's were in flight: again
					}
				}
			}
			done <- nil
		}()
	}
	for range publishers {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	b.ready(q, ids)
	b.ready(behind, ids)
}

func TestADuplicateDoesNotComeInWhateverTheQueueIs(t *testing.T) {
	b := newBench(t)
	for i, args := range [][]any{
		{"max-priority", int32(5)},
		{"single-active-consumer", true},
		{"rate-limit", int32(1)},
		{"ordering-key", "routing-key"},
		{"exact-ttl", true, "message-ttl", int32(100_000)},
		{"retry", "1s", "dead-letter-exchange", ""},
	} {
		q := b.declare(fmt.Sprint(i), append(args, "dedup-window", "1h,100")...)
		b.send("", q.Name(), "a", "b", "a")
		b.send("", q.Name(), "b", "c")
		b.ready(q, 3)
	}
}

func TestAnExchangeThatDelaysDecidesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		x := b.exchange("x", "fanout", "x-delayed", true, "x-dedup-window", "1h")
		b.exchange("behind", "fanout", "x-dedup-window", "1h")
		if err := b.session.BindExchange("behind", "x", "", nil); err != nil {
			t.Fatal(err)
		}
		q, far := b.declare("q"), b.declare("far")
		b.bind("q", "x")
		b.bind("far", "behind")
		for range 3 {
			p := amqp.Properties{Flags: amqp.FlagHeaders | amqp.FlagMessageID, MessageID: []byte("a")}
			p.Headers = amqp.AppendTableBody(nil, amqp.Table{{Name: "x-delay", Value: int32(1000)}})
			if routed, err := b.pub.Publish(&Message{Exchange: []byte("x"), Properties: p.Append(nil), Body: []byte("a")}); err != nil || !routed {
				t.Fatal(routed, err)
			}
		}
		b.pub.Settle(b.broker.nowMillis(), &b.fx)
		b.ready(q, 0)
		b.send("x", "", "a", "b")
		after(2 * time.Second)
		b.expect(q, "b a")
		b.expect(far, "b a")
		if f := b.session.VHost().Dedup(x); f.Duplicates != 3 || x.PublishIn.Load() != 5 {
			t.Errorf("%+v, in %d", f, x.PublishIn.Load())
		}
	})
}
