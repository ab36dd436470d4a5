package broker

import (
	"slices"
	"sync"

	"github.com/warren-mq/warren/exchange"
	"github.com/warren-mq/warren/queue"
)

// forwardDiscards publishes what a queue that dead-letters at least once has given up, and returns how many messages it
// has looked at. A message stays with the queue while the dead-letter exchange is missing, nothing is routed to, or a
// queue that it goes to refuses it (RabbitMQ 3.10.8 behaviour); it leaves in the commit in which the last of them gets
// it.
func (q *Queue) forwardDiscards(now int64, fx *Effects) (n int) {
	vh := q.vhost
	count := &vh.broker.Totals.DeadLettered
	name, _ := q.DeadLetterExchange()
	router := &exchange.Router{Now: vh.broker.nowMillis, Lookup: vh.lookupExchange}
	q.ForwardDiscards(now, func(m *queue.Discard) bool {
		n++
		if m.First {
			count.Add(q.Type(), AtLeastOnce, m.Reason, 1)
		}
		x, ok := vh.Exchange(name)
		if !ok || !q.forward(now, m, x, router, fx) {
			return false
		}
		count.Confirmed.Add(1)
		return true
	}, &fx.Effects)
	vh.stuck.note(q, q.Stats().Discarded > 0)
	q.collect(fx)
	return n
}

// forward publishes one message and reports whether all have it that it goes to.
func (q *Queue) forward(now int64, m *queue.Discard, x *exchange.Exchange, router *exchange.Router, fx *Effects) bool {
	vh := q.vhost
	d := death{queue: q.Name(), reason: m.Reason, time: m.DiedAt / 1000, msg: &m.Message, again: !m.First}
	if key, fixed := q.DeadLetterRoutingKey(); fixed {
		d.key = &key
	}
	if err := d.examine(); err != nil {
		// The properties were checked when the message came in, so the record must have been damaged since.
		vh.broker.cfg.Logger.Error().Err(err).Str("queue", q.Name()).Msg("a dead message cannot be read and is dropped")
		return true
	}
	out, targets := d.route(vh, x, router, fx)
	pending := false
	by, _ := router.Delayed()
	for _, x := range by {
		// It has the message from then on. Not a queue's name: those do not begin so.
		if mark := "\x00" + x.Name(); !slices.Contains(m.Taken, mark) && vh.holdBack(x, router, out, now, fx) {
			m.Taken = append(m.Taken, mark)
		}
	}
	for _, to := range targets {
		target := to.(*Queue)
		switch {
		case slices.Contains(m.Taken, target.Name()):
		case d.circles(target.Name()):
			if m.First {
				d.warnCircle(vh, target)
			}
		// A queue that is deleted takes nothing, and says nothing either.
		case !target.Closed() && give(target, out, now, fx) && !target.Closed():
			m.Taken = append(m.Taken, target.Name())
		default:
			pending = true
		}
	}
	return len(m.Taken) > 0 && !pending
}

// stuck are the queues of a vhost with dead letters that nobody takes. The zero value is empty.
type stuck struct {
	mu     sync.Mutex // a leaf
	queues map[*Queue]struct{}
}

func (s *stuck) note(q *Queue, stuck bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !stuck:
		delete(s.queues, q)
	case s.queues == nil:
		s.queues = map[*Queue]struct{}{q: {}}
	default:
		s.queues[q] = struct{}{}
	}
}

// list returns the queues, nil if there are none.
func (s *stuck) list() (list []*Queue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for q := range s.queues {
		list = append(list, q)
	}
	return list
}

// retryDiscards has everything tried again that could not be dead-lettered, since the topology has changed.
func (vh *VHost) retryDiscards() {
	list := vh.stuck.list()
	if list == nil {
		return
	}
	now := vh.broker.nowMillis()
	for _, q := range list {
		if q.RetryDiscards(now) {
			q.wakeAt(now)
		}
	}
}
