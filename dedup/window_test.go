package dedup_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/warren-mq/warren/dedup"
)

func id(n int) (id dedup.ID) {
	binary.BigEndian.PutUint64(id[:], uint64(n)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	return id
}

// naive is a window without any thought for cost: all that is remembered, oldest first.
type naive struct {
	span  int64
	count int
	ids   []int
	until map[int]int64
}

func (n *naive) drop(id int) {
	for i, v := range n.ids {
		if v == id {
			n.ids = append(n.ids[:i:i], n.ids[i+1:]...)
		}
	}
	delete(n.until, id)
}

func (n *naive) add(id int, now, ttl int64) bool {
	if until, ok := n.until[id]; ok && (until == 0 || now < until) {
		return false
	}
	n.drop(id)
	if ttl <= 0 {
		ttl = n.span
	}
	n.until[id] = 0
	if ttl > 0 {
		n.until[id] = now + ttl
	}
	n.ids = append(n.ids, id)
	return true
}

// TestAgainstModel adds, forgets and lets time pass, and compares every answer with a naive window. The count is compared
// where nothing is over by time, since when that is noticed is open.
func TestAgainstModel(t *testing.T) {
	for _, c := range []struct {
		span  int64
		count int
		ttls  bool
	}{{100, 0, false}, {0, 50, false}, {0, 1, false}, {1, 0, false}, {0, 0, false}, {1000, 0, true}, {100, 100_000, true}} {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 0))
		w := dedup.New(c.span, c.count)
		n := &naive{span: c.span, count: c.count, until: map[int]int64{}}
		now := int64(1)
		places := map[int]uint64{}
		for step := range 20_000 {
			who := r.IntN(200)
			switch r.IntN(10) {
			case 0:
				now += int64(r.IntN(30))
				w.Trim(now, r.IntN(20))
			case 1:
				if at, ok := places[who]; ok {
					if _, _, ok := w.Entry(at); ok {
						w.Forget(at)
						n.drop(who)
					}
				}
			default:
				var ttl int64
				if c.ttls && r.IntN(2) == 0 {
					ttl = int64(1 + r.IntN(200))
				}
				at, fresh := w.Add(id(who), now, ttl)
				if want := n.add(who, now, ttl); fresh != want {
					t.Fatalf("%+v, step %d: adding %d says %t, want %t", c, step, who, fresh, want)
				}
				places[who] = at
				for c.count > 0 && len(n.ids) > c.count {
					n.drop(n.ids[0])
				}
			}
			if got, ok := w.Has(id(who), now), n.until[who]; got != (func() bool { _, has := n.until[who]; return has && (ok == 0 || now < ok) })() {
				t.Fatalf("%+v, step %d: has %d says %t", c, step, who, got)
			}
			if c.span == 0 && !c.ttls && w.Len() != len(n.ids) {
				t.Fatalf("%+v, step %d: %d entries, want %d", c, step, w.Len(), len(n.ids))
			}
		}
		for !w.Trim(now+1_000_000, 1000) {
		}
		if c.span > 0 && w.Len() != 0 {
			t.Errorf("%+v: %d entries stay when all are over", c, w.Len())
		}
	}
}

func TestRestoreGoesOnWhereItWas(t *testing.T) {
	w := dedup.New(100, 0)
	w.Restore(id(1), 50)
	at := w.Restore(id(2), 150)
	if w.Has(id(1), 60) || !w.Has(id(2), 60) || w.Has(id(2), 150) {
		t.Error("times are not those that were restored")
	}
	if _, fresh := w.Add(id(1), 60, 0); !fresh {
		t.Error("what is over counts")
	}
	if got, until, ok := w.Entry(at); got != id(2) || until != 150 || !ok {
		t.Errorf("entry %v %d %t", got, until, ok)
	}
}

func TestAddAllocatesLittle(t *testing.T) {
	w := dedup.New(0, 1000)
	n := 0
	for range 5000 {
		n++
		w.Add(id(n), 1, 0)
	}
	if got := testing.AllocsPerRun(1000, func() { n++; w.Add(id(n), 1, 0) }); got > 0 {
		t.Errorf("%.2f allocations for one", got)
	}
}

func BenchmarkAdd(b *testing.B) {
	for _, size := range []int{1000, 1_000_000} {
		b.Run(fmt.Sprintf("window=%d", size), func(b *testing.B) {
			w := dedup.New(0, size)
			n := 0
			for range size {
				n++
				w.Add(id(n), 1, 0)
			}
			b.ReportAllocs()
			for b.Loop() {
				n++
				w.Add(id(n), 1, 0)
			}
		})
	}
}

func BenchmarkMemory(b *testing.B) {
	for _, size := range []int{10_000, 1_000_000, 1_500_000} {
		b.Run(fmt.Sprintf("window=%d", size), func(b *testing.B) {
			for b.Loop() {
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				w := dedup.New(0, size)
				for n := range size * 2 {
					w.Add(id(n), 1, 0)
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(size), "B/entry")
				runtime.KeepAlive(w)
			}
		})
	}
}

// TestAClockThatWasAheadDoesNotKeepTheWindowLong: what came then is remembered for the span from now on at the most, and does
// not keep what comes after it.
func TestAClockThatWasAheadDoesNotKeepTheWindowLong(t *testing.T) {
	const span, day = 1000, 86_400_000
	w := dedup.New(span, 0)
	now := int64(day)
	w.Add(id(0), now+day, 0)
	for n := 1; n <= 10*span; n++ {
		now++
		w.Add(id(n), now, 0)
		if n == span/2 && !w.Has(id(0), now) {
			t.Error("what came half a span ago is forgotten")
		}
	}
	if w.Has(id(0), now) || w.Len() > span+10 {
		t.Errorf("%d are remembered, the one from the future too: %t", w.Len(), w.Has(id(0), now))
	}
	if w.Add(id(0), now-day, 0); w.Has(id(10*span), now) != true {
		t.Error("what has just come is forgotten when the clock is set back")
	}
}
