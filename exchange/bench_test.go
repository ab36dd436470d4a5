package exchange_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/exchange"
)

// benchmarkRoute routes the messages in turn, with a warm router.
func benchmarkRoute(b *testing.B, x *exchange.Exchange, messages ...*exchange.Message) {
	var r exchange.Router
	dst := r.Route(x, messages[0], nil)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		dst = r.Route(x, messages[i%len(messages)], dst[:0])
	}
	b.ReportMetric(float64(len(dst)), "queues")
}

func benchmarkBind(b *testing.B, typ string, key func(i int) string) {
	const n = 100_000
	queues, keys := make([]exchange.Destination, n), make([]string, n)
	for i := range n {
		queues[i], keys[i] = toQueue(&queue{fmt.Sprint(i)}), key(i)
	}
	b.ReportAllocs()
	for b.Loop() {
		x := declare(b, "x", typ)
		for i := range n {
			x.Bind(queues[i], keys[i], nil)
		}
		for i := range n {
			x.UnbindAll(queues[i])
		}
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "bind+unbind/s")
}

func BenchmarkBind(b *testing.B) {
	numbered := func(i int) string { return fmt.Sprintf("key.%d", i) }
	b.Run("type=direct/n=100000", func(b *testing.B) { benchmarkBind(b, "direct", numbered) })
	b.Run("type=direct-one-key/n=100000", func(b *testing.B) { benchmarkBind(b, "direct", func(int) string { return "k" }) })
	b.Run("type=fanout/n=100000", func(b *testing.B) { benchmarkBind(b, "fanout", numbered) })
	b.Run("type=topic/n=100000", func(b *testing.B) { benchmarkBind(b, "topic", topicPattern) })
	b.Run("type=headers/n=100000", func(b *testing.B) { benchmarkBind(b, "headers", numbered) })
}

// topicPattern spreads patterns over a trie: three in four are literal, every fourth has a wildcard in the middle.
func topicPattern(i int) string {
	if i%4 == 3 {
		return fmt.Sprintf("%d.*.%d", i%100, i/100)
	}
	return fmt.Sprintf("%d.%d.%d", i%100, i/100%100, i/10_000)
}

// heap returns the bytes that are in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func BenchmarkRoute(b *testing.B) {
	b.Run("type=direct/n=1", func(b *testing.B) {
		x := declare(b, "x", "direct")
		bind(b, x, "key", "q")
		benchmarkRoute(b, x, message(b, "key", nil))
	})
	b.Run("type=direct/n=100000", func(b *testing.B) {
		x := declare(b, "x", "direct")
		var messages []*exchange.Message
		for i := range 100_000 {
			key := fmt.Sprintf("key.%d", i)
			bind(b, x, key, fmt.Sprint(i))
			messages = append(messages, message(b, key, nil))
		}
		benchmarkRoute(b, x, messages...)
	})
	b.Run("type=fanout/n=10", func(b *testing.B) {
		x := declare(b, "x", "fanout")
		for i := range 10 {
			bind(b, x, "", fmt.Sprint(i))
		}
		benchmarkRoute(b, x, message(b, "key", nil))
	})
	b.Run("type=fanout/n=10000", func(b *testing.B) {
		x := declare(b, "x", "fanout")
		for i := range 10_000 {
			bind(b, x, "", fmt.Sprint(i))
		}
		benchmarkRoute(b, x, message(b, "key", nil))
	})
	b.Run("type=topic/n=1", func(b *testing.B) {
		x := declare(b, "x", "topic")
		bind(b, x, "a.*.#", "q")
		benchmarkRoute(b, x, message(b, "a.b.c", nil))
	})
	b.Run("type=topic/n=100000", func(b *testing.B) {
		x := declare(b, "x", "topic")
		for i := range 100_000 {
			bind(b, x, topicPattern(i), fmt.Sprint(i))
		}
		var messages []*exchange.Message
		for i := range 10_000 {
			messages = append(messages, message(b, fmt.Sprintf("%d.%d.%d", i%100, i/100%100, i%10), nil))
		}
		benchmarkRoute(b, x, messages...)
	})
	b.Run("type=topic/n=100000/keys=400000", func(b *testing.B) {
		// As amqpbench does: four kinds of patterns, ten queues, and keys that match one pattern each.
		x := declare(b, "x", "topic")
		queues := make([]exchange.Destination, 10)
		for i := range queues {
			queues[i] = toQueue(&queue{fmt.Sprint(i)})
		}
		patterns := []string{"s.%06d.*.*", "*.%06d.#", "s.%06d.#.z", "#.%06d.*.z"}
		before := heap()
		for i := range 100_000 {
			x.Bind(queues[i%len(queues)], fmt.Sprintf(patterns[i%len(patterns)], i), nil)
		}
		taken := heap() - before
		keys := make([][]byte, 400_000)
		for i := range keys {
			keys[i] = fmt.Appendf(nil, "s.%06d.k%d.z", i%100_000, i/100_000)
		}
		var r exchange.Router
		m := &exchange.Message{Properties: new(amqp.Properties)}
		var dst []exchange.Queue
		b.ReportAllocs()
		b.ResetTimer()
		for i := 0; b.Loop(); i++ {
			m.RoutingKey = keys[i%len(keys)]
			dst = r.Route(x, m, dst[:0])
		}
		b.ReportMetric(float64(len(dst)), "queues")
		b.ReportMetric(float64(taken)/100_000, "B/binding")
	})
	b.Run("type=headers/n=100", func(b *testing.B) {
		x := declare(b, "x", "headers")
		for i := range 100 {
			x.Bind(toQueue(&queue{fmt.Sprint(i)}), "", table("type", "order", "number", int32(i)))
		}
		benchmarkRoute(b, x, message(b, "", table("number", int64(50), "type", "order")))
	})
	b.Run("e2e=3", func(b *testing.B) {
		x, y, z := declare(b, "x", "direct"), declare(b, "y", "topic"), declare(b, "z", "fanout")
		x.Bind(toExchange(y), "a.b", nil)
		y.Bind(toExchange(z), "a.#", nil)
		bind(b, y, "*.b", "q")
		bind(b, z, "", "q")
		benchmarkRoute(b, x, message(b, "a.b", nil))
	})
}

func TestRouteDoesNotAllocate(t *testing.T) {
	n := network{}
	r := n.router()
	for _, typ := range matching {
		x := n.declare(t, typ, typ, alternate("ae"))
		for i := range 100 {
			bind(t, x, "a.b", fmt.Sprint(i))
			bind(t, x, "a.#", fmt.Sprint(i))
			x.Bind(toQueue(&queue{}), "", table("h", int32(i%2), "g", amqp.Array{"a"}, "f", table("a", 1.0)))
		}
		x.Bind(toExchange(n.declare(t, typ+"2", "fanout")), "a.b", nil)
	}
	bind(t, n.declare(t, "ae", "fanout"), "", "q")
	headers := table("f", table("a", 1.0), "h", int8(1), "g", amqp.Array{"a"})
	for _, typ := range matching {
		for _, m := range []*exchange.Message{message(t, "a.b", headers, "a.c"), message(t, "none", nil)} {
			dst := r.Route(n[typ], m, nil)
			if allocs := testing.AllocsPerRun(100, func() { dst = r.Route(n[typ], m, dst[:0]) }); allocs != 0 {
				t.Errorf("%s, key %q: %v allocations", typ, m.RoutingKey, allocs)
			}
		}
	}
}
