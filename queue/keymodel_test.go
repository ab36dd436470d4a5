package queue_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/queue"
)

// TestKeysAndExpiryActAsTheirModel plays random histories to queues with an ordering key, exact expiry, priorities and
// limits, as far as these go together, and to a naive model of them.
func TestKeysAndExpiryActAsTheirModel(t *testing.T) {
	histories := uint64(600)
	if testing.Short() {
		histories = 200
	}
	if *seed != 0 {
		playKeyHistory(t, *seed)
		return
	}
	base := rand.Uint64() >> 1
	for s := base; s < base+histories && !t.Failed(); s++ {
		playKeyHistory(t, s)
	}
}

// keyModel is a queue as simple as can be: a list that is searched from the front for whatever is asked.
type keyModel struct {
	keyed, exact bool
	maxPassed    int
	maxLength    int // none if negative
	messages     []*keyedMessage
	ring         []*client
	credit       map[*client]int
	deliveries   []string
	deaths       []string
}

type keyedMessage struct {
	body, key   string
	priority    uint8
	expires     int64 // 0: never
	holder      *client
	redelivered bool
	seen        bool // delivered or passed: the cursor is beyond it
}

// ready lists what is ready in the order of the queue, which is that of messages.
func (m *keyModel) ready() (list []*keyedMessage) {
	for _, msg := range m.messages {
		if msg.holder == nil {
			list = append(list, msg)
		}
	}
	return list
}

func (m *keyModel) insert(msg *keyedMessage) {
	i := len(m.messages)
	for i > 0 && m.messages[i-1].priority < msg.priority {
		i--
	}
	m.messages = slices.Insert(m.messages, i, msg)
}

func (m *keyModel) remove(msg *keyedMessage) {
	m.messages = slices.DeleteFunc(m.messages, func(o *keyedMessage) bool { return o == msg })
}

func (m *keyModel) die(msg *keyedMessage, reason string) {
	m.deaths = append(m.deaths, msg.body+" "+reason)
	m.remove(msg)
}

func (m *keyModel) expire(now int64) {
	for {
		ready := m.ready()
		if m.exact {
			slices.SortStableFunc(ready, func(a, b *keyedMessage) int { return cmp.Compare(a.expires, b.expires) })
			ready = slices.DeleteFunc(ready, func(msg *keyedMessage) bool { return msg.expires == 0 })
		}
		if len(ready) == 0 || ready[0].expires == 0 || ready[0].expires > now {
			return
		}
		m.die(ready[0], "expired")
	}
}

// next is the message that may be delivered next. It passes those whose keys are in flight.
func (m *keyModel) next() *keyedMessage {
	inFlight, passed := map[string]bool{}, 0
	for _, msg := range m.messages {
		if msg.holder != nil {
			inFlight[msg.key] = m.keyed && msg.key != ""
		} else if msg.seen && !msg.redelivered {
			passed++
		}
	}
	for _, msg := range m.ready() {
		switch {
		case !inFlight[msg.key]:
			return msg
		case msg.seen:
		case passed == m.maxPassed:
			return nil
		default:
			msg.seen = true
			passed++
		}
	}
	return nil
}

// deliver hands out what can be. fresh is a message that was published now, which a time to live of 0 does not hurt yet.
func (m *keyModel) deliver(now int64, fresh *keyedMessage) {
	for len(m.ring) > 0 {
		msg := m.next()
		if msg == nil {
			return
		}
		if msg != fresh && msg.expires != 0 && msg.expires <= now {
			m.die(msg, "expired")
			continue
		}
		c := m.ring[0]
		m.ring = m.ring[1:]
		if m.credit[c] == 0 {
			continue
		}
		m.credit[c]--
		m.ring = append(m.ring, c)
		m.take(msg, c)
	}
}

func (m *keyModel) take(msg *keyedMessage, c *client) {
	d := delivered{consumer: c.name, body: msg.body, redelivered: msg.redelivered}
	m.deliveries = append(m.deliveries, d.String())
	msg.holder, msg.seen = c, true
	if c.noAck {
		m.remove(msg)
	}
}

