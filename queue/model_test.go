package queue_test

import (
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

// TestQueueActsAsItsModel plays random histories to queues with random arguments and to a naive model of them, and compares
// after each step who got which message in which order, whether it was redelivered, who was woken, what died of what, what
// was refused, when the queue wants to be woken, the counts, and the invariants. Time passes between the steps.
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

// history is one random history: the queue, its model, and the dice.
type history struct {
	rng     *rand.Rand
	config  queue.Config
	logs    map[uint8]*memoryLog
	queue   *queue.Queue
	model   model
	clients []*client // consumers, and one for each get
	shared  deliveries
	fx      queue.Effects
	wakeAt  int64
	steps   []string
	names   int
}

func playHistory(t *testing.T, seed uint64) {
	h := &history{rng: rand.New(rand.NewPCG(seed, 1)), logs: map[uint8]*memoryLog{}}
	h.model = newModel(h.rng)
	h.config = queue.Config{Name: "q", VHost: "/", AutoDelete: seed%8 == 0, Arguments: h.model.arguments()}
	h.logf("queue auto-delete %t %v", h.config.AutoDelete, h.config.Arguments)
	h.open()
	for range 80 {
		h.step()
		err := h.compare()
		for err == nil && h.wakeAt != 0 && h.wakeAt <= h.model.now {
			h.tick()
			err = h.compare()
		}
		if err != nil {
			t.Errorf("seed %d: %v\nafter:\n%s", seed, err, strings.Join(h.steps, "\n"))
			return
		}
	}
}

// open makes the queue, on logs that it may have had before.
func (h *history) open() {
	var found []uint8
	for p := range h.logs {
		if p > 0 {
			found = append(found, p)
		}
	}
	slices.Sort(found)
	h.queue = queue.New(h.config, h.log, found...)
	if h.model.orderingKey != "" {
		h.queue.SetMaxPassed(h.model.maxPassed)
	}
}

func (h *history) log(priority uint8) queue.Log {
	if h.logs[priority] == nil {
		h.logs[priority] = new(memoryLog)
	}
	return h.logs[priority]
}

func (h *history) logf(format string, args ...any) {
	h.steps = append(h.steps, fmt.Sprintf(format, args...))
}

func (h *history) step() {
	switch n := h.rng.IntN(100); {
	case n < 25:
		h.publish()
	case n < 50:
		h.settle()
	case n < 60:
		h.subscribe()
	case n < 64:
		h.cancel()
	case n < 72:
		h.get()
	case n < 80:
		h.resume()
	case n < 97:
		h.pass()
	case n < 98:
		h.purge()
	case n < 99:
		h.restart()
	default:
		h.delete()
	}
}

func (h *history) name(kind string) string {
	h.names++
	return fmt.Sprint(kind, h.names)
}

// pass lets time pass; what is due then happens at once, as the broker's timers see to.
func (h *history) pass() {
	h.model.now += []int64{1, 10, 100, 1000, 5000}[h.rng.IntN(5)]
	if h.wakeAt != 0 && h.rng.IntN(2) == 0 {
		h.model.now = max(h.model.now, h.wakeAt) // just in time
	}
	h.logf("at %d", h.model.now)
}

func (h *history) tick() {
	h.logf("tick")
	h.wakeAt = 0
	h.queue.Tick(h.model.now, &h.fx)
	h.model.tick()
}

func (h *history) publish() {
	var bodies []string
	for range 1 + h.rng.IntN(6) {
		bodies = append(bodies, h.name("m"))
	}
	msgs, idx := batch(bodies...)
	keys := make([]string, len(msgs))
	for i := range msgs {
		switch key := []string{"a", "a", "b", "c", ""}[h.rng.IntN(5)]; h.model.orderingKey {
		case "routing-key":
			msgs[i].RoutingKey, keys[i] = []byte(key), "key "+key // an empty one is a key too
		case "key":
			if keys[i] = key; key != "" {
				msgs[i].Properties = withHeaders(amqp.Table{{Name: "key", Value: key}})
			}
		}
		msgs[i].Priority = uint8(h.rng.IntN(5))
		if h.model.ttls && h.rng.IntN(2) == 0 {
			msgs[i].HasTTL, msgs[i].TTL = true, []int64{0, 100, 2000, 10_000}[h.rng.IntN(4)]
		}
	}
	idx = slices.DeleteFunc(idx, func(int32) bool { return h.rng.IntN(4) == 0 }) // the others go to other queues
	h.logf("publish %v %v, keys %q", bodies, idx, keys)
	h.queue.Publish(h.model.now, msgs, idx, &h.fx)
	h.model.publish(msgs, keys, idx)
}

// settle acks, rejects and gives back some of what is unacked, in random order, and resumes who was parked.
func (h *history) settle() {
	var s queue.Settlement
	var m modelSettlement
	h.rng.Shuffle(len(h.clients), func(i, j int) { h.clients[i], h.clients[j] = h.clients[j], h.clients[i] })
	for _, c := range h.clients {
		held := slices.Clone(c.unacked)
		h.rng.Shuffle(len(held), func(i, j int) { held[i], held[j] = held[j], held[i] })
		for _, d := range held {
			what := h.rng.IntN(8)
			if what >= 6 {
				continue
			}
			seq, _ := c.settle(d.body)
			h.model.credit[c]++
			switch what {
			case 0, 1:
				s.Acked, m.acked = append(s.Acked, seq), append(m.acked, d.body)
			case 2:
				s.Rejected, m.rejected = append(s.Rejected, seq), append(m.rejected, d.body)
			case 3:
				s.Returned, m.returned = append(s.Returned, seq), append(m.returned, d.body)
			case 4:
				s.Failed = append(s.Failed, len(s.Requeued))
				fallthrough
			case 5:
				s.Requeued, m.requeued = append(s.Requeued, seq), append(m.requeued, d.body)
				m.failed = append(m.failed, what == 4)
			}
		}
		if c.sub != nil && c.resumes() {
			s.Resume = append(s.Resume, c.sub)
			m.resumed = append(m.resumed, c)
		}
	}
	h.logf("settle: %+v", m)
	h.queue.Settle(h.model.now, &s, &h.fx)
	h.model.settle(&m)
}

func (h *history) subscribe() {
	c := &client{name: h.name("c"), noAck: h.rng.IntN(4) == 0, credit: h.rng.IntN(5), shared: &h.shared}
	priority := []int{0, 0, 0, -3, 7}[h.rng.IntN(5)]
	o := queue.SubscribeOptions{Tag: c.name, NoAck: c.noAck}
	if priority != 0 {
		o.Arguments = amqp.Table{{Name: "x-priority", Value: int64(priority)}}
	}
	var rate *modelRate
	if h.rng.IntN(5) == 0 {
		rate = newModelRate(h.rng)
		o.Arguments = append(o.Arguments, amqp.Field{Name: "x-rate-limit", Value: rate.String()})
	}
	h.logf("subscribe %s noAck %t credit %d %v", c.name, c.noAck, c.credit, o.Arguments)
	sub, err := h.queue.Subscribe(c, o, &h.fx)
	if err != nil {
		return
	}
	c.sub = sub
	c.parked = true
	h.clients = append(h.clients, c)
	h.model.subscribe(c, priority, rate)
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
		h.queue.Cancel(h.model.now, c.sub, &h.fx)
		h.model.cancel(c)
		if h.fx.Deleted {
			h.model.delete()
		}
	}
}

