package exchange

import (
	"math/rand/v2"
	"testing"
)

// TestPointersAgainstMap: many values have the same place, and none is lost or stays when others come and go.
func TestPointersAgainstMap(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))

	place := func(v *int) uint64 { return uint64(*v) % 500 * 0x9e3779b97f4a7c15 >> 40 }
	var s pointers[int]
	model := map[int]*int{}
	find := func(n int) (found *int) {
		for v := range s.at(place(&n)) {
			if *v == n {
				found = v
			}
		}
		return found
	}
	for phase := range 6 {
		for range 3000 {
			n := r.IntN(1000)
			if v := model[n]; v != nil && (r.IntN(3) == 0) == (phase%2 == 0) {
				s.remove(v, place)
				delete(model, n)
			} else if v == nil && phase < 5 {
				s.add(&n, place)
				model[n] = &n
			}
			if got := find(n); got != model[n] {
				t.Fatalf("%d: %v, want %v", n, got, model[n])
			}
		}
		for n := range 1000 {
			if got := find(n); got != model[n] {
				t.Fatalf("%d: %v, want %v", n, got, model[n])
			}
		}
		if s.count != len(model) {
			t.Fatalf("%d values, want %d", s.count, len(model))
		}
	}
	for n, v := range model {
		s.remove(v, place)
		delete(model, n)
	}
	if s.slots != nil {
		t.Error("an empty set keeps its slots")
	}
}
