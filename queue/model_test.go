package queue_test

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/queue"
)

var seed = flag.Uint64("seed", 0, "play only the history with this seed in the model test")

// TestQueueActsAsItsModel plays random histories to a queue and to a naive model of it, and compares after each step
// who got which message in which order, whether it was redelivered, who was woken, the counts, and the invariants.
func TestQueueActsAsItsModel(t *testing.T) {
	histories := uint64(2000)
	if testing.Short() {
		histories = 500
	}
	if *seed != 0 {
		playHistory(t, *seed)
		return
	}
	base := rand.Uint64() >> 1
	for s := base; s < base+histories && !t.Failed(); s++ {
		playHistory(t, s)
	}
}

// model is a queue as simple as can be: a list that is searched from the front.
type model struct {
	messages []*modelMessage // in order of publishing; gone ones are removed
	ring     []*client       // who can take a message, longest waiting first, all priorities mixed
	priority map[*client]int
	gone     bool // the queue is deleted

	deliveries []string // of the present step
	wake       []string
}

type modelMessage struct {
	body        string
	holder      *client // nil: ready
	redelivered bool
}

func (m *model) ready() (list []*modelMessage) {
	for _, msg := range m.messages {
		if msg.holder == nil {
			list = append(list, msg)
		}
	}
	return list
}

func (m *model) remove(msg *modelMessage) {
	m.messages = slices.DeleteFunc(m.messages, func(other *modelMessage) bool { return other == msg })
}

// enter puts a consumer at the end of the ring, unless it is there.
func (m *model) enter(c *client) {
	if !slices.Contains(m.ring, c) {
		m.ring = append(m.ring, c)
	}
}

func (m *model) leave(c *client) {
	m.ring = slices.DeleteFunc(m.ring, func(other *client) bool { return other == c })
}

// deliver hands out what it can. credit is what each consumer has; the real clients keep their own.
func (m *model) deliver(credit map[*client]int) {
	for ready := m.ready(); len(ready) > 0 && len(m.ring) > 0; {
		c := slices.MaxFunc(m.ring, func(a, b *client) int { return cmp.Compare(m.priority[a], m.priority[b]) })
		m.leave(c)
		if credit[c] == 0 {
			continue // parked
		}
		credit[c]--
		m.ring = append(m.ring, c)
		m.take(ready[0], c)
		ready = ready[1:]
	}
}

func (m *model) take(msg *modelMessage, c *client) {
	d := delivered{consumer: c.name, body: msg.body, redelivered: msg.redelivered}
	m.deliveries = append(m.deliveries, d.String())
	if !slices.Contains(m.wake, c.name) {
		m.wake = append(m.wake, c.name)
	}
	msg.holder = c
	if c.noAck {
		m.remove(msg)
	}
}

// history is one random history: the queue, its model, and the dice.
type history struct {
	rng     *rand.Rand
	queue   *queue.Queue
	model   model
	clients []*client // consumers, and one for each get
	credit  map[*client]int
	shared  deliveries
	fx      queue.Effects
	steps   []string
	names   int
}

func playHistory(t *testing.T, seed uint64) {
	h := &history{
		rng:    rand.New(rand.NewPCG(seed, 1)),
		queue:  queue.New(queue.Config{Name: "q", VHost: "/", AutoDelete: seed%8 == 0}, newMemoryLog),
		model:  model{priority: map[*client]int{}},
		credit: map[*client]int{},
	}
	for range 80 {
		h.step()
		if err := h.compare(); err != nil {
			t.Errorf("seed %d: %v\nafter:\n%s", seed, err, strings.Join(h.steps, "\n"))
			return
		}
	}
}

func (h *history) logf(format string, args ...any) {
	h.steps = append(h.steps, fmt.Sprintf(format, args...))
}

func (h *history) step() {
	switch n := h.rng.IntN(100); {
	case n < 30:
		h.publish()
	case n < 60:
		h.settle()
	case n < 70:
		h.subscribe()
	case n < 75:
		h.cancel()
	case n < 85:
		h.get()
	case n < 95:
		h.resume()
	case n < 99:
		h.purge()
	default:
		h.delete()
	}
}

func (h *history) name(kind string) string {
	h.names++
	return fmt.Sprint(kind, h.names)
}

func (h *history) publish() {
	var bodies []string
	for range 1 + h.rng.IntN(6) {
		bodies = append(bodies, h.name("m"))
	}
	msgs, idx := batch(bodies...)
	idx = slices.DeleteFunc(idx, func(int32) bool { return h.rng.IntN(4) == 0 }) // the others go to other queues
	h.logf("publish %v %v", bodies, idx)
	h.queue.Publish(0, msgs, idx, &h.fx)
	if h.model.gone {
		return
	}
	for _, i := range idx {
		h.model.messages = append(h.model.messages, &modelMessage{body: bodies[i]})
	}
	h.model.deliver(h.credit)
}

