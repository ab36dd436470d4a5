package crash_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/warren-mq/warren/amqp"
)

// script is a client that is alone with its queues and exchanges, so that everything about them is known: what each
// answer has to say while the broker runs, and where the broker may stand after a stop. It sends many steps in one piece
// and does not wait for their answers.
type script struct {
	name   string // what everything that it declares begins with
	source int    // of its messages
	tx     bool   // else confirms
	rng    *rand.Rand
	report *report
	seen   *sightings

	// Guarded by mu, which the sender and the receiver share:
	mu         sync.Mutex
	world      *world
	history    *history
	published  int
	expected   []expectation // answers, in order
	confirms   []confirm     // publishes that wait for theirs, in order of their tags
	firstTag   uint64        // the tag of confirms[0]
	committing bool          // nothing may be sent until the answer is there
	waiting    int           // bytes of publishes that are neither confirmed nor committed
	room       sync.Cond     // any of these may have become less
	ended      bool
}

// expectation is the one answer that a step may have.
type expectation struct {
	answer  amqp.MethodID
	step    int
	durable bool   // the answer proves the step
	count   uint32 // of messages, in those answers that have one
	queue   string
	message *worldMessage
	tag     uint64
	flagged bool
	unsure  bool // flagged or not
}

type confirm struct {
	step    int
	durable bool
	bytes   int
	done    bool
}

const (
	mostWaiting       = 400      // steps without an answer
	mostBytesWaiting  = 8 << 20  // of bodies
	mostWorldMessages = 250      // a script then takes more than it gives
	mostWorldBytes    = 12 << 20 // likewise
)

func newScript(name string, source int, tx bool, rng *rand.Rand, r *report, seen *sightings) *script {
	s := &script{
		name: name, source: source, tx: tx, rng: rng, report: r, seen: seen, history: newHistory(map[fact]bool{}),
	}
	s.room.L = &s.mu
	s.world = newWorld(s.history.change)
	return s
}

// run sends steps until the broker is gone or stop is closed.
func (s *script) run(addr string, stop <-chan struct{}) {
	c, err := dialClient(addr)
	if err != nil {
		if !cut(err) {
			s.report.violation("%s: connect: %v", s.name, err)
		}
		return
	}
	defer c.close()
	s.begin()
	mode, answer := amqp.Method(&amqp.ConfirmSelect{}), amqp.Method(&amqp.ConfirmSelectOk{})
	if s.tx {
		mode, answer = &amqp.TxSelect{}, &amqp.TxSelectOk{}
	}
	if err := c.call(mode, answer); err != nil {
		if !cut(err) {
			s.report.violation("%s: %v", s.name, err)
		}
		return
	}
	var receiver sync.WaitGroup
	receiver.Go(func() { s.receive(c) })
	s.send(c, stop)
	c.close()
	receiver.Wait()
}

func (s *script) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expected, s.confirms, s.firstTag = nil, nil, 1
	s.committing, s.ended, s.waiting = false, false, 0
}

// send writes bursts of steps. Each step is in the history before it is sent.
func (s *script) send(c *client, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		s.mu.Lock()
		for !s.ended && (s.committing || len(s.expected)+len(s.confirms) > mostWaiting || s.waiting > mostBytesWaiting) {
			s.room.Wait()
		}
		if s.ended {
			s.mu.Unlock()
			return
		}
		var b []byte
		for n := 1 + s.rng.IntN(60); n > 0 && !s.committing && len(b) < 4<<20; n-- {
			b = s.next(b)
		}
		s.mu.Unlock()
		for len(b) > 0 { // in pieces, so that the broker sees batches that end anywhere
			n := len(b)
			if s.rng.IntN(2) == 0 {
				n = 1 + s.rng.IntN(n)
			}
			if err := c.write(b[:n]); err != nil {
				return
			}
			b = b[n:]
		}
	}
}

// receive compares what the broker says with what it has to say.
func (s *script) receive(c *client) {
	defer func() {
		s.mu.Lock()
		s.ended = true
		s.room.Broadcast()
		s.mu.Unlock()
	}()
	for {
		e, err := c.next()
		if err != nil {
			if !cut(err) {
				s.mu.Lock()
				s.report.violation("%s: %v; waiting for %+v and %d confirms", s.name, err, s.expected[:min(len(s.expected), 3)], len(s.confirms))
				s.mu.Unlock()
			}
			return
		}
		if isShutdown(e.method) {
			return
		}
		s.mu.Lock()
		err = s.received(&e)
		s.room.Broadcast()
		s.mu.Unlock()
		if err != nil {
			s.report.violation("%s: %v", s.name, err)
			return
		}
	}
}

