package exchange

import "sync/atomic"

// Queue is a destination that keeps messages; the broker's queue implements it. Queues are compared by identity, so
// the dynamic type must be comparable, in practice a pointer.
type Queue interface{ Name() string }

// Destination is one end of a binding. Exactly one of the fields is set.
type Destination struct {
	Exchange *Exchange
	Queue    Queue
}

// Name returns the name of the queue or exchange.
func (d Destination) Name() string {
	if d.Exchange != nil {
		return d.Exchange.Name()
	}
	return d.Queue.Name()
}

// targets is a set of destinations as routing wants it, free of duplicates. Same rules for callers as list.
//
// Most sets have one member. They all point at what the books of the exchange have of it, so that they cost nothing
// beside the pointer, and a hundred thousand keys that lead to ten queues are routed from ten places in memory.
type targets struct {
	published atomic.Pointer[target] // nil: there is none
}

// target is one destination or several. It does not change, but for the lists.
type target struct {
	Destination
	several *several // if not nil, Destination says nothing
}

type several struct {
	queues    list[Queue]
	exchanges list[*Exchange]
}

// add adds the one destination of t, which the set keeps.
func (s *targets) add(t *target) {
	switch before := s.published.Load(); {
	case before == nil:
		s.published.Store(t)
	case before.several == nil:
		both := new(several)
		both.add(before.Destination)
		both.add(t.Destination)
		s.published.Store(&target{several: both})
	default:
		before.several.add(t.Destination)
	}
}

// remove takes out the destination of t, which is there.
func (s *targets) remove(t *target) {
	before := s.published.Load()
	if before.several != nil {
		before.several.remove(t.Destination)
		if before.several.len() > 0 {
			return
		}
	}
	s.published.Store(nil)
}

// empty tells the writer that nothing is left; readers have no use for it.
func (s *targets) empty() bool { return s.published.Load() == nil }

func (s *several) add(d Destination) {
	if d.Exchange != nil {
		s.exchanges.add(d.Exchange)
	} else {
		s.queues.add(d.Queue)
	}
}

func (s *several) remove(d Destination) {
	if d.Exchange != nil {
		s.exchanges.remove(d.Exchange)
	} else {
		s.queues.remove(d.Queue)
	}
}

func (s *several) len() int { return s.queues.len() + s.exchanges.len() }
