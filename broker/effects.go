package broker

import (
	"slices"

	"github.com/warren-mq/warren/queue"
)

// Effects collects what queues could not do under their own lock. One value is reused for everything that a batch
// touches; whoever fills it calls Run once the batch is through, with no lock held.
type Effects struct {
	queue.Effects

	// dead are the dead letters of the queues that were called, in the order of the calls. publishing says that
	// somebody up the stack empties it; held, that a batch does when all its queues were called.
	dead       []deaths
	publishing bool
	held       bool
	heldBytes  int // about what dead takes

	// burying are queues whose dead letters wait for the disk.
	burying []*Queue
}

// deaths are what one call to a queue made it give up. Without letters it is the discards of a queue that dead-letters
// at least once, or copies of its deliveries for the trace.
type deaths struct {
	queue   *Queue
	letters []queue.DeadLetter
	traces  []queue.Trace
}

// Consumer is a queue.Consumer that wants to know when its queue is deleted.
type Consumer interface {
	queue.Consumer
	// Cancelled tells that the queue of a subscription is gone: basic.cancel is due. No queue's lock is held.
	Cancelled(*queue.Subscription)
}

// Run wakes the consumers that were given something.
func (fx *Effects) Run() {
	for _, c := range fx.Wake {
		c.Wake()
	}
	clear(fx.burying)
	fx.burying = fx.burying[:0]
	fx.Reset()
}

// AwaitBurials waits until what clients have rejected since the last call of Run is with the dead-letter exchanges, where
// that has to be read from disk first: so a client's next command finds it there. It calls Run if it has to wait. It is
// not called between Enter and Leave, and gives up when stop is closed.
func (fx *Effects) AwaitBurials(stop <-chan struct{}) {
	if len(fx.burying) == 0 {
		return
	}
	queues := slices.Clone(fx.burying)
	fx.Run()
	for _, q := range queues {
		for wait := q.Burying(); wait != nil; wait = q.Burying() {
			select {
			case <-wait:
			case <-stop:
				return
			case <-q.vhost.broker.Failed():
				return
			}
		}
		q.read() // whoever has buried the last of them is through with what follows
	}
}

// The following are the methods of queue.Queue, each followed by what concerns others than the queue itself.

// Publish appends the messages of msgs that idx names. now is unix time in milliseconds.
func (q *Queue) Publish(now int64, msgs []queue.Message, idx []int32, fx *Effects) {
	q.take(now, msgs, idx, fx)
	q.after(now, fx)
}

// take is Publish without what concerns others.
func (q *Queue) take(now int64, msgs []queue.Message, idx []int32, fx *Effects) {
	if q.dedup != nil {
		q.dedup.publish(q, now, msgs, idx, fx)
		return
	}
	q.Queue.Publish(now, msgs, idx, &fx.Effects)
}

// Settle applies acknowledgements.
func (q *Queue) Settle(now int64, s *queue.Settlement, fx *Effects) {
	q.Queue.Settle(now, s, &fx.Effects)
	if fx.Burying {
		fx.Burying = false
		fx.burying = append(fx.burying, q)
	}
	q.after(now, fx)
}

// SettleSome applies the first of many; see queue.Queue.
func (q *Queue) SettleSome(now int64, s *queue.Settlement, fx *Effects) {
	q.Queue.SettleSome(now, s, &fx.Effects)
	q.after(now, fx)
}

// Resume tells that a consumer has credit again.
func (q *Queue) Resume(now int64, s *queue.Subscription, fx *Effects) {
	q.Queue.Resume(now, s, &fx.Effects)
	q.after(now, fx)
}

// Get hands the first message to c; see queue.Queue.
func (q *Queue) Get(c queue.Consumer, noAck bool, now int64, fx *Effects) (ok bool, wait <-chan struct{}) {
	ok, wait = q.Queue.Get(c, noAck, now, &fx.Effects)
	q.after(now, fx)
	return ok, wait
}

// Cancel ends a subscription; no delivery comes after it returns.
func (q *Queue) Cancel(s *queue.Subscription, fx *Effects) {
	now := q.vhost.broker.nowMillis()
	q.Queue.Cancel(now, s, &fx.Effects)
	q.after(now, fx)
}

// used tells that a client has declared the queue.
func (q *Queue) used() {
	if q.Expires() == 0 {
		return
	}
	var fx Effects
	now := q.vhost.broker.nowMillis()
	q.Queue.Used(now, &fx.Effects)
	q.after(now, &fx)
}

