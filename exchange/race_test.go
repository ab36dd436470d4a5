package exchange_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/warren-mq/warren/exchange"
)

// TestRouteBesideChanges routes while others bind and unbind. A binding that stays is seen by every route; one that
// comes and goes is seen or not, but never twice.
func TestRouteBesideChanges(t *testing.T) {
	for _, typ := range matching {
		t.Run(typ, func(t *testing.T) {
			x := declare(t, "x", typ)
			stays := bind(t, x, "a.b", "stays")[0]
			m := message(t, "a.b", nil)

			var routers sync.WaitGroup
			var done atomic.Bool
			var seen atomic.Int64 // routes that met a binding that comes and goes
			for range 3 {
				routers.Go(func() {
					var r exchange.Router
					var dst []exchange.Queue
					for !done.Load() {
						dst = r.Route(x, m, dst[:0])
						found := map[exchange.Queue]int{}
						for _, q := range dst {
							found[q]++
							if found[q] > 1 {
								t.Errorf("%s twice", q.Name())
							}
						}
						if found[stays] != 1 {
							t.Error("the binding that stays was not seen")
						}
						if len(dst) > 1 {
							seen.Add(1)
						}
						if t.Failed() {
							return
						}
					}
				})
			}
			comes := make([]*queue, 600) // enough for a second chunk
			for i := range comes {
				comes[i] = &queue{fmt.Sprint(i)}
			}
			for round := 0; round < 2 || seen.Load() == 0 && round < 1000; round++ {
				for i, q := range comes {
					x.Bind(toQueue(q), "a.b", nil)
					x.Bind(toQueue(q), fmt.Sprintf("a.%d.#", i), nil)
				}
				for _, q := range comes {
					x.UnbindAll(toQueue(q))
				}
			}
			done.Store(true)
			routers.Wait()
			if seen.Load() == 0 {
				t.Error("routing never met a change")
			}
		})
	}
}

// TestSpreadBesideChanges routes through exchanges that choose one, while others bind and unbind: each message goes to
// exactly one queue.
func TestSpreadBesideChanges(t *testing.T) {
	for _, typ := range []string{"x-consistent-hash", "x-modulus-hash", "x-random"} {
		t.Run(typ, func(t *testing.T) {
			x := declare(t, "x", typ)
			bind(t, x, "1", "stays")
			m := message(t, "a.b", nil)
			var routers sync.WaitGroup
			var done atomic.Bool
			for range 3 {
				routers.Go(func() {
					var r exchange.Router
					var dst []exchange.Queue
					for !done.Load() {
						if dst = r.Route(x, m, dst[:0]); len(dst) != 1 {
							t.Errorf("%d queues", len(dst))
							return
						}
					}
				})
			}
			for i := range 200 {
				q := toQueue(&queue{fmt.Sprint(i % 50)})
				x.Bind(q, "2", nil)
				x.Bind(q, "3", nil)
				x.UnbindAll(q)
			}
			done.Store(true)
			routers.Wait()
		})
	}
}