func (m *keyModel) dropExcess() {
	for ready := m.ready(); m.maxLength >= 0 && len(ready) > m.maxLength; ready = ready[1:] {
		m.die(ready[0], "maxlen")
	}
}

// allSeen says that nothing is ready that the cursor has not passed.
func (m *keyModel) allSeen() bool {
	return !slices.ContainsFunc(m.messages, func(msg *keyedMessage) bool { return !msg.seen })
}

func (m *keyModel) publish(now int64, msgs []*keyedMessage) {
	if m.exact {
		m.expire(now)
	}
	for _, msg := range msgs {
		straight := m.allSeen()
		m.insert(msg)
		if straight {
			m.deliver(now, msg)
		}
		if m.maxLength >= 0 {
			m.dropExcess()
			m.expire(now)
		}
	}
	m.expire(now)
	m.pass(now)
}

// pass is a delivery pass with the expiry around it.
func (m *keyModel) pass(now int64) {
	if m.exact {
		m.expire(now)
	}
	for before := -1; before != len(m.deaths)+len(m.deliveries); {
		before = len(m.deaths) + len(m.deliveries)
		m.deliver(now, nil)
		m.expire(now)
	}
}

type keyHistory struct {
	rng       *rand.Rand
	queue     *queue.Queue
	model     keyModel
	clients   []*client
	shared    deliveries
	fx        queue.Effects
	steps     []string
	names     int
	now, wake int64
	priority  bool
	header    bool
}

func playKeyHistory(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 2))
	h := &keyHistory{rng: rng, now: 1000, header: rng.IntN(2) == 0, shared: deliveries{seqs: map[string]uint64{}}, model: keyModel{
		keyed: rng.IntN(4) > 0, exact: rng.IntN(3) > 0, maxPassed: 1 + rng.IntN(6), maxLength: -1, credit: map[*client]int{},
	}}
	args := amqp.Table{{Name: "x-dead-letter-exchange", Value: "dlx"}, {Name: "x-exact-ttl", Value: h.model.exact}}
	switch {
	case h.model.keyed && h.header:
		args = append(args, amqp.Field{Name: "x-ordering-key", Value: "key"})
	case h.model.keyed:
		args = append(args, amqp.Field{Name: "x-ordering-key", Value: "routing-key"})
	default:
		args = append(args, amqp.Field{Name: "x-max-priority", Value: int32(3 * rng.IntN(2))})
		h.priority = args[len(args)-1].Value != int32(0)
	}
	if rng.IntN(4) == 0 {
		h.model.maxLength = rng.IntN(8)
		args = append(args, amqp.Field{Name: "x-max-length", Value: int32(h.model.maxLength)})
	}
	if err := queue.CheckArguments("q", "/", false, false, false, false, args); err != nil {
		t.Fatal(err)
	}
	h.logf("%v, %d passed at the most", args, h.model.maxPassed)
	h.queue = queue.New(queue.Config{Name: "q", VHost: "/", Arguments: args}, newMemoryLog)
	if h.model.keyed {
		h.queue.SetMaxPassed(h.model.maxPassed)
	}
	for range 80 {
		h.step()
		if err := h.compare(); err != nil {
			t.Errorf("seed %d: %v\nafter:\n%s", seed, err, strings.Join(h.steps, "\n"))
			return
		}
	}
}

func (h *keyHistory) logf(format string, args ...any) {
	h.steps = append(h.steps, fmt.Sprintf(format, args...))
}

func (h *keyHistory) name(kind string) string {
	h.names++
	return fmt.Sprint(kind, h.names)
}

func (h *keyHistory) step() {
	switch n := h.rng.IntN(100); {
	case n < 35:
		h.publish()
	case n < 60:
		h.settle()
	case n < 68:
		h.subscribe()
	case n < 72:
		h.cancel()
	case n < 80:
		h.get()
	case n < 84:
		h.credit()
	case n < 85:
		h.purge()
	default:
		h.pass()
	}
}

