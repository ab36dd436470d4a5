package storage

import (
	"iter"
	"slices"
)

// ordered keeps spans of sequence numbers (chunks) in order. A span that was removed leaves a hole until holes
// are half of the entries, so that removing one costs constant time on average wherever it stands.
type ordered[T interface {
	comparable
	next() uint64
}] struct {
	entries []orderedEntry[T]
	start   int // every entry before it is a hole
	holes   int
}

// orderedEntry has the first sequence number of the span beside it, so that a search reads no span and a hole (a
// zero span) keeps its place in the order.
type orderedEntry[T any] struct {
	first uint64
	span  T
}

// push appends a span that lies after all others.
func (o *ordered[T]) push(first uint64, span T) {
	o.entries = append(o.entries, orderedEntry[T]{first, span})
}

// head returns the first span, zero if there is none.
func (o *ordered[T]) head() (span T) {
	if o.start < len(o.entries) {
		span = o.entries[o.start].span
	}
	return span
}

// last returns the last span, zero if there is none or if it was removed.
func (o *ordered[T]) last() (span T) {
	if o.start < len(o.entries) {
		span = o.entries[len(o.entries)-1].span
	}
	return span
}

// find returns the span that holds seq and its index, or zero. A drain stays in the head, so that is looked at
// before the search.
func (o *ordered[T]) find(seq uint64) (span T, i int) {
	var none T
	if o.start == len(o.entries) || seq < o.entries[o.start].first {
		return none, 0
	}
	if span = o.entries[o.start].span; seq < span.next() {
		return span, o.start
	}
	i = o.search(seq)
	if span = o.entries[i].span; span != none && seq < span.next() {
		return span, i
	}
	return none, 0
}

// search returns the index of the last entry that begins at or before seq, start if all begin after it.
func (o *ordered[T]) search(seq uint64) int {
	lo, hi := o.start, len(o.entries)
	for hi-lo > 1 {
		if mid := int(uint(lo+hi) >> 1); o.entries[mid].first <= seq {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

// fill puts span, which begins at first, into the hole i. It may begin before the hole did, if there are only holes in
// between, but everything behind must begin after all that it holds.
func (o *ordered[T]) fill(i int, first uint64, span T) {
	o.holes--
	o.entries[i] = orderedEntry[T]{first, span}
	for i--; i >= 0 && o.entries[i].first > first; i-- {
		o.entries[i].first = first
	}
}

func (o *ordered[T]) remove(i int) {
	o.clear(i)
	o.tidy()
}

// clear makes entry i a hole; tidy has to follow. Between the two a loop over the spans may go on.
func (o *ordered[T]) clear(i int) {
	var none T
	o.entries[i].span = none
	o.holes++
}

func (o *ordered[T]) tidy() {
	var none T
	if 2*o.holes >= len(o.entries) {
		o.entries = slices.DeleteFunc(o.entries, func(e orderedEntry[T]) bool { return e.span == none })
		o.start, o.holes = 0, 0
		return
	}
	for o.start < len(o.entries) && o.entries[o.start].span == none {
		o.start++
	}
}

// after lists the spans that may hold sequence numbers from seq on, with their indexes. A span that was yielded
// may be replaced by the caller, or cleared.
func (o *ordered[T]) after(seq uint64) iter.Seq2[int, T] {
	return func(yield func(int, T) bool) {
		var none T
		if o.start == len(o.entries) {
			return
		}
		for i := o.search(seq); i < len(o.entries); i++ {
			if span := o.entries[i].span; span != none && span.next() > seq && !yield(i, span) {
				return
			}
		}
	}
}

// all lists the spans in order, as after does.
func (o *ordered[T]) all() iter.Seq2[int, T] { return o.after(0) }
