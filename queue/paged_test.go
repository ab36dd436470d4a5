package queue_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/queue"
)

// TestKeysAndExpiryOnDisk plays random histories, with restarts, to queues whose messages are on disk at times, and checks
// what has to hold whenever who waits for what: the order and the one at a time of each key, that nothing is delivered
// after its time or before its retry is due, that the counts are right when nothing has to be read, and that in the end
// nothing was lost.
func TestKeysAndExpiryOnDisk(t *testing.T) {
	histories := uint64(300)
	if testing.Short() {
		histories = 100
	}
	if *seed != 0 {
		playPagedHistory(t, *seed)
		return
	}
	base := rand.Uint64() >> 1
	for s := base; s < base+histories && !t.Failed(); s++ {
		playPagedHistory(t, s)
	}
}

type pagedHistory struct {
	t        *testing.T
	rng      *rand.Rand
	args     amqp.Table
	keyed    bool
	retries  bool
	log      *pagedLog
	queue    *queue.Queue
	client   *client
	fx       queue.Effects
	shared   deliveries
	now      int64
	wake     int64
	messages map[string]*pagedMessage
	order    []*pagedMessage // as published
	steps    []string
}

type pagedMessage struct {
	body, key string
	expires   int64
	notBefore int64
	out       bool // with the client
	gone      bool
}

func playPagedHistory(t *testing.T, seed uint64) {
	h := &pagedHistory{t: t, rng: rand.New(rand.NewPCG(seed, 3)), now: 1000, messages: map[string]*pagedMessage{}}
	h.args = amqp.Table{{Name: "x-dead-letter-exchange", Value: "dlx"}, {Name: "x-exact-ttl", Value: true}}
	if h.keyed = h.rng.IntN(4) > 0; h.keyed {
		h.args = append(h.args, amqp.Field{Name: "x-ordering-key", Value: "routing-key"})
	}
	if h.rng.IntN(2) == 0 {
		h.args = append(h.args, amqp.Field{Name: "x-queue-type", Value: "quorum"})
	}
	if h.retries = h.rng.IntN(2) == 0; h.retries {
		h.args = append(h.args, amqp.Field{Name: "x-retry", Value: strings.Repeat("20ms,", 300) + "20ms"})
	}
	h.log = newPagedLog(func() bool { return h.rng.IntN(4) == 0 })
	h.open()
	for range 120 {
		h.step()
	}
	h.drain()
	if t.Failed() {
		t.Logf("seed %d:\n%s", seed, strings.Join(h.steps, "\n"))
	}
}

func (h *pagedHistory) logf(format string, args ...any) {
	h.steps = append(h.steps, fmt.Sprintf(format, args...))
}

// open makes a queue of what the log holds, with a consumer.
func (h *pagedHistory) open() {
	h.queue = queue.New(queue.Config{Name: "q", VHost: "/", Durable: true, Arguments: h.args}, func(uint8) queue.Log { return h.log })
	if h.keyed {
		h.queue.SetMaxPassed(1 + h.rng.IntN(8))
	}
	h.wake = 0
	h.queue.Recovered(h.now, &h.fx)
	h.look()
	h.client = &client{name: "c", credit: h.rng.IntN(5), shared: &h.shared}
	h.client.sub, _ = h.queue.Subscribe(h.client, queue.SubscribeOptions{Tag: "c"}, &h.fx)
	h.queue.Resume(h.now, h.client.sub, &h.fx)
	h.look()
}

func (h *pagedHistory) step() {
	switch n := h.rng.IntN(100); {
	case n < 35:
		h.publish()
	case n < 65:
		h.settle()
	case n < 85:
		h.pass(h.now + int64(h.rng.IntN(15)))
	case n < 90:
		h.log.evict(func() bool { return h.rng.IntN(2) == 0 })
	case n < 97:
		h.read()
	default:
		h.logf("restart")
		h.log.reopen()
		for _, m := range h.order {
			m.out = false
		}
		h.open()
	}
	h.look()
	if h.rng.IntN(2) == 0 {
		h.read()
		h.count()
	}
}

func (h *pagedHistory) publish() {
	var msgs []queue.Message
	var idx []int32
	for i := range 1 + h.rng.IntN(8) {
		m := &pagedMessage{body: fmt.Sprint("m", len(h.order)), key: []string{"a", "b", "c"}[h.rng.IntN(3)]}
		msg := message(m.body)
		msg.RoutingKey, msg.Persistent = []byte(m.key), true
		if h.rng.IntN(3) == 0 {
			msg.HasTTL, msg.TTL = true, 1+int64(h.rng.IntN(40))
			m.expires = h.now + msg.TTL
		}
		h.messages[m.body] = m
		h.order = append(h.order, m)
		h.logf("publish %s key %s expires %d", m.body, m.key, m.expires)
		msgs, idx = append(msgs, msg), append(idx, int32(i))
	}
	h.queue.Publish(h.now, msgs, idx, &h.fx)
}

