package queue

import "slices"

// rings orders the subscriptions that can take a message: one ring for each consumer priority, the highest first.
// A ring is a circular list through the subscriptions themselves, head first; to send the head to the back is to
// step on.
type rings struct {
	levels []*level // by falling priority; kept while a subscription of that priority exists
	top    *level   // the highest with a subscription in its ring; nil if there is none
}

type level struct {
	priority      int64
	head          *Subscription // nil: the ring is empty
	subscriptions int           // of this priority, in the ring or parked
}

// join makes s, which is new, a member of its level. It is parked.
func (r *rings) join(s *Subscription) {
	i, found := slices.BinarySearchFunc(r.levels, s.priority, func(l *level, priority int64) int {
		switch {
		case l.priority > priority:
			return -1
		case l.priority < priority:
			return 1
		}
		return 0
	})
	if !found {
		r.levels = slices.Insert(r.levels, i, &level{priority: s.priority})
	}
	s.level = r.levels[i]
	s.level.subscriptions++
}

// leave ends the membership of s.
func (r *rings) leave(s *Subscription) {
	r.park(s)
	if s.level.subscriptions--; s.level.subscriptions == 0 {
		i := slices.Index(r.levels, s.level)
		r.levels = slices.Delete(r.levels, i, i+1)
	}
}

// enter puts s at the back of its ring. It changes nothing if s stands there.
func (r *rings) enter(s *Subscription) {
	if s.next != nil {
		return
	}
	l := s.level
	if l.head == nil {
		s.next, s.prev = s, s
		l.head = s
		if r.top == nil || l.priority > r.top.priority {
			r.top = l
		}
		return
	}
	s.next, s.prev = l.head, l.head.prev
	s.prev.next, s.next.prev = s, s
}

// park takes s out of its ring. It changes nothing if s is out.
func (r *rings) park(s *Subscription) {
	if s.next == nil {
		return
	}
	l := s.level
	if s.next == s {
		l.head = nil
	} else {
		s.prev.next, s.next.prev = s.next, s.prev
		if l.head == s {
			l.head = s.next
		}
	}
	s.next, s.prev = nil, nil
	if l.head == nil && r.top == l {
		r.top = r.highest()
	}
}

func (r *rings) highest() *level {
	for _, l := range r.levels {
		if l.head != nil {
			return l
		}
	}
	return nil
}
