package exchange_test

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/exchange"
)

// spread routes keys 0 to n-1 and returns the queue that each goes to; every message must go to exactly one.
func spread(t *testing.T, x *exchange.Exchange, n int) []string {
	t.Helper()
	var r exchange.Router
	to := make([]string, n)
	for i := range to {
		found := r.Route(x, message(t, strconv.Itoa(i), nil), nil)
		if len(found) != 1 {
			t.Fatalf("key %d goes to %d queues", i, len(found))
		}
		to[i] = found[0].Name()
	}
	return to
}

func bindWeights(x *exchange.Exchange, weights ...int) (queues []*queue) {
	for i, w := range weights {
		q := &queue{fmt.Sprint("q", i)}
		x.Bind(toQueue(q), strconv.Itoa(w), nil)
		queues = append(queues, q)
	}
	return queues
}

func TestConsistentHashGivesSharesByWeight(t *testing.T) {
	for _, weights := range [][]int{{1, 1}, {1, 2, 3}, {10, 10, 10, 10}, {1, 99}, {5, 5, 7, 1000}} {
		x := declare(t, "x", "x-consistent-hash")
		bindWeights(x, weights...)
		const n = 50_000
		got, sum := map[string]int{}, 0
		for _, name := range spread(t, x, n) {
			got[name]++
		}
		for _, w := range weights {
			sum += w
		}
		for i, w := range weights {
			p := float64(w) / float64(sum)
			if want, sigma := n*p, math.Sqrt(n*p*(1-p)); math.Abs(float64(got[fmt.Sprint("q", i)])-want) > 6*sigma {
				t.Errorf("weights %v: queue %d got %d, want about %.0f", weights, i, got[fmt.Sprint("q", i)], want)
			}
		}
	}
}

func TestConsistentHashDoesNotDependOnTheOrderOfBindings(t *testing.T) {
	one, other := declare(t, "x", "x-consistent-hash"), declare(t, "x", "x-consistent-hash")
	queues := bindWeights(one, 1, 2, 3, 4)
	for i, q := range slices.Backward(queues) {
		other.Bind(toQueue(q), strconv.Itoa(i+1), nil)
	}
	if a, b := spread(t, one, 1000), spread(t, other, 1000); !slices.Equal(a, b) {
		t.Error("the order of bindings matters: keys would move with a restart")
	}
}

// The first ways of some keys, so that no later version sends them elsewhere.
func TestHashesStayTheSameOverVersions(t *testing.T) {
	for _, c := range []struct{ typ, want string }{
		{"x-consistent-hash", "[q2 q2 q1 q2 q1 q2 q2 q0 q2 q1 q0 q1]"},
		{"x-modulus-hash", "[q1 q1 q1 q0 q0 q0 q2 q1 q2 q1 q2 q1]"},
	} {
		x := declare(t, "x", c.typ)
		bindWeights(x, 1, 2, 3)
		if got := fmt.Sprint(spread(t, x, 12)); got != c.want {
			t.Errorf("%s: %s, want %s", c.typ, got, c.want)
		}
	}
}

func TestConsistentHashMovesOnlyWhatChanges(t *testing.T) {
	x := declare(t, "x", "x-consistent-hash")
	queues := bindWeights(x, 3, 1, 2, 2)
	before := spread(t, x, 5000)
	x.UnbindAll(toQueue(queues[1]))
	for i, name := range spread(t, x, 5000) {
		if name != before[i] && before[i] != "q1" {
			t.Fatalf("key %d moved from %s to %s when q1 was unbound", i, before[i], name)
		}
	}
	x.Bind(toQueue(queues[1]), "1", nil)
	added := &queue{"new"}
	x.Bind(toQueue(added), "2", nil)
	for i, name := range spread(t, x, 5000) {
		if name != before[i] && name != "new" {
			t.Fatalf("key %d moved from %s to %s when a queue was added", i, before[i], name)
		}
	}
}

