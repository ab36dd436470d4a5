package queue

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestSubscribersStayInOrder while others come and go, in a list that does not keep many gaps.
func TestSubscribersStayInOrder(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		var l subscribers
		var model []*Subscription
		for range 500 {
			if n := len(model); n == 0 || r.IntN(100) < 48 {
				s := new(Subscription)
				l.add(s)
				model = append(model, s)
			} else {
				i := r.IntN(n)
				l.remove(model[i])
				model = slices.Delete(model, i, i+1)
			}
			if got := slices.Collect(l.all()); !slices.Equal(got, model) || l.count != len(model) {
				t.Fatalf("seed %d: %d of %d subscribers, or in another order", seed, len(got), len(model))
			}
			if len(l.list) > 2*l.count {
				t.Fatalf("seed %d: a list of %d places for %d", seed, len(l.list), l.count)
			}
		}
	}
}
