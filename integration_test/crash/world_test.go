package crash_test

import (
	"hash/maphash"
	"slices"
)

// world is what a client that is alone with its queues knows of them: the state after the last thing that it asked
// for, whether the broker has come that far or not.
type world struct {
	queues    map[string]*worldQueue
	exchanges map[string]*worldExchange
	bindings  map[worldBinding]bool

	unacked []*worldDelivery // in order of their tags
	lastTag uint64

	// In a transaction: what waits for the commit.
	publishes []worldPublish
	settled   []worldSettlement

	// killsOnly says that what the operating system has is never lost.
	killsOnly bool

	// changed is told of every change of what must survive a stop.
	changed func(f fact, present bool)
}

type worldQueue struct {
	*queueKind
	name               string
	durable, exclusive bool
	deleted            bool
	messages           []*worldMessage // in order, those that are unacknowledged too
}

type worldMessage struct {
	id        messageID
	unacked   bool
	delivered bool // the next delivery has to be flagged
	old       bool // it was there when the broker started
	unsure    bool // the next delivery may be flagged: a broker that was killed may have delivered it
}

type worldExchange struct {
	name, kind string
	durable    bool
}

type worldBinding struct{ exchange, queue, key string }

// worldDelivery is a message that was got and not settled.
type worldDelivery struct {
	tag     uint64
	queue   *worldQueue
	message *worldMessage
}

type worldPublish struct {
	id       messageID
	queues   []*worldQueue
	returned bool
}

type worldSettlement struct {
	deliveries []*worldDelivery
	what       outcome
}

type outcome int

const (
	acked outcome = iota
	rejected
	requeued
)

// fact is one thing that can be found after a stop: a message in a queue, or a definition.
type fact struct {
	kind  byte // m, q, x or b
	place string
	other string
	id    messageID
}

var factSeed = maphash.MakeSeed()

// hash lets sets of facts be compared by the sum of their hashes.
func (f fact) hash() uint64 { return maphash.Comparable(factSeed, f) }

func newWorld(changed func(fact, bool)) *world {
	return &world{
		queues: map[string]*worldQueue{}, exchanges: map[string]*worldExchange{}, bindings: map[worldBinding]bool{},
		changed: changed,
	}
}

func (q *worldQueue) ready() (n int) {
	for _, m := range q.messages {
		if !m.unacked {
			n++
		}
	}
	return n
}

func (q *worldQueue) head() (first *worldMessage) {
	for _, m := range q.messages {
		if !m.unacked && (first == nil || q.priorities && m.id.priority() > first.id.priority()) {
			first = m
		}
	}
	return first
}

func (q *worldQueue) bytes() (n int) {
	for _, m := range q.messages {
		n += m.id.size()
	}
	return n
}

// keeps says whether a message in the queue survives a stop.
func (q *worldQueue) keeps(id messageID) bool { return q.durable && (q.quorum || id.persistent()) }

func (w *world) messageFact(q *worldQueue, id messageID, present bool) {
	if q.keeps(id) {
		w.changed(fact{kind: 'm', place: q.name, id: id}, present)
	}
}

func (w *world) declareQueue(name string, durable, exclusive bool) *worldQueue {
	if q := w.queues[name]; q != nil {
		return q
	}
	q := &worldQueue{queueKind: kindOfQueue(name), name: name, durable: durable && !exclusive, exclusive: exclusive}
	w.queues[name] = q
	if q.durable {
		w.changed(fact{kind: 'q', place: name}, true)
	}
	return q
}

func (w *world) deleteQueue(q *worldQueue) {
	for _, m := range q.messages {
		w.messageFact(q, m.id, false)
	}
	for b := range w.bindings {
		if b.queue == q.name {
			w.unbind(b)
		}
	}
	q.messages, q.deleted = nil, true
	delete(w.queues, q.name)
	if q.durable {
		w.changed(fact{kind: 'q', place: q.name}, false)
	}
}

func (w *world) purge(q *worldQueue) (n int) {
	q.messages = slices.DeleteFunc(q.messages, func(m *worldMessage) bool {
		if !m.unacked {
			w.messageFact(q, m.id, false)
			n++
		}
		return !m.unacked
	})
	return n
}