// settle acks, rejects and gives back some of what is unacked, in random order, and resumes who was parked.
func (h *history) settle() {
	var s queue.Settlement
	var log []string
	h.rng.Shuffle(len(h.clients), func(i, j int) { h.clients[i], h.clients[j] = h.clients[j], h.clients[i] })
	for _, c := range h.clients {
		held := slices.Clone(c.unacked)
		h.rng.Shuffle(len(held), func(i, j int) { held[i], held[j] = held[j], held[i] })
		for _, d := range held {
			list := []*[]uint64{&s.Acked, &s.Acked, &s.Rejected, &s.Requeued, &s.Requeued, nil, nil}[h.rng.IntN(7)]
			if list == nil {
				continue
			}
			seq, _ := c.settle(d.body)
			*list = append(*list, seq)
			h.credit[c]++
			log = append(log, d.body)
			i := slices.IndexFunc(h.model.messages, func(m *modelMessage) bool { return m.body == d.body })
			switch {
			case i < 0: // the queue is deleted
			case list == &s.Requeued:
				h.model.messages[i].holder, h.model.messages[i].redelivered = nil, true
			default:
				h.model.remove(h.model.messages[i])
			}
		}
		if c.sub != nil && c.resumes() {
			s.Resume = append(s.Resume, c.sub)
			if c.sub.Active() {
				h.model.enter(c)
			}
		}
	}
	h.logf("settle %v: ack %v reject %v requeue %v", log, s.Acked, s.Rejected, s.Requeued)
	h.queue.Settle(0, &s, &h.fx)
	h.model.deliver(h.credit)
}

func (h *history) subscribe() {
	c := &client{name: h.name("c"), noAck: h.rng.IntN(4) == 0, credit: h.rng.IntN(5), shared: &h.shared}
	priority := []int{0, 0, 0, -3, 7}[h.rng.IntN(5)]
	o := queue.SubscribeOptions{Tag: c.name, NoAck: c.noAck}
	if priority != 0 {
		o.Arguments = amqp.Table{{Name: "x-priority", Value: int64(priority)}}
	}
	h.logf("subscribe %s priority %d noAck %t credit %d", c.name, priority, c.noAck, c.credit)
	sub, err := h.queue.Subscribe(c, o, &h.fx)
	if err != nil {
		return
	}
	c.sub = sub
	c.parked = true
	h.credit[c], h.model.priority[c] = c.credit, priority
	h.clients = append(h.clients, c)
	if h.rng.IntN(4) > 0 {
		h.resumeClient(c)
	}
}

func (h *history) consumer() *client {
	var list []*client
	for _, c := range h.clients {
		if c.sub != nil {
			list = append(list, c)
		}
	}
	if list == nil {
		return nil
	}
	return list[h.rng.IntN(len(list))]
}

func (h *history) cancel() {
	if c := h.consumer(); c != nil {
		h.logf("cancel %s", c.name)
		h.queue.Cancel(0, c.sub, &h.fx)
		h.model.leave(c)
		if h.fx.Deleted {
			h.model = model{gone: true, priority: h.model.priority}
		}
	}
}

// resume resumes anyone, parked or not, cancelled or not.
func (h *history) resume() {
	if c := h.consumer(); c != nil {
		if more := h.rng.IntN(4); more > 0 {
			c.credit += more
			h.credit[c] += more
		}
		h.resumeClient(c)
	}
}

func (h *history) resumeClient(c *client) {
	h.logf("resume %s, credit %d", c.name, c.credit)
	active := c.sub.Active()
	c.parked = false
	h.queue.Resume(0, c.sub, &h.fx)
	if active {
		h.model.enter(c)
		h.model.deliver(h.credit)
	}
}

func (h *history) get() {
	c := &client{name: h.name("get"), noAck: h.rng.IntN(3) == 0, credit: -1, shared: &h.shared}
	h.logf("get %s noAck %t", c.name, c.noAck)
	ok, _ := h.queue.Get(c, c.noAck, 0, &h.fx)
	if ready := h.model.ready(); len(ready) > 0 {
		h.model.take(ready[0], c)
		if !ok || h.shared.all[len(h.shared.all)-1].ready != uint32(len(ready)-1) {
			h.model.deliveries = append(h.model.deliveries, "the count of what is left")
		}
	} else if ok {
		h.model.deliveries = append(h.model.deliveries, "an answer that the queue is empty")
	}
	h.clients = append(h.clients, c)
}

func (h *history) purge() {
	n := h.queue.Purge(&h.fx)
	h.logf("purge: %d", n)
	ready := h.model.ready()
	if n != len(ready) {
		h.model.deliveries = append(h.model.deliveries, fmt.Sprintf("a purge of %d", len(ready)))
	}
	for _, msg := range ready {
		h.model.remove(msg)
	}
}

func (h *history) delete() {
	ifUnused, ifEmpty := h.rng.IntN(2) == 0, h.rng.IntN(2) == 0
	_, err := h.queue.Delete(ifUnused, ifEmpty, &h.fx)
	h.logf("delete if-unused %t if-empty %t: %v", ifUnused, ifEmpty, err)
	if err == nil {
		h.model = model{gone: true, priority: h.model.priority}
	}
}

// compare compares what the last step did, and forgets it.
func (h *history) compare() error {
	var got []string
	for _, d := range h.shared.all {
		got = append(got, d.String())
	}
	h.logf("   %v", got)
	if !slices.Equal(got, h.model.deliveries) {
		return fmt.Errorf("delivered %v, want %v", got, h.model.deliveries)
	}
	var wake []string
	for _, c := range h.fx.Wake {
		wake = append(wake, c.(*client).name)
	}
	if !slices.Equal(wake, h.model.wake) {
		return fmt.Errorf("woke %v, want %v", wake, h.model.wake)
	}
	ready, stats := len(h.model.ready()), h.queue.Stats()
	if stats.Ready != ready || stats.Unacked != len(h.model.messages)-ready {
		return fmt.Errorf("%d ready and %d unacked, want %d and %d",
			stats.Ready, stats.Unacked, ready, len(h.model.messages)-ready)
	}
	h.shared.all, h.model.deliveries, h.model.wake = nil, nil, nil
	h.fx.Reset()
	return h.queue.Check()
}
