package queue

import "iter"

// subscribers are the subscriptions of a queue. One that goes leaves a gap in the list; the gaps are closed when they are
// more than what is left. So it costs the same to go however many there are, and a connection that ends with 100,000
// consumers does not keep others from the queue.
type subscribers struct {
	list  []*Subscription // by arrival; nil for a gap
	count int
}

func (l *subscribers) add(s *Subscription) {
	s.place = len(l.list)
	l.list = append(l.list, s)
	l.count++
}

func (l *subscribers) remove(s *Subscription) {
	l.list[s.place] = nil
	if l.count--; len(l.list) <= 2*l.count {
		return
	}
	kept := l.list[:0]
	for s := range l.all() {
		s.place = len(kept)
		kept = append(kept, s)
	}
	clear(l.list[len(kept):])
	l.list = kept
}

// all yields the subscriptions in the order in which they came.
func (l *subscribers) all() iter.Seq[*Subscription] {
	return func(yield func(*Subscription) bool) {
		for _, s := range l.list {
			if s != nil && !yield(s) {
				return
			}
		}
	}
}
