package crash_test

import (
	"fmt"
	"slices"
	"sync"
)

// ledger is what the traffic's clients were told and have said: the intent before, the result after.
type ledger struct {
	mu        sync.Mutex // guards everything
	shipments map[messageID]*shipment
	sources   map[int][]messageID // in the order in which they were sent
	volatile  volatile
	clock     int  // counts what happens to the volatile queue, and confirms
	stopping  bool // the broker takes leave, and does not read every ack
}

// shipment is a message on its way to one or more of trafficQueues.
type shipment struct {
	queues      uint // a bit for each of trafficQueues
	confirmed   bool
	confirmedAt int
	acked       uint // bits: it was sent that the message may go
	proven      uint // bits: and that is durable
}

// allQueues stands for all of trafficQueues.
const allQueues = 1<<3 - 1

// volatile is the queue that comes and goes.
type volatile struct {
	exists, bound bool
	uncertain     bool // an operation was begun and has no answer
	emptiedAt     int  // what was confirmed before is not in it any more
}

func newLedger() *ledger {
	return &ledger{shipments: map[messageID]*shipment{}, sources: map[int][]messageID{}}
}

func queueBit(queue string) uint { return 1 << slices.Index(trafficQueues, queue) }

func (l *ledger) publish(id messageID, queues uint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shipments[id] = &shipment{queues: queues}
	l.sources[id.source()] = append(l.sources[id.source()], id)
}

func (l *ledger) confirm(id messageID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clock++
	s := l.shipments[id]
	s.confirmed, s.confirmedAt = true, l.clock
}

// deliver says whether a message may be delivered from a queue.
func (l *ledger) deliver(id messageID, queue string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, bit := l.shipments[id], queueBit(queue)
	switch {
	case s == nil:
		return fmt.Errorf("message %s is delivered, which was gone long ago or never published", id)
	case s.queues&bit == 0:
		return fmt.Errorf("message %s is delivered, which was not for this queue", id)
	case s.acked&bit != 0 && !l.stopping:
		return fmt.Errorf("message %s is delivered after it was acknowledged", id)
	}
	return nil
}

// stop notes that the broker is about to be stopped in good order: messages whose ack it does not read any more may go
// to a consumer whose connection is not closed yet.
func (l *ledger) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopping = true
}

func (l *ledger) ack(id messageID, queue string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shipments[id].acked |= queueBit(queue)
}

func (l *ledger) prove(id messageID, queue string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shipments[id].proven |= queueBit(queue)
}

type volatileOperation int

const (
	volatileDeclare volatileOperation = iota
	volatileDelete
)

// begin notes an operation on the volatile queue, and end its answer.
func (l *ledger) begin(o volatileOperation) (end func(error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clock++
	began := l.clock
	l.volatile.uncertain = true
	return func(err error) {
		if err != nil {
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		v := &l.volatile
		v.uncertain = false
		if v.exists, v.bound = o == volatileDeclare, o == volatileDeclare; !v.exists {
			v.emptiedAt = began
		}
	}
}

func (l *ledger) mayPurge() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.volatile.exists && !l.volatile.uncertain
}

// audit compares what was found with what was promised, and takes it for the truth from now on.
func (l *ledger) audit(v *survey, r *report) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopping = false
	there := map[messageID]uint{}
	for i, queue := range trafficQueues {
		for _, m := range v.queues[queue] {
			there[m.id] |= 1 << i
			switch s := l.shipments[m.id]; {
			case s == nil:
				r.violation("%s: message %s is there, which was gone long ago or never published", queue, m.id)
			case s.queues&(1<<i) == 0:
				r.violation("%s: message %s is there, which was not for this queue", queue, m.id)
			case s.proven&(1<<i) != 0:
				r.violation("%s: message %s is back, whose ack was durable", queue, m.id)
			}
		}
	}
	for source, ids := range l.sources {
		l.auditSource(ids, there, r)
		l.sources[source] = slices.DeleteFunc(ids, func(id messageID) bool { return there[id] == 0 })
		if len(l.sources[source]) == 0 {
			delete(l.sources, source)
		}
	}
	l.auditVolatile(v, r)
	for id, s := range l.shipments {
		if there[id] == 0 {
			delete(l.shipments, id)
			continue
		}
		s.confirmed, s.acked, s.proven = true, s.queues&^there[id], s.queues&^there[id]
	}
}

// auditSource looks for what one publisher sent: what was confirmed, what was sent before something that is there, and
// what is in one of several queues, must be in all its queues, unless it was acked there.
func (l *ledger) auditSource(ids []messageID, there map[messageID]uint, r *report) {
	last := -1
	for i, id := range ids {
		if there[id] != 0 {
			last = i
		}
	}
	for i, id := range ids {
		s := l.shipments[id]
		missing := s.queues &^ there[id] &^ s.acked
		switch {
		case !id.persistent() || missing == 0:
		case s.confirmed:
			r.violation("LOST: message %s, which was confirmed, is not in queues %03b of %03b", id, missing, s.queues)
		case there[id] != 0:
			r.violation("message %s is not in queues %03b of %03b, but in others", id, missing, s.queues)
		case i < last:
			r.violation("message %s is not in queues %03b, but %s is there, which was sent later", id, missing, ids[last])
		}
	}
}

func (l *ledger) auditVolatile(v *survey, r *report) {
	messages, exists := v.queues[trafficVolatile]
	bound := v.bindings[worldBinding{trafficAll, trafficVolatile, ""}]
	s := &l.volatile
	if !s.uncertain && (exists != s.exists || bound != s.bound) {
		r.violation("%s: there %v, bound %v; should be %v, %v", trafficVolatile, exists, bound, s.exists, s.bound)
	}
	for _, m := range messages {
		switch shipment := l.shipments[m.id]; {
		case shipment == nil:
			// It was acked everywhere else before an earlier look.
		case shipment.queues != allQueues:
			r.violation("%s: message %s is there, which was not for this queue", trafficVolatile, m.id)
		case shipment.confirmedAt != 0 && shipment.confirmedAt < s.emptiedAt:
			r.violation("%s: message %s is there, which was confirmed before the queue was deleted", trafficVolatile, m.id)
		}
	}
	s.exists, s.bound, s.uncertain = exists, bound, false
	for i, queue := range trafficQueues {
		if _, ok := v.queues[queue]; !ok || !v.bindings[worldBinding{trafficAll, queue, ""}] {
			r.violation("queue %d, %s, or its binding is gone", i, queue)
		}
	}
}
