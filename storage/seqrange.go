package storage

import (
	"cmp"
	"slices"
)

// seqRange is the sequence numbers from from up to, not including, to.
type seqRange struct{ from, to uint64 }

// seqRanges gathers sequence numbers in the order in which they come; acks mostly come in order, so a thousand
// are mostly one range.
type seqRanges struct {
	list     []seqRange
	unsorted bool
}

func (r *seqRanges) add(from, to uint64) {
	if n := len(r.list); n > 0 {
		last := &r.list[n-1]
		switch {
		case last.to == from:
			last.to = to
			return
		case last.from == to:
			last.from = from
			r.unsorted = r.unsorted || n > 1 && r.list[n-2].to >= from
			return
		case last.to > from:
			r.unsorted = true
		}
	}
	r.list = append(r.list, seqRange{from, to})
}

// sorted puts the ranges in order, each sequence number once.
func (r *seqRanges) sorted() []seqRange {
	if !r.unsorted {
		return r.list
	}
	r.unsorted = false
	slices.SortFunc(r.list, func(a, b seqRange) int { return cmp.Compare(a.from, b.from) })
	out := r.list[:1]
	for _, next := range r.list[1:] {
		if last := &out[len(out)-1]; next.from <= last.to {
			last.to = max(last.to, next.to)
		} else {
			out = append(out, next)
		}
	}
	r.list = out
	return out
}

func (r *seqRanges) reset() { r.list, r.unsorted = r.list[:0], false }
