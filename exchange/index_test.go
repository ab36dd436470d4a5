package exchange

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestIndexAgainstMap: words of up to 7 bytes and longer ones, some of which begin alike.
func TestIndexAgainstMap(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))

	var x index
	model := map[string]*node{}
	check := func(key string) {
		t.Helper()
		if got := x.find(&word{bytes: []byte(key)}); got != model[key] {
			t.Fatalf("find %q: %v, want %v", key, got, model[key])
		}
		if got := x.get(key); got != model[key] {
			t.Fatalf("get %q: %v, want %v", key, got, model[key])
		}
	}
	word := func() string { return strings.Repeat("a", r.IntN(8)) + fmt.Sprint(r.IntN(300)) }
	for phase := range 6 {
		for range 3000 {
			key := word()
			if n := model[key]; n != nil && (r.IntN(3) == 0) == (phase%2 == 0) {
				x.remove(n)
				delete(model, key)
			} else if n == nil && phase < 5 {
				n = &node{word: key}
				x.add(n)
				model[key] = n
			}
			check(key)
			check(word())
		}
		check("")
		if n := int(x.table.Load().live); n != len(model) {
			t.Fatalf("%d words, want %d", n, len(model))
		}
	}
	for key, n := range model {
		x.remove(n)
		delete(model, key)
		check(key)
	}
	if x.table.Load() != nil {
		t.Error("an empty index keeps its table")
	}
}

func TestIndexShrinks(t *testing.T) {
	var x index
	for i := range 10_000 {
		x.add(&node{word: fmt.Sprint(i)})
	}
	for i := range 9_990 {
		x.remove(x.get(fmt.Sprint(i)))
	}
	if n := len(x.table.Load().slots); n > 128 {
		t.Errorf("%d slots for 10 words", n)
	}
	if n := x.get("9995"); n == nil || n.word != "9995" {
		t.Error("a word was lost")
	}
}

// What comes and goes leaves marks in the table, which may not fill it.
func TestIndexOfWordsThatComeAndGo(t *testing.T) {
	var x index
	for i := range 5 {
		x.add(&node{word: fmt.Sprint("stays", i)})
	}
	for i := range 10_000 {
		x.add(&node{word: fmt.Sprint(i)})
		x.remove(x.get(fmt.Sprint(i)))
	}
	if n := len(x.table.Load().slots); n > 16 {
		t.Errorf("%d slots for 5 words", n)
	}
	for i := range 5 {
		if x.get(fmt.Sprint("stays", i)) == nil {
			t.Errorf("word %d was lost", i)
		}
	}
}

// Two long words may have the same hash; they are not the same for that.
func TestIndexComparesLongWords(t *testing.T) {
	var x index
	long := &node{word: "a long word"}
	x.add(long)
	w := word{bytes: []byte("a long word")}
	w.lookUp()
	w.bytes = []byte("another one")
	if x.find(&w) != nil {
		t.Error("a word was taken for another one of the same hash")
	}
}