func (h *pagedHistory) settle() {
	var s queue.Settlement
	for _, d := range append([]delivered(nil), h.client.unacked...) {
		m := h.messages[d.body]
		switch h.rng.IntN(5) {
		case 0:
			s.Requeued = append(s.Requeued, d.seq)
			if h.retries {
				m.notBefore = h.now + 20
			}
		case 1:
			continue
		default:
			s.Acked = append(s.Acked, d.seq)
			m.gone = true
		}
		m.out = false
		h.client.settle(d.body)
	}
	if h.client.resumes() {
		s.Resume = append(s.Resume, h.client.sub)
	}
	h.logf("at %d: ack %v, requeue %v", h.now, s.Acked, s.Requeued)
	h.queue.Settle(h.now, &s, &h.fx)
}

func (h *pagedHistory) pass(to int64) {
	for h.wake != 0 && h.wake <= to {
		h.now, h.wake = max(h.now, h.wake), 0
		h.queue.Tick(h.now, &h.fx)
		h.look()
	}
	h.now = to
	h.logf("until %d", to)
}

// read reads until nobody waits for anything.
func (h *pagedHistory) read() {
	for range 10_000 {
		ticks := h.wake != 0 && h.wake <= h.now
		if !h.log.bring() && !ticks {
			return
		}
		if ticks {
			h.wake = 0
			h.queue.Tick(h.now, &h.fx)
		} else {
			h.queue.Ready(h.now, &h.fx)
		}
		h.look()
	}
	h.t.Error("the queue does not come to rest")
}

// look checks what the last call delivered and gave up.
func (h *pagedHistory) look() {
	for _, d := range h.fx.DeadLetters {
		m := h.messages[string(d.Message.Body)]
		h.logf("   %s dies: %s", m.body, d.Reason)
		if m.gone || m.out || m.expires == 0 || m.expires > h.now || d.Reason != queue.Expired {
			h.t.Errorf("at %d %s expired, which it does at %d; with the client: %t, gone: %t", h.now, m.body, m.expires, m.out, m.gone)
		}
		m.gone = true
	}
	for _, d := range h.shared.all {
		m := h.messages[d.body]
		h.logf("   %s", d)
		if m.gone || m.out || m.expires != 0 && m.expires <= h.now || m.notBefore > h.now {
			h.t.Errorf("at %d %s was delivered, which expires at %d and waits until %d; with the client: %t, gone: %t",
				h.now, m.body, m.expires, m.notBefore, m.out, m.gone)
		}
		for _, other := range h.order {
			if other == m {
				break
			}
			if h.keyed && other.key == m.key && !other.gone && (other.out || other.expires == 0 || other.expires > h.now) {
				h.t.Errorf("at %d %s was delivered before %s of the same key; with the client: %t", h.now, m.body, other.body, other.out)
			}
		}
		for _, other := range h.order {
			if h.keyed && other != m && other.key == m.key && other.out {
				h.t.Errorf("at %d %s was delivered beside %s of the same key", h.now, m.body, other.body)
			}
		}
		m.out = true
	}
	if at := h.fx.WakeAt; at != 0 && (h.wake == 0 || at < h.wake) {
		h.wake = at
	}
	h.shared.all = nil
	h.fx.Reset()
}

// count compares the counts when nothing has to be read.
func (h *pagedHistory) count() {
	total, out := 0, 0
	for _, m := range h.order {
		switch {
		case m.gone:
		case m.out:
			out++
		default:
			total++
			if m.expires != 0 && m.expires <= h.now && m.notBefore <= h.now { // what waits on disk may be late
				h.t.Errorf("at %d %s is still counted, which expires at %d", h.now, m.body, m.expires)
			}
		}
	}
	if s := h.queue.Stats(); s.Ready+s.Delayed != total || s.Unacked != out {
		h.t.Errorf("%d ready, %d waiting and %d unacked, want together %d and %d", s.Ready, s.Delayed, s.Unacked, total, out)
	}
}

// drain takes what is left.
func (h *pagedHistory) drain() {
	h.client.credit += 1000
	h.client.parked = false
	h.queue.Resume(h.now, h.client.sub, &h.fx)
	h.look()
	for range 1000 {
		h.read()
		h.pass(h.now + 5)
		h.read()
		var s queue.Settlement
		for _, d := range append([]delivered(nil), h.client.unacked...) {
			h.client.settle(d.body)
			h.messages[d.body].gone, h.messages[d.body].out = true, false
			s.Acked = append(s.Acked, d.seq)
		}
		h.queue.Settle(h.now, &s, &h.fx)
		h.look()
		if st := h.queue.Stats(); st.Ready+st.Delayed+st.Unacked == 0 {
			break
		}
	}
	for _, m := range h.order {
		if !m.gone {
			h.t.Errorf("%s was lost", m.body)
		}
	}
}
