package exchange

import "iter"

// pointers is a set of values that are found by a hash of what they say, which costs a word or two for each where a map
// with a key would cost many. Open addressing: a value stands at the first free slot from its place on. Writer only.
//
// The zero value is an empty set.
type pointers[T any] struct {
	slots []*T // the length is a power of two
	count int
}

// at yields the values that may have the place: the caller compares.
func (s *pointers[T]) at(place uint64) iter.Seq[*T] {
	return func(yield func(*T) bool) {
		if len(s.slots) == 0 {
			return
		}
		for i := s.slot(place); s.slots[i] != nil; i = s.slot(i + 1) {
			if !yield(s.slots[i]) {
				return
			}
		}
	}
}

func (s *pointers[T]) slot(place uint64) uint64 { return place & uint64(len(s.slots)-1) }

// add puts in a value that is not there. place tells the place of any value.
func (s *pointers[T]) add(v *T, place func(*T) uint64) {
	if s.count >= len(s.slots)/4*3 {
		s.resize(max(4, 2*len(s.slots)), place)
	}
	s.put(v, place(v))
	s.count++
}

func (s *pointers[T]) put(v *T, place uint64) {
	i := s.slot(place)
	for s.slots[i] != nil {
		i = s.slot(i + 1)
	}
	s.slots[i] = v
}

// remove takes out a value that is there. Those behind it that could not stand nearer to their places move up.
func (s *pointers[T]) remove(v *T, place func(*T) uint64) {
	hole := s.slot(place(v))
	for s.slots[hole] != v {
		hole = s.slot(hole + 1)
	}
	s.count--
	for i := s.slot(hole + 1); s.slots[i] != nil; i = s.slot(i + 1) {
		if home := place(s.slots[i]); s.slot(i-home) >= s.slot(i-hole) {
			s.slots[hole], hole = s.slots[i], i
		}
	}
	s.slots[hole] = nil
	switch {
	case s.count == 0:
		s.slots = nil
	case s.count < len(s.slots)/8:
		s.resize(len(s.slots)/4, place)
	}
}

func (s *pointers[T]) resize(size int, place func(*T) uint64) {
	old := s.slots
	s.slots = make([]*T, size)
	for _, v := range old {
		if v != nil {
			s.put(v, place(v))
		}
	}
}