func (w *world) declareExchange(name, kind string, durable bool) {
	if w.exchanges[name] == nil {
		w.exchanges[name] = &worldExchange{name, kind, durable}
		if durable {
			w.changed(fact{kind: 'x', place: name}, true)
		}
	}
}

func (w *world) deleteExchange(x *worldExchange) {
	for b := range w.bindings {
		if b.exchange == x.name {
			w.unbind(b)
		}
	}
	delete(w.exchanges, x.name)
	if x.durable {
		w.changed(fact{kind: 'x', place: x.name}, false)
	}
}

func (w *world) bindingFact(b worldBinding, present bool) {
	if w.exchanges[b.exchange].durable && w.queues[b.queue].durable {
		w.changed(fact{kind: 'b', place: b.exchange, other: b.queue + " " + b.key}, present)
	}
}

func (w *world) bind(b worldBinding) {
	if !w.bindings[b] {
		w.bindings[b] = true
		w.bindingFact(b, true)
	}
}

func (w *world) unbind(b worldBinding) {
	if w.bindings[b] {
		delete(w.bindings, b)
		w.bindingFact(b, false)
	}
}

// route finds the queues that a publish goes to, in order of their names.
func (w *world) route(exchange, key string) (to []*worldQueue) {
	if exchange == "" {
		if q := w.queues[key]; q != nil {
			to = append(to, q)
		}
		return to
	}
	x := w.exchanges[exchange]
	for name, q := range w.queues {
		for b := range w.bindings {
			if b.exchange == exchange && b.queue == name && (x.kind == "fanout" || b.key == key) {
				to = append(to, q)
				break
			}
		}
	}
	return to
}

// publish says whether a confirm will prove that the message is kept.
func (w *world) publish(id messageID, to []*worldQueue) (proof bool) {
	for _, q := range to {
		if q.deleted {
			continue
		}
		q.messages = append(q.messages, &worldMessage{id: id})
		w.messageFact(q, id, true)
		proof = proof || q.keeps(id) && (q.synced || w.killsOnly)
	}
	return proof
}

// get takes the head of a queue, nil if there is none.
func (w *world) get(q *worldQueue, noAck bool) (m *worldMessage, tag uint64, redelivered bool) {
	m = q.head()
	if m == nil {
		return nil, 0, false
	}
	w.lastTag++
	redelivered, m.delivered = m.delivered, true
	if noAck {
		w.remove(q, m)
	} else {
		m.unacked = true
		w.unacked = append(w.unacked, &worldDelivery{w.lastTag, q, m})
	}
	return m, w.lastTag, redelivered
}

func (w *world) remove(q *worldQueue, m *worldMessage) {
	if i := slices.Index(q.messages, m); i >= 0 { // else its queue was deleted
		q.messages = slices.Delete(q.messages, i, i+1)
		w.messageFact(q, m.id, false)
	}
}

// take takes deliveries off the unacknowledged ones: that with this tag, or all up to it.
func (w *world) take(tag uint64, multiple bool) (taken []*worldDelivery) {
	w.unacked = slices.DeleteFunc(w.unacked, func(d *worldDelivery) bool {
		if d.tag == tag || multiple && d.tag <= tag {
			taken = append(taken, d)
			return true
		}
		return false
	})
	return taken
}

func (w *world) settle(s worldSettlement) {
	for _, d := range s.deliveries {
		if s.what == requeued {
			d.message.unacked = false
			continue
		}
		w.remove(d.queue, d.message)
		if s.what == rejected && d.queue.deadLetters && !d.queue.deleted {
			to := w.route("", deadLetterQueue(d.queue.name))
			w.publish(d.message.id, to)
			for _, q := range to {
				q.messages[len(q.messages)-1].unsure = d.message.old
			}
		}
	}
}

// commit applies what the transaction has gathered.
func (w *world) commit() {
	for _, p := range w.publishes {
		w.publish(p.id, p.queues)
	}
	for _, s := range w.settled {
		w.settle(s)
	}
	w.publishes, w.settled = nil, nil
}

// rollBack drops publishes and makes what was settled unacknowledged again.
func (w *world) rollBack() {
	for _, s := range w.settled {
		w.unacked = append(w.unacked, s.deliveries...)
	}
	slices.SortFunc(w.unacked, func(a, b *worldDelivery) int { return int(a.tag) - int(b.tag) })
	w.publishes, w.settled = nil, nil
}
