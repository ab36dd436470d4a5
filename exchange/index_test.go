package exchange

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestIndexAgainstMap(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))

	var x index[int]
	model := map[string]int{}
	check := func(key string) {
		t.Helper()
		want, wanted := model[key]
		if got, ok := x.get(key); got != want || ok != wanted {
			t.Fatalf("get %q: %d %v, want %d %v", key, got, ok, want, wanted)
		}
		if got, ok := x.find(hashOf([]byte(key)), []byte(key)); got != want || ok != wanted {
			t.Fatalf("find %q: %d %v, want %d %v", key, got, ok, want, wanted)
		}
	}
	for phase := range 6 {
		for i := range 3000 {
			key := fmt.Sprint(r.IntN(1000))
			if _, ok := model[key]; ok && (r.IntN(3) == 0) == (phase%2 == 0) {
				x.remove(key)
				delete(model, key)
			} else if !ok && phase < 5 {
				x.add(key, i)
				model[key] = i
			}
			check(key)
			check(fmt.Sprint(r.IntN(1000)))
		}
		if x.count != len(model) {
			t.Fatalf("%d keys, want %d", x.count, len(model))
		}
	}
	x.remove("never there")
	for key := range model {
		x.remove(key)
		delete(model, key)
		check(key)
	}
	if x.table.Load() != nil || x.count != 0 {
		t.Error("an empty index keeps its table")
	}
}

func TestIndexShrinks(t *testing.T) {
	var x index[int]
	for i := range 10_000 {
		x.add(fmt.Sprint(i), i)
	}
	for i := range 9_990 {
		x.remove(fmt.Sprint(i))
	}
	if n := len(x.table.Load().heads); n > 128 {
		t.Errorf("%d chains for 10 keys", n)
	}
	if v, ok := x.get("9995"); !ok || v != 9995 {
		t.Error("a key was lost")
	}
}