func (h *keyHistory) publish() {
	var msgs []queue.Message
	var idx []int32
	var list []*keyedMessage
	for i := range 1 + h.rng.IntN(6) {
		msg := &keyedMessage{body: h.name("m"), key: []string{"a", "a", "b", "c", ""}[h.rng.IntN(5)]}
		m := message(msg.body)
		if h.model.keyed && !h.header {
			m.RoutingKey = []byte(msg.key)
			msg.key = "key " + msg.key // an empty routing key is one too
		} else if msg.key != "" {
			m.Properties = withHeaders(amqp.Table{{Name: "key", Value: msg.key}})
		}
		if h.priority {
			m.Priority = uint8(h.rng.IntN(4))
			msg.priority = m.Priority
		}
		if h.rng.IntN(3) == 0 {
			m.HasTTL, m.TTL = true, int64(h.rng.IntN(6))*10
			msg.expires = h.now + m.TTL
		}
		msgs, idx, list = append(msgs, m), append(idx, int32(i)), append(list, msg)
		h.logf("publish %s key %q priority %d expires %d", msg.body, msg.key, msg.priority, msg.expires)
	}
	h.queue.Publish(h.now, msgs, idx, &h.fx)
	h.model.publish(h.now, list)
}

// withHeaders are properties with a table of headers and nothing else.
func withHeaders(t amqp.Table) []byte {
	p := amqp.Properties{Flags: amqp.FlagHeaders, Headers: amqp.AppendTableBody(nil, t)}
	return p.Append(nil)
}

func (h *keyHistory) settle() {
	var s queue.Settlement
	var log []string
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
			h.model.credit[c]++
			log = append(log, d.body)
		}
		if c.sub != nil && c.resumes() {
			s.Resume = append(s.Resume, c.sub)
		}
	}
	h.logf("settle %v: ack %v reject %v requeue %v", log, s.Acked, s.Rejected, s.Requeued)
	h.queue.Settle(h.now, &s, &h.fx)
	h.settleModel(log, &s)
}

// settleModel does to the model what s did to the queue; the order of deaths is that of s.Rejected.
func (h *keyHistory) settleModel(bodies []string, s *queue.Settlement) {
	for _, body := range bodies {
		i := slices.IndexFunc(h.model.messages, func(m *keyedMessage) bool { return m.body == body })
		msg := h.model.messages[i]
		switch seq := h.shared.seqs[body]; {
		case slices.Contains(s.Requeued, seq):
			msg.holder, msg.redelivered = nil, true
		case slices.Contains(s.Rejected, seq):
			h.model.die(msg, "rejected")
		default:
			h.model.remove(msg)
		}
	}
	h.model.dropExcess()
	for _, sub := range s.Resume {
		if sub.Active() {
			h.enter(sub.Consumer().(*client))
		}
	}
	h.model.pass(h.now)
}

func (h *keyHistory) enter(c *client) {
	if !slices.Contains(h.model.ring, c) {
		h.model.ring = append(h.model.ring, c)
	}
}

func (h *keyHistory) subscribe() {
	c := &client{name: h.name("c"), noAck: h.rng.IntN(5) == 0, credit: h.rng.IntN(5), shared: &h.shared}
	h.logf("subscribe %s noAck %t credit %d", c.name, c.noAck, c.credit)
	sub, err := h.queue.Subscribe(c, queue.SubscribeOptions{Tag: c.name, NoAck: c.noAck}, &h.fx)
	if err != nil {
		return
	}
	c.sub = sub
	h.model.credit[c] = c.credit
	h.clients = append(h.clients, c)
	h.resume(c)
}

func (h *keyHistory) resume(c *client) {
	c.parked = false
	h.queue.Resume(h.now, c.sub, &h.fx)
	if c.sub.Active() {
		h.enter(c)
		h.model.pass(h.now)
	}
}

