package queue

import (
	"math/rand/v2"
	"testing"
)

// TestAKeyTableActsAsAMap, with numbers in succession, far apart and at random, in growing and shrinking numbers.
func TestAKeyTableActsAsAMap(t *testing.T) {
	for range 200 {
		rng := rand.New(rand.NewPCG(rand.Uint64(), 0))
		ids := make([]uint64, 1+rng.IntN(300))
		step := []uint64{1, 1 << 32, 1 << 58, rng.Uint64()}[rng.IntN(4)]
		for i := range ids {
			ids[i] = uint64(i) * step
		}
		var table keyTable
		model := map[uint64]*orderedKey{}
		for n := range 3000 {
			id := ids[rng.IntN(len(ids))]
			switch put := rng.IntN(3) < 1+n/1000%2; {
			case table.get(id) != model[id]:
				t.Fatalf("%d is %p, want %p", id, table.get(id), model[id])
			case put && model[id] == nil:
				model[id] = new(orderedKey)
				table.put(id, model[id])
			case !put:
				if got := table.remove(id); got != model[id] {
					t.Fatalf("removed %p, want %p", got, model[id])
				}
				delete(model, id)
			}
			if table.len != len(model) {
				t.Fatalf("counts %d, has %d", table.len, len(model))
			}
		}
		for id, key := range table.all() {
			if model[id] != key {
				t.Fatalf("%d is %p, want %p", id, key, model[id])
			}
			delete(model, id)
		}
		if len(model) > 0 {
			t.Fatalf("%d are missing", len(model))
		}
	}
}

// TestAKeyTableGivesItsMemoryBack when the last key of many has gone.
func TestAKeyTableGivesItsMemoryBack(t *testing.T) {
	var table keyTable
	for id := range uint64(10_000) {
		table.put(id, new(orderedKey))
	}
	for id := range uint64(10_000) {
		table.remove(id)
	}
	if len(table.slots) != 0 {
		t.Errorf("%d slots are left", len(table.slots))
	}
}
