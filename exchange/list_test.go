package exchange

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func (v *view[T]) values() []T {
	var values []T
	if v != nil {
		values = append(values, v.first...)
		for _, chunk := range v.rest {
			values = append(values, chunk...)
		}
	}
	return values
}

// TestListAgainstMap grows and shrinks a list over several chunks; views taken on the way must never change.
func TestListAgainstMap(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))

	type snapshot struct {
		view   *view[int]
		values []int
	}
	var l list[int]
	var snapshots []snapshot
	var members []int
	next := 0
	for phase := range 8 {
		grow := 3 + 5*(phase%2) // of ten
		if phase == 7 {
			grow = 0
		}
		for range 4 * chunkLength {
			if r.IntN(10) < grow || len(members) == 0 && phase < 7 {
				l.add(next)
				members = append(members, next)
				next++
			} else if len(members) > 0 {
				i := r.IntN(len(members))
				if !l.remove(members[i]) {
					t.Fatalf("%d is not there", members[i])
				}
				members = slices.Delete(members, i, i+1)
			}
			if l.len() != len(members) {
				t.Fatalf("length %d, want %d", l.len(), len(members))
			}
			if r.IntN(50) == 0 {
				snapshots = append(snapshots, snapshot{l.view(), l.view().values()})
			}
		}
		got := l.view().values()
		slices.Sort(got)
		if want := slices.Sorted(slices.Values(members)); !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
		if l.remove(-1) {
			t.Fatal("removed what was never added")
		}
	}
	for len(members) > 0 {
		l.remove(members[0])
		members = members[1:]
	}
	if l.view() != nil {
		t.Error("an empty list shows a view: routing would take it for a destination")
	}
	for _, s := range snapshots {
		if !slices.Equal(s.view.values(), s.values) {
			t.Fatal("a view has changed after it was published")
		}
	}
}
