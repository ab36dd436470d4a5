package broker

import (
	"sync/atomic"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/dedup"
	"github.com/warren-mq/warren/exchange"
	"github.com/warren-mq/warren/queue"
)

// deduplication is the window of a queue or an exchange (x-dedup-window): what came into it and must not come again.
//
// Lock order: vhost → deduplication → queue.
type deduplication struct {
	broker *Broker
	header string // names messages; "": their property message-id does
	dead   bool   // duplicates are dead-lettered
	plugin bool   // as the community plugin; see exchange.Deduplication
	id     uint64 // names the rows in the store; 0: the window is in memory only

	duplicates atomic.Uint64

	mu     queue.WindowLock
	window *dedup.Window // guarded by mu

	// Guarded by mu: what the store has, in rows, and what it is still to be given.
	rows    []dedupRow
	nextRow uint64
	levels  [2]rowLevel // the last rows: those of the second, then those of the first
	unsaved []uint64    // positions, rising
	ended   bool        // nothing is saved any more

	// inFlight are identities that were added for messages whose fate is not known yet; only exchanges have some.
	// Guarded by mu.
	inFlight map[dedup.ID]flight

	// For one call of publish; guarded by mu.
	fresh  []int32
	placed []placed
}

// placed is a message of a batch and its place in the window.
type placed struct {
	index    int32
	position uint64
}

func (b *Broker) newDeduplication(o dedup.Options) *deduplication {
	return &deduplication{broker: b, header: o.Header, dead: o.DeadLetter, window: dedup.New(o.Span, o.Count)}
}

// identify returns the identity of a message, if it has one.
func (d *deduplication) identify(m *queue.Message) (dedup.ID, bool) {
	var props amqp.Properties
	if props.Decode(m.Properties) != nil {
		return dedup.ID{}, false // cannot be: it was checked when it came in
	}
	return dedup.Identify(&props, d.header)
}

// publish gives those messages to q that were not there before. Look-up, enqueue and the entries in the store are one:
// nobody else's duplicate comes between, and all of it is part of one commit. What q refuses was never there.
//
// A duplicate is dealt with: its confirm says that the first is safe, so it waits for the commit that holds that one,
// which is this or an earlier one.
func (d *deduplication) publish(q *Queue, now int64, msgs []queue.Message, idx []int32, fx *Effects) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fresh, d.placed = d.fresh[:0], d.placed[:0]
	for _, i := range idx {
		m := &msgs[i]
		id, ok := d.identify(m)
		if !ok {
			d.fresh = append(d.fresh, i)
			continue
		}
		position, fresh := d.window.Add(id, now, 0)
		if !fresh {
			d.duplicate(q, m, fx)
			continue
		}
		d.fresh = append(d.fresh, i)
		d.placed = append(d.placed, placed{i, position})
	}
	if len(d.fresh) == 0 {
		return
	}
	refused := len(fx.Refused)
	q.Queue.Publish(now, msgs, d.fresh, &fx.Effects)
	for _, p := range d.placed {
		if contains(fx.Refused[refused:], p.index) {
			d.window.Forget(p.position)
		} else if d.id != 0 && q.Keeps(&msgs[p.index]) {
			d.unsaved = append(d.unsaved, p.position)
		}
	}
	d.saveLocked()
}

func contains(list []int32, value int32) bool {
	for _, v := range list {
		if v == value {
			return true
		}
	}
	return false
}

// duplicate counts a duplicate and dead-letters it if that is wanted.
func (d *deduplication) duplicate(q *Queue, m *queue.Message, fx *Effects) {
	d.duplicates.Add(1)
	if q.Keeps(m) {
		fx.Durable, fx.Earlier = max(fx.Durable, q.Durability()), true
	}
	if d.dead {
		fx.DeadLetters = append(fx.DeadLetters, queue.DeadLetter{Reason: queue.Duplicate, Message: ownMessage(m)})
	}
}

// DedupFigures are what listings show of a window.
type DedupFigures struct {
	Entries    int
	Duplicates uint64
}

func (d *deduplication) figures() DedupFigures {
	d.mu.Lock()
	defer d.mu.Unlock()
	return DedupFigures{Entries: d.window.Len(), Duplicates: d.duplicates.Load()}
}

// Dedup returns the figures of the queue's window, if it has one.
func (q *Queue) Dedup() (f DedupFigures, ok bool) {
	if q.dedup == nil {
		return f, false
	}
	return q.dedup.figures(), true
}

// Dedup returns the figures of an exchange's window, zero if it has none.
func (vh *VHost) Dedup(x *exchange.Exchange) (f DedupFigures) {
	if d := vh.windowOfExchange(x); d != nil {
		f = d.figures()
	}
	return f
}
