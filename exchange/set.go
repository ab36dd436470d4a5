package exchange

// set finds duplicates in a growing slice that its owner keeps. Short slices are compared from end to end, longer ones
// by a map, which is kept for the next use.
type set[T comparable] struct {
	members map[T]struct{} // all of the slice once it is longer than setScan, else empty
	room    int            // most members the map ever had, since a map keeps its size
}

// setScan is the length up to which comparing is faster than hashing.
const setScan = 16

// add reports whether value is not among the members, which are all that add has accepted since the last reset, maybe
// after a first part without duplicates. The caller then appends it.
func (s *set[T]) add(members []T, value T) bool {
	if len(members) <= setScan {
		for i := range members {
			if members[i] == value {
				return false
			}
		}
		return true
	}
	if len(s.members) < len(members) {
		if s.members == nil {
			s.members = make(map[T]struct{}, 4*setScan)
		}
		for _, m := range members {
			s.members[m] = struct{}{}
		}
	}
	if _, ok := s.members[value]; ok {
		return false
	}
	s.members[value] = struct{}{}
	return true
}

// reset forgets all members. A map that has become far too large for what it is used for is dropped, because emptying
// it costs its size.
func (s *set[T]) reset() {
	n := len(s.members)
	if n == 0 {
		return
	}
	s.room = max(s.room, n)
	if s.room > 4096 && n < s.room/64 {
		s.members, s.room = nil, 0
		return
	}
	clear(s.members)
}
