package queue

import (
	"math/bits"
	"math/rand/v2"
)

// keyTable finds keys by a number: a hash table with open addressing. Every message that is delivered from a queue with an
// ordering key goes into two of them and out again, which a table of numbers alone does in a third of the time that a map
// takes: it has no hash to compute and leaves no marks of what was removed. (BenchmarkOrderingKey, keys in turn: 150 ns less a
// message.) The zero value is empty.
type keyTable struct {
	slots []keySlot // a power of two, at most three quarters in use
	len   int
}

type keySlot struct {
	id  uint64
	key *orderedKey // nil: free
}

// spreading is a multiplier that nobody can foresee, so that nobody can choose numbers that meet at one place.
var spreading = rand.Uint64() | 1

// home is where the search for a number begins: the upper bits of a product, in which all of the number's bits are mixed.
func (t *keyTable) home(id uint64) int {
	return int(id * spreading >> (64 - bits.TrailingZeros(uint(len(t.slots)))))
}

// get returns the key with a number, nil if there is none.
func (t *keyTable) get(id uint64) *orderedKey {
	if t.len == 0 {
		return nil
	}
	for i := t.home(id); ; i = (i + 1) & (len(t.slots) - 1) {
		if s := &t.slots[i]; s.key == nil || s.id == id {
			return s.key
		}
	}
}

// put adds a key with a number that is not there.
func (t *keyTable) put(id uint64, key *orderedKey) {
	if t.len++; 4*t.len > 3*len(t.slots) {
		t.grow()
	}
	t.place(keySlot{id, key})
}

func (t *keyTable) place(s keySlot) {
	i := t.home(s.id)
	for t.slots[i].key != nil {
		i = (i + 1) & (len(t.slots) - 1)
	}
	t.slots[i] = s
}

func (t *keyTable) grow() {
	old := t.slots
	t.slots = make([]keySlot, max(8, 2*len(old)))
	for _, s := range old {
		if s.key != nil {
			t.place(s)
		}
	}
}

// remove takes out the key with a number and returns it, nil if there is none. What stands behind it moves into the gap if the
// search for it would end there.
func (t *keyTable) remove(id uint64) *orderedKey {
	if t.len == 0 {
		return nil
	}
	mask := len(t.slots) - 1
	gap := t.home(id)
	for t.slots[gap].key == nil || t.slots[gap].id != id {
		if t.slots[gap].key == nil {
			return nil
		}
		gap = (gap + 1) & mask
	}
	removed := t.slots[gap].key
	for i := (gap + 1) & mask; t.slots[i].key != nil; i = (i + 1) & mask {
		if way := (i - t.home(t.slots[i].id)) & mask; way >= (i-gap)&mask {
			t.slots[gap], gap = t.slots[i], i
		}
	}
	t.slots[gap] = keySlot{}
	if t.len--; t.len == 0 && len(t.slots) > 2*keptKeys {
		t.slots = nil // it does not shrink otherwise
	}
	return removed
}
