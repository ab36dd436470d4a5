package exchange

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
type targets struct {
	queues    list[Queue]
	exchanges list[*Exchange]
}

func (t *targets) add(d Destination) {
	if d.Exchange != nil {
		t.exchanges.add(d.Exchange)
	} else {
		t.queues.add(d.Queue)
	}
}

func (t *targets) remove(d Destination) {
	if d.Exchange != nil {
		t.exchanges.remove(d.Exchange)
	} else {
		t.queues.remove(d.Queue)
	}
}

// empty tells the writer that nothing is left; readers have no use for it.
func (t *targets) empty() bool { return t.queues.len() == 0 && t.exchanges.len() == 0 }
