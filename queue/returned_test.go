package queue

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestReturnedServesTheLowestFirst(t *testing.T) {
	orders := map[string]func([]uint64){
		"rising":  func([]uint64) {},
		"falling": slices.Reverse[[]uint64],
		"random": func(s []uint64) {
			rand.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
		},
		"two interleaved runs": func(s []uint64) {
			slices.SortStableFunc(s, func(a, b uint64) int { return int(a%2) - int(b%2) })
		},
	}
	for name, order := range orders {
		t.Run(name, func(t *testing.T) {
			seqs := make([]uint64, 3000)
			for i := range seqs {
				seqs[i] = uint64(i)
			}
			order(seqs)
			var r returned
			for _, seq := range seqs {
				r.push(seq)
			}
			for want := range uint64(len(seqs)) {
				if got := r.lowest(); got != want || r.len() != len(seqs)-int(want) {
					t.Fatalf("lowest of %d is %d, want %d of %d", r.len(), got, want, len(seqs)-int(want))
				}
				r.pop()
			}
			if r.len() != 0 {
				t.Errorf("%d are left", r.len())
			}
			if cap(r.run)+cap(r.heap) > 2*keepReturned {
				t.Errorf("kept room for %d", cap(r.run)+cap(r.heap))
			}
		})
	}
}

// TestReturnedAgainstASet pushes and pops at random.
func TestReturnedAgainstASet(t *testing.T) {
	var r returned
	set := map[uint64]bool{}
	for i := range 20_000 {
		if seq := rand.N[uint64](500); rand.N(2) == 0 && !set[seq] {
			r.push(seq)
			set[seq] = true
		} else if len(set) > 0 {
			seq := r.lowest()
			for other := range set {
				if other < seq {
					t.Fatalf("step %d: lowest is %d, but %d is there", i, seq, other)
				}
			}
			if !set[seq] {
				t.Fatalf("step %d: %d is not there", i, seq)
			}
			r.pop()
			delete(set, seq)
		}
		if r.len() != len(set) {
			t.Fatalf("step %d: holds %d, want %d", i, r.len(), len(set))
		}
	}
	var cleared []uint64
	r.clear(func(seq uint64) { cleared = append(cleared, seq) })
	if len(cleared) != len(set) || r.len() != 0 {
		t.Errorf("cleared %d of %d, %d are left", len(cleared), len(set), r.len())
	}
}

// TestReturnedDoesNotGrowWhenItNeverEmpties keeps one in the run for ever.
func TestReturnedDoesNotGrowWhenItNeverEmpties(t *testing.T) {
	var r returned
	r.push(0)
	for seq := range uint64(100_000) {
		r.push(seq + 1)
		r.pop()
	}
	if cap(r.run) > 1024 {
		t.Errorf("room for %d, with one in it", cap(r.run))
	}
}