// recovered tells a queue that the broker has found at its start what time it is.
func (q *Queue) recovered(now int64, fx *Effects) {
	q.Recovered(now, &fx.Effects)
	q.after(now, fx)
}

// tick is called when the time comes that the queue asked for.
func (q *Queue) tick(now int64, fx *Effects) {
	q.Tick(now, &fx.Effects)
	q.after(now, fx)
}

// after handles what the last call to the queue left in fx beyond wake-ups and refusals.
func (q *Queue) after(now int64, fx *Effects) {
	if fx.WakeAt == 0 && len(fx.DeadLetters) == 0 && !fx.Discards && len(fx.Traces) == 0 && !fx.Deleted {
		return
	}
	q.collect(fx)
	if !fx.publishing && (!fx.held || fx.heldBytes > maxHeld) {
		fx.publishDead(now)
	}
}

const (
	maxHeld    = 1 << 20 // bytes of dead letters that a batch holds
	letterSize = 256     // of each, beside its body
)

// hold lets dead letters wait for release: a copy of a message that dies at once in one queue comes to another one behind
// the copy that was meant for that (RabbitMQ 3.10.8, whose queues are processes). A batch with many of them is not held.
func (fx *Effects) hold() { fx.held = true }

// release publishes the dead letters that were held.
func (fx *Effects) release(now int64) {
	fx.held = false
	if len(fx.dead) > 0 && !fx.publishing {
		fx.publishDead(now)
	}
}

// collect takes what the last call to the queue left in fx, and leaves the dead letters for publishDead.
func (q *Queue) collect(fx *Effects) {
	if at := fx.WakeAt; at != 0 {
		fx.WakeAt = 0
		q.wakeAt(at)
	}
	if len(fx.DeadLetters) > 0 {
		for i := range fx.DeadLetters {
			fx.heldBytes += letterSize + len(fx.DeadLetters[i].Message.Body)
		}
		fx.dead = append(fx.dead, deaths{queue: q, letters: fx.DeadLetters})
		fx.DeadLetters = nil
	}
	if fx.Discards {
		fx.Discards = false
		fx.dead = append(fx.dead, deaths{queue: q})
	}
	if len(fx.Traces) > 0 {
		fx.dead = append(fx.dead, deaths{queue: q, traces: fx.Traces})
		fx.Traces = nil
	}
	if fx.Deleted {
		fx.Deleted = false
		q.gone(fx)
	}
}

// wakeAt lets the timers wake the queue.
func (q *Queue) wakeAt(at int64) {
	t := &q.vhost.broker.timers
	t.set(q, at)
	if q.Closed() { // perhaps before set, so that nobody else would drop it
		t.drop(q)
	}
}

// publishDead publishes dead letters until there are none. One may be the death of others: the loop, in place of a
// recursion, keeps the stack small however long a chain of dead-letter exchanges is. A ring of queues in which messages
// die at once multiplies them by as many as there are queues, again and again: so after maxDeaths what more would die
// stays in its queue until that is ticked, and everybody else gets their turn in between.
func (fx *Effects) publishDead(now int64) {
	fx.publishing = true
	refused := fx.Refused
	fx.Refused = nil
	published := 0
	for i := 0; i < len(fx.dead); i++ {
		d := fx.dead[i]
		fx.dead[i] = deaths{}
		switch {
		case d.letters != nil:
			d.queue.deadLetter(now, d.letters, fx)
			published += len(d.letters)
		case d.traces != nil:
			d.queue.traceDeliveries(now, d.traces, fx)
		default:
			published += d.queue.forwardDiscards(now, fx)
		}
		fx.Later = published >= maxDeaths
	}
	fx.Later = false
	fx.dead, fx.heldBytes = fx.dead[:0], 0
	fx.Refused = refused
	fx.publishing = false
}

// maxDeaths is how many dead letters one call publishes before it lets others die later.
const maxDeaths = 500

// delete removes the queue whatever it holds.
func (q *Queue) delete(fx *Effects) {
	// Without conditions only a queue type can refuse, and none refuses an unconditional delete.
	if _, err := q.Queue.Delete(false, false, &fx.Effects); err == nil {
		q.gone(fx)
	}
}

// gone takes the queue, which is closed, out of the topology and tells its consumers.
func (q *Queue) gone(fx *Effects) {
	vh := q.vhost
	vh.mu.Lock()
	vh.removeQueue(q)
	vh.mu.Unlock()
	vh.broker.timers.drop(q)
	cancelled := fx.Cancelled
	fx.Cancelled = nil
	for _, s := range cancelled {
		s.Consumer().(Consumer).Cancelled(s)
	}
}