func (s *script) received(e *event) error {
	if ack, ok := e.method.(*amqp.BasicAck); ok {
		return s.confirmed(ack)
	}
	if len(s.expected) == 0 {
		return fmt.Errorf("unasked: %s", describe(e.method))
	}
	x := s.expected[0]
	s.expected = s.expected[1:]
	if e.method.ID() != x.answer {
		return fmt.Errorf("step %d is answered with %s instead of %s; %s", x.step, describe(e.method), x.answer, s.history.around(x.step))
	}
	if x.durable {
		s.history.prove(x.step)
	}
	count := x.count
	switch m := e.method.(type) {
	case *amqp.QueueDeclareOk:
		count = m.MessageCount
		s.report.definitions.Add(1)
	case *amqp.QueuePurgeOk:
		count = m.MessageCount
	case *amqp.QueueDeleteOk:
		count = m.MessageCount
		s.report.definitions.Add(1)
	case *amqp.TxCommitOk:
		s.committing, s.waiting = false, 0
		s.report.transactions.Add(1)
	case *amqp.BasicReturn:
		if id, err := e.message(); err != nil || id != x.message.id {
			return fmt.Errorf("step %d: returned %s instead of %s: %v", x.step, id, x.message.id, err)
		}
	case *amqp.BasicGetOk:
		count = m.MessageCount
		if err := s.got(e, m, &x); err != nil {
			return err
		}
	}
	if count != x.count {
		return fmt.Errorf("step %d: %s says %d messages instead of %d", x.step, e.method.ID(), count, x.count)
	}
	return nil
}

func (s *script) got(e *event, m *amqp.BasicGetOk, x *expectation) error {
	s.report.delivered.Add(1)
	s.seen.add(x.queue, x.message.id)
	if id, err := e.message(); err != nil || id != x.message.id {
		return fmt.Errorf("step %d: got %s from %s instead of %s: %v", x.step, id, x.queue, x.message.id, err)
	}
	if m.DeliveryTag != x.tag || m.Redelivered != x.flagged && !x.unsure {
		return fmt.Errorf("step %d: got %s with tag %d and redelivered %v instead of %d and %v",
			x.step, x.message.id, m.DeliveryTag, m.Redelivered, x.tag, x.flagged)
	}
	return nil
}

// confirmed notes what a basic.ack confirms.
func (s *script) confirmed(ack *amqp.BasicAck) error {
	last := int(ack.DeliveryTag - s.firstTag)
	if last < 0 || last >= len(s.confirms) {
		return fmt.Errorf("confirm of %d; %d to %d are not confirmed", ack.DeliveryTag, s.firstTag, s.firstTag+uint64(len(s.confirms))-1)
	}
	first := last
	if ack.Multiple {
		first = 0
	}
	for i := first; i <= last; i++ {
		k := &s.confirms[i]
		if k.done {
			if ack.Multiple {
				continue
			}
			return fmt.Errorf("second confirm of %d", ack.DeliveryTag)
		}
		k.done = true
		s.report.confirmed.Add(1)
		s.waiting -= k.bytes
		if k.durable {
			s.history.prove(k.step)
		}
	}
	for len(s.confirms) > 0 && s.confirms[0].done {
		s.confirms = s.confirms[1:]
		s.firstTag++
	}
	return nil
}

// audit compares what was found with the script's history, and takes it for the truth from now on.
func (s *script) audit(v *survey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	facts := v.facts(s.name)
	if _, ok := s.history.match(facts); !ok {
		s.report.violation("%s stands where no step of the script has left it: %s", s.name, s.history.explain(facts))
	}
	s.history = newHistory(facts)
	killsOnly := s.world.killsOnly
	s.world = v.world(s.name)
	s.world.changed, s.world.killsOnly = s.history.change, killsOnly
}

// facts are those about what belongs to a script.
func (v *survey) facts(prefix string) map[fact]bool {
	facts := map[fact]bool{}
	for queue, messages := range v.queues {
		if strings.HasPrefix(queue, prefix) {
			facts[fact{kind: 'q', place: queue}] = true
			for _, m := range messages {
				facts[fact{kind: 'm', place: queue, id: m.id}] = true
			}
		}
	}
	for x := range v.exchanges {
		if strings.HasPrefix(x, prefix) {
			facts[fact{kind: 'x', place: x}] = true
		}
	}
	for b := range v.bindings {
		if strings.HasPrefix(b.exchange, prefix) {
			facts[fact{kind: 'b', place: b.exchange, other: b.queue + " " + b.key}] = true
		}
	}
	return facts
}

// world is what a script finds when it goes on: everything was delivered when it was looked at.
func (v *survey) world(prefix string) *world {
	w := newWorld(func(fact, bool) {})
	for queue, messages := range v.queues {
		if strings.HasPrefix(queue, prefix) {
			q := w.declareQueue(queue, true, false)
			for _, m := range messages {
				q.messages = append(q.messages, &worldMessage{id: m.id, delivered: true, old: true})
			}
		}
	}
	for x := range v.exchanges {
		if strings.HasPrefix(x, prefix) {
			kind := "direct"
			if strings.Contains(x, "fanout") {
				kind = "fanout"
			}
			w.declareExchange(x, kind, true)
		}
	}
	for b := range v.bindings {
		if strings.HasPrefix(b.exchange, prefix) {
			w.bindings[b] = true
		}
	}
	return w
}