func (h *keyHistory) consumer() *client {
	if i := slices.IndexFunc(h.clients, func(c *client) bool { return c.sub != nil && c.sub.Active() && h.rng.IntN(2) == 0 }); i >= 0 {
		return h.clients[i]
	}
	return nil
}

func (h *keyHistory) cancel() {
	if c := h.consumer(); c != nil {
		h.logf("cancel %s", c.name)
		h.queue.Cancel(h.now, c.sub, &h.fx)
		h.model.ring = slices.DeleteFunc(h.model.ring, func(o *client) bool { return o == c })
	}
}

func (h *keyHistory) credit() {
	if c := h.consumer(); c != nil {
		more := 1 + h.rng.IntN(3)
		c.credit += more
		h.model.credit[c] += more
		h.logf("credit %s %d", c.name, c.credit)
		h.resume(c)
	}
}

func (h *keyHistory) get() {
	c := &client{name: h.name("get"), noAck: h.rng.IntN(3) == 0, credit: -1, shared: &h.shared}
	h.clients = append(h.clients, c)
	h.logf("get %s noAck %t", c.name, c.noAck)
	ok, _ := h.queue.Get(c, c.noAck, h.now, &h.fx)
	h.model.expire(h.now)
	msg := h.model.next()
	for ; msg != nil && msg.expires != 0 && msg.expires <= h.now; msg = h.model.next() {
		h.model.die(msg, "expired")
	}
	if ok != (msg != nil) {
		h.model.deliveries = append(h.model.deliveries, fmt.Sprintf("a get that gives %v", msg))
	}
	if msg != nil {
		h.model.take(msg, c)
		h.model.expire(h.now)
	}
}

func (h *keyHistory) purge() {
	h.logf("purge")
	h.queue.Purge(&h.fx)
	for _, msg := range h.model.ready() {
		h.model.remove(msg)
	}
}

// pass lets time pass, and wakes the queue whenever it asked for it.
func (h *keyHistory) pass() {
	to := h.now + int64(h.rng.IntN(4))*5
	h.logf("until %d", to)
	for h.wake != 0 && h.wake <= to {
		h.now, h.wake = max(h.now, h.wake), 0
		h.queue.Tick(h.now, &h.fx)
		h.noteWake()
		h.model.expire(h.now)
		h.model.pass(h.now)
	}
	h.now = to
}

func (h *keyHistory) noteWake() {
	if at := h.fx.WakeAt; at != 0 && (h.wake == 0 || at < h.wake) {
		h.wake = at
	}
	h.fx.WakeAt = 0
}

func (h *keyHistory) compare() error {
	var got, deaths []string
	for _, d := range h.shared.all {
		got = append(got, d.String())
	}
	for _, d := range h.fx.DeadLetters {
		deaths = append(deaths, string(d.Message.Body)+" "+d.Reason)
	}
	h.logf("   %v, dead %v", got, deaths)
	h.noteWake()
	ready, stats := h.model.ready(), h.queue.Stats()
	switch {
	case !slices.Equal(got, h.model.deliveries):
		return fmt.Errorf("delivered %v, want %v", got, h.model.deliveries)
	case !slices.Equal(deaths, h.model.deaths):
		return fmt.Errorf("dead are %v, want %v", deaths, h.model.deaths)
	case stats.Ready != len(ready) || stats.Unacked != len(h.model.messages)-len(ready):
		return fmt.Errorf("%d ready and %d unacked, want %d and %d",
			stats.Ready, stats.Unacked, len(ready), len(h.model.messages)-len(ready))
	}
	for _, msg := range ready {
		if h.model.exact && msg.expires != 0 && (h.wake == 0 || h.wake > max(msg.expires, h.now)) {
			return fmt.Errorf("%s expires at %d, and the queue sleeps until %d", msg.body, msg.expires, h.wake)
		}
	}
	h.shared.all, h.model.deliveries, h.model.deaths = nil, nil, nil
	h.fx.Reset()
	return h.queue.Check()
}
