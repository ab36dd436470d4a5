package exchange

import "sync/atomic"

const (
	// chunkLength bounds what one removal copies (two chunks), and with it the outer slice that one addition copies
	// (a header per chunk): near the square root of the largest sets worth having, 100,000 and more.
	chunkLength = 512

	// scanLength is the number of values up to which a search from end to end is cheaper than keeping a map.
	scanLength = 32
)

// list is a set of values in no particular order, walked by any number of readers while one writer changes it.
//
// The writer publishes a new view for every change. What a view shows is never written again: an addition goes into
// spare capacity behind what older views can see, a removal works on copies of the chunks it touches. So a reader that
// holds an old view goes on undisturbed. Additions and removals cost O(chunkLength + n/chunkLength).
//
// The zero value is an empty list.
type list[T comparable] struct {
	published atomic.Pointer[view[T]]
	position  map[T]int // where each value stands; the writer's, nil while the list is short
}

// view is what readers see: the values of first, then of each chunk in rest. All chunks before the last are full.
// Most lists hold one value, hence a first chunk without the detour.
type view[T comparable] struct {
	first []T
	rest  [][]T
}

// view returns the current state for reading, nil when the list is empty.
func (l *list[T]) view() *view[T] { return l.published.Load() }

func (v *view[T]) len() int {
	switch {
	case v == nil:
		return 0
	case len(v.rest) == 0:
		return len(v.first)
	}
	return len(v.rest)*chunkLength + len(v.rest[len(v.rest)-1])
}

func (v *view[T]) chunk(i int) []T {
	if i == 0 {
		return v.first
	}
	return v.rest[i-1]
}

func (l *list[T]) len() int { return l.view().len() }

// add puts value into the list, which must not hold it. Writer only.
func (l *list[T]) add(value T) {
	old := l.view()
	n := old.len()
	if l.position != nil {
		l.position[value] = n
	}
	next := new(view[T])
	if old != nil {
		*next = *old
	}
	switch at := n / chunkLength; {
	case at == 0:
		next.first = append(next.first, value)
	case at > len(next.rest):
		next.rest = appendCopy(next.rest, append(make([]T, 0, chunkLength), value))
	default:
		next.rest = appendCopy(next.rest[:at-1], append(next.rest[at-1], value))
	}
	l.published.Store(next)
	if l.position == nil && n+1 > scanLength {
		l.startPositions()
	}
}

// remove takes value out and reports whether it was there. The last value moves into its place. Writer only.
func (l *list[T]) remove(value T) bool {
	old := l.view()
	at := l.find(old, value)
	if at < 0 {
		return false
	}
	last := old.len() - 1
	if last == 0 {
		l.published.Store(nil) // readers take a view as a sign that there is something
		l.position = nil
		return true
	}
	hole, tail := at/chunkLength, last/chunkLength
	moved := old.chunk(tail)[last%chunkLength]

	next := &view[T]{first: old.first, rest: append([][]T(nil), old.rest...)}
	replace := func(i int, chunk []T) {
		if i == 0 {
			next.first = chunk
		} else {
			next.rest[i-1] = chunk
		}
	}
	if hole != tail {
		filled := append([]T(nil), old.chunk(hole)...)
		filled[at%chunkLength] = moved
		replace(hole, filled)
	}
	// The tail is copied too: its spare place would otherwise be written by the next addition under a reader's eyes.
	rest := append([]T(nil), old.chunk(tail)[:last%chunkLength]...)
	if hole == tail && at != last {
		rest[at%chunkLength] = moved
	}
	replace(tail, rest)
	if tail > 0 && len(rest) == 0 {
		next.rest = next.rest[:tail-1]
	}
	l.published.Store(next)

	if l.position != nil {
		l.position[moved] = at
		delete(l.position, value)
	}
	return true
}

// find returns the position of value in v, the current view, or -1.
func (l *list[T]) find(v *view[T], value T) int {
	if l.position != nil {
		if at, ok := l.position[value]; ok {
			return at
		}
		return -1
	}
	if v != nil {
		for i := range v.first {
			if v.first[i] == value {
				return i
			}
		}
	}
	return -1
}

// startPositions begins to keep track of where values stand, once the list is too long to search.
func (l *list[T]) startPositions() {
	v := l.view()
	l.position = make(map[T]int, 2*len(v.first))
	for i, value := range v.first {
		l.position[value] = i
	}
}

// appendCopy appends to a copy, so that readers of the old outer slice see no change.
func appendCopy[T any](outer [][]T, chunk []T) [][]T {
	next := make([][]T, len(outer)+1)
	copy(next, outer)
	next[len(outer)] = chunk
	return next
}