// resume resumes anyone, parked or not, cancelled or not.
func (h *history) resume() {
	if c := h.consumer(); c != nil {
		if more := h.rng.IntN(4); more > 0 {
			c.credit += more
			h.model.credit[c] += more
		}
		h.resumeClient(c)
	}
}

func (h *history) resumeClient(c *client) {
	h.logf("resume %s, credit %d", c.name, c.credit)
	c.parked = false
	h.queue.Resume(h.model.now, c.sub, &h.fx)
	h.model.resume(c)
}

func (h *history) get() {
	c := &client{name: h.name("get"), noAck: h.rng.IntN(3) == 0, credit: -1, shared: &h.shared}
	h.logf("get %s noAck %t", c.name, c.noAck)
	ok, _ := h.queue.Get(c, c.noAck, h.model.now, &h.fx)
	left, want := h.model.get(c)
	if ok != want || ok && h.shared.all[len(h.shared.all)-1].ready != uint32(left) {
		h.model.deliveries = append(h.model.deliveries, fmt.Sprintf("an answer: %t, and %d left", want, left))
	}
	h.clients = append(h.clients, c)
}

func (h *history) purge() {
	n, want := h.queue.Purge(&h.fx), h.model.purge()
	h.logf("purge: %d", n)
	if n != want {
		h.model.deliveries = append(h.model.deliveries, fmt.Sprintf("a purge of %d", want))
	}
}