func TestConsistentHashCountsTheFirstWeightOfADestination(t *testing.T) {
	x, y := declare(t, "x", "x-consistent-hash"), declare(t, "x", "x-consistent-hash")
	queues := bindWeights(x, 1, 1)
	bindWeights(y, 1, 1)
	x.Bind(toQueue(queues[0]), "1000", nil)
	if !slices.Equal(spread(t, x, 1000), spread(t, y, 1000)) {
		t.Error("a second weight changes the shares")
	}
	x.Unbind(toQueue(queues[0]), "1", nil)
	if slices.Equal(spread(t, x, 1000), spread(t, y, 1000)) {
		t.Error("the second weight does not count when the first is gone")
	}
}

func TestConsistentHashOfHeaderAndProperty(t *testing.T) {
	with := func(name, value string) func(*exchange.Config) {
		return func(c *exchange.Config) { c.Arguments = amqp.Table{{Name: name, Value: value}} }
	}
	property := func(set func(p *amqp.Properties, i int)) func(i int) *exchange.Message {
		return func(i int) *exchange.Message {
			m := message(t, fmt.Sprint("key", i), nil)
			set(m.Properties, i)
			return m
		}
	}
	for _, c := range []struct {
		name    string
		x       *exchange.Exchange
		varying func(i int) *exchange.Message
	}{
		{"header", declare(t, "x", "x-consistent-hash", with("hash-header", "h")), func(i int) *exchange.Message {
			return message(t, "k", amqp.Table{{Name: "h", Value: int32(i)}})
		}},
		{"message id", declare(t, "x", "x-consistent-hash", with("hash-property", "message_id")),
			property(func(p *amqp.Properties, i int) {
				p.Flags, p.MessageID = amqp.FlagMessageID, fmt.Append(nil, i)
			})},
		{"correlation id", declare(t, "x", "x-consistent-hash", with("hash-property", "correlation_id")),
			property(func(p *amqp.Properties, i int) {
				p.Flags, p.CorrelationID = amqp.FlagCorrelationID, fmt.Append(nil, i)
			})},
		{"timestamp", declare(t, "x", "x-consistent-hash", with("hash-property", "timestamp")),
			property(func(p *amqp.Properties, i int) { p.Flags, p.Timestamp = amqp.FlagTimestamp, uint64(i) })},
	} {
		bindWeights(c.x, 1, 1, 1)
		var r exchange.Router
		varied, constant := map[exchange.Queue]bool{}, map[exchange.Queue]bool{}
		for i := range 100 {
			for _, q := range r.Route(c.x, c.varying(i), nil) {
				varied[q] = true
			}
			for _, q := range r.Route(c.x, message(t, fmt.Sprint("key", i), nil), nil) {
				constant[q] = true
			}
		}
		if len(varied) != 3 || len(constant) != 1 {
			t.Errorf("%s: what has it goes to %d queues, what lacks it to %d; want 3 and 1", c.name, len(varied), len(constant))
		}
	}
}

func TestModulusHashIsStableAndEven(t *testing.T) {
	x, y := declare(t, "x", "x-modulus-hash"), declare(t, "x", "x-modulus-hash")
	queues := bindWeights(x, 7, 7, 7, 7)
	for _, q := range slices.Backward(queues) {
		y.Bind(toQueue(q), "7", nil)
	}
	got := spread(t, x, 8000)
	if !slices.Equal(got, spread(t, y, 8000)) {
		t.Error("the order of bindings matters")
	}
	counts := map[string]int{}
	for _, name := range got {
		counts[name]++
	}
	for _, q := range queues {
		if n := counts[q.name]; n < 1800 || n > 2200 {
			t.Errorf("%s got %d of 8000", q.name, n)
		}
	}
	for _, q := range queues {
		x.UnbindAll(toQueue(q))
	}
	var r exchange.Router
	if found := r.Route(x, message(t, "k", nil), nil); len(found) != 0 {
		t.Errorf("without bindings there are %v", found)
	}
}

