package broker

import (
	"iter"

	"github.com/warren-mq/warren/exchange"
)

// sources counts the bindings that lead to one destination, by source. Most have one source, and there may be very many
// destinations, hence a place for it without a map. The zero value is empty; it is kept by value.
type sources struct {
	one   *exchange.Exchange // nil: there is none, and count is 0
	count int
	more  map[*exchange.Exchange]int // those beside one
}

// plus returns s with n bindings from x more, or less; it may share the map with s.
func (s sources) plus(x *exchange.Exchange, n int) sources {
	switch {
	case s.one == x || s.one == nil && s.more[x] == 0:
		if s.one, s.count = x, s.count+n; s.count <= 0 {
			s.one, s.count = nil, 0
		}
		return s
	case s.more == nil:
		s.more = make(map[*exchange.Exchange]int, 1)
	}
	if s.more[x] += n; s.more[x] <= 0 {
		delete(s.more, x)
	}
	return s
}

func (s sources) none() bool { return s.one == nil && len(s.more) == 0 }

// all yields each source once.
func (s sources) all() iter.Seq[*exchange.Exchange] {
	return func(yield func(*exchange.Exchange) bool) {
		if s.one != nil && !yield(s.one) {
			return
		}
		for x := range s.more {
			if !yield(x) {
				return
			}
		}
	}
}