func (h *history) delete() {
	ifUnused, ifEmpty := h.rng.IntN(2) == 0, h.rng.IntN(2) == 0
	if h.model.quorum {
		ifUnused, ifEmpty = false, false // it knows neither
	}
	mayBe := h.model.gone || !(ifEmpty && h.model.inQueue() > 0) && !(ifUnused && len(h.model.consumers) > 0)
	_, err := h.queue.Delete(ifUnused, ifEmpty, &h.fx)
	h.logf("delete if-unused %t if-empty %t: %v", ifUnused, ifEmpty, err)
	if mayBe != (err == nil) {
		h.model.deliveries = append(h.model.deliveries, fmt.Sprintf("a delete that succeeds: %t", mayBe))
	}
	if err == nil {
		h.model.delete()
	}
}

// restart lets the broker stop and find the queue's logs again: consumers are gone, what they held is back. That all of it
// may have been delivered is all that is known.
func (h *history) restart() {
	if h.model.gone || h.config.AutoDelete {
		return
	}
	h.logf("restart")
	for _, log := range h.logs {
		log.deliveredUpTo = log.Next()
	}
	h.open()
	h.wakeAt = 0
	h.queue.Recovered(h.model.now, &h.fx)
	h.clients, h.shared = nil, deliveries{}
	h.model.restart()
}

// compare compares what the last step did, and forgets it.
func (h *history) compare() error {
	var got, dead []string
	for _, d := range h.shared.all {
		got = append(got, d.String())
	}
	for _, d := range h.fx.DeadLetters {
		dead = append(dead, string(d.Message.Body)+" "+d.Reason)
	}
	if h.fx.WakeAt != 0 && (h.wakeAt == 0 || h.fx.WakeAt < h.wakeAt) {
		h.wakeAt = h.fx.WakeAt
	}
	m := &h.model
	h.logf("   %v dead %v refused %v wake at %d", got, dead, h.fx.Refused, h.wakeAt)
	if !slices.Equal(got, m.deliveries) {
		return fmt.Errorf("delivered %v, want %v", got, m.deliveries)
	}
	if !slices.Equal(dead, m.dead) {
		return fmt.Errorf("dead: %v, want %v", dead, m.dead)
	}
	if !slices.Equal(h.fx.Refused, m.refused) {
		return fmt.Errorf("refused %v, want %v", h.fx.Refused, m.refused)
	}
	var wake []string
	for _, c := range h.fx.Wake {
		wake = append(wake, c.(*client).name)
	}
	if !slices.Equal(wake, m.wake) {
		return fmt.Errorf("woke %v, want %v", wake, m.wake)
	}
	if latest := m.wakeAt(); latest != 0 && (h.wakeAt == 0 || h.wakeAt > max(latest, m.now)) {
		return fmt.Errorf("to be woken at %d, want %d at the latest", h.wakeAt, latest)
	}
	stats := h.queue.Stats()
	if ready, waiting := len(m.ready()), len(m.waiting()); stats.Ready != ready || stats.Delayed != waiting || stats.Messages() != len(m.messages) {
		return fmt.Errorf("%d ready, %d unacked and %d delayed, want %d, %d and %d",
			stats.Ready, stats.Unacked, stats.Delayed, ready, len(m.messages)-ready-waiting, waiting)
	}
	h.shared.all, m.deliveries, m.wake, m.dead, m.refused = nil, nil, nil, nil, nil
	h.fx.Reset()
	return h.queue.Check()
}