func TestRandomChoosesAmongBindings(t *testing.T) {
	for _, typ := range []string{"x-random", "x-local-random"} {
		x := declare(t, "x", typ)
		var queues []*queue
		for i := range 600 { // more than a chunk
			q := &queue{fmt.Sprint("q", i)}
			x.Bind(toQueue(q), "", nil)
			queues = append(queues, q)
		}
		counts := map[string]int{}
		for _, name := range spread(t, x, 60_000) {
			counts[name]++
		}
		for _, q := range queues {
			if n := counts[q.name]; n < 30 || n > 200 {
				t.Errorf("%s: %s got %d, want about 100", typ, q.name, n)
			}
		}
	}
}

type typedQueue struct {
	queue
	typ string
}

func (q *typedQueue) Type() string { return q.typ }

func TestLocalRandomTakesClassicQueuesWithoutKeys(t *testing.T) {
	x := declare(t, "x", "x-local-random")
	for _, c := range []struct {
		to   exchange.Destination
		key  string
		text string
	}{
		{toQueue(&typedQueue{typ: "classic"}), "", ""},
		{toQueue(&typedQueue{typ: "classic"}), "k", "PRECONDITION_FAILED - Non empty binding 'k' key not permitted"},
		{toQueue(&typedQueue{typ: "quorum"}), "", "PRECONDITION_FAILED - Queue type rabbit_quorum_queue not valid for this exchange type"},
		{toExchange(x), "", "PRECONDITION_FAILED - Destination not found"},
	} {
		if got := replyText(x.ValidateBinding(c.to, c.key, nil)); got != c.text {
			t.Errorf("%q, want %q", got, c.text)
		}
	}
}

func TestRecentHistoryTellsWhatToKeep(t *testing.T) {
	x := declare(t, "x", "x-recent-history")
	entry := declare(t, "entry", "fanout")
	entry.Bind(toExchange(x), "", nil)
	var r exchange.Router
	for _, c := range []struct {
		headers amqp.Table
		kept    int
	}{
		{nil, 1},
		{amqp.Table{{Name: "x-recent-history-no-store", Value: true}}, 0},
		{amqp.Table{{Name: "x-recent-history-no-store", Value: false}}, 1},
		{amqp.Table{{Name: "x-recent-history-no-store", Value: "true"}}, 1},
	} {
		r.Route(entry, message(t, "k", c.headers), nil)
		if got := r.Kept(); len(got) != c.kept {
			t.Errorf("%v is kept by %d exchanges, want %d", c.headers, len(got), c.kept)
		}
	}
	if x.HistoryLength() != 20 || entry.HistoryLength() != 0 {
		t.Errorf("lengths %d and %d", x.HistoryLength(), entry.HistoryLength())
	}
}

func TestSpreadingAllocatesNothing(t *testing.T) {
	for _, typ := range []string{"x-consistent-hash", "x-modulus-hash", "x-random", "x-local-random", "x-recent-history"} {
		x := declare(t, "x", typ)
		bindWeights(x, 1, 2, 3)
		var r exchange.Router
		m := message(t, "some.key", nil)
		dst := r.Route(x, m, nil)
		if n := testing.AllocsPerRun(100, func() { dst = r.Route(x, m, dst[:0]) }); n > 0 {
			t.Errorf("%s: %.0f allocations a message", typ, n)
		}
		if r.Cacheable() {
			t.Errorf("%s: the route must not be remembered by its key", typ)
		}
	}
}

func BenchmarkConsistentHash(b *testing.B) {
	for _, n := range []int{2, 16, 128} {
		for _, equal := range []bool{true, false} {
			b.Run(fmt.Sprintf("destinations=%d/equal=%t", n, equal), func(b *testing.B) {
				x := declare(b, "x", "x-consistent-hash")
				for i := range n {
					weight := "5"
					if !equal {
						weight = strconv.Itoa(i + 1)
					}
					x.Bind(toQueue(&queue{strconv.Itoa(i)}), weight, nil)
				}
				benchmarkRoute(b, x, &exchange.Message{RoutingKey: []byte("orders.4711"), Properties: new(amqp.Properties)})
			})
		}
	}
}

func BenchmarkRandom(b *testing.B) {
	x := declare(b, "x", "x-random")
	bind(b, x, "", "a", "b", "c", "d")
	benchmarkRoute(b, x, &exchange.Message{RoutingKey: []byte("k"), Properties: new(amqp.Properties)})
}
