package queue_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/queue"
)

// model is a queue as simple as can be: a list that is searched from the front.
type model struct {
	now int64 // unix milliseconds

	// Arguments; 0 or "" for none.
	quorum        bool
	priorities    uint8
	ttls          bool // of messages
	ttl           int64
	maxLength     int
	maxBytes      int
	overflow      string
	deadLetters   bool
	deliveryLimit int
	ladder        []int64
	delayed       string // x-delayed-retry-type, with 1 s at least and 2.5 s at most
	singleActive  bool
	rate          *modelRate

	messages  []*modelMessage // in order of publishing; gone ones are removed
	consumers []*client       // in order of arrival
	ring      []*client       // who can take a message, longest waiting first, all priorities mixed
	held      []*client       // by their own rate, in the order in which they were held back
	active    *client         // the single active one
	started   map[*client]bool
	credit    map[*client]int // what each has; the real clients keep their own
	priority  map[*client]int
	rates     map[*client]*modelRate
	placed    int // messages that were given a place in the order
	returns   int
	gone      bool // the queue is deleted

	deliveries []string // of the present step
	wake       []string
	dead       []string
	refused    []int32
}

type modelMessage struct {
	body        string
	priority    uint8
	place       int
	expires     int64   // 0: never
	holder      *client // nil: in the queue
	redelivered bool
	count       int
	until       int64 // waits until then, or until it expires if that is sooner; 0: does not wait
	back        int   // of a quorum queue: number of its return, 0 for what was not given back
}

func newModel(rng *rand.Rand) model {
	m := model{now: 1_000_000, priority: map[*client]int{}, credit: map[*client]int{}, started: map[*client]bool{}, rates: map[*client]*modelRate{}}
	maybe := func() bool { return rng.IntN(3) == 0 }
	m.quorum, m.ttls, m.deadLetters, m.singleActive = maybe(), maybe(), rng.IntN(2) == 0, rng.IntN(6) == 0
	if !m.quorum && maybe() {
		m.priorities = 3
	}
	if m.quorum && maybe() {
		m.deliveryLimit = 1 + rng.IntN(3)
	}
	if maybe() {
		m.ttl = []int64{500, 3000}[rng.IntN(2)]
	}
	if maybe() {
		m.maxLength = 1 + rng.IntN(8)
	}
	if rng.IntN(8) == 0 {
		m.maxBytes = 5 + rng.IntN(20)
	}
	m.overflow = []string{"", "drop-head", "reject-publish", "reject-publish-dlx"}[rng.IntN(4)]
	switch {
	case rng.IntN(2) == 0:
		for range 1 + rng.IntN(4) {
			m.ladder = append(m.ladder, []int64{0, 10, 1000, 4000}[rng.IntN(4)])
		}
	case m.quorum && maybe():
		m.delayed = []string{"all", "failed", "returned"}[rng.IntN(3)]
	}
	if rng.IntN(5) == 0 {
		m.rate = newModelRate(rng)
	}
	return m
}

func (m *model) arguments() (args amqp.Table) {
	add := func(name string, value any) { args = append(args, amqp.Field{Name: "x-" + name, Value: value}) }
	if m.quorum {
		add("queue-type", "quorum")
	}
	if m.priorities > 0 {
		add("max-priority", int64(m.priorities))
	}
	if m.ttl > 0 {
		add("message-ttl", m.ttl)
	}
	if m.maxLength > 0 {
		add("max-length", int64(m.maxLength))
	}
	if m.maxBytes > 0 {
		add("max-length-bytes", int64(m.maxBytes))
	}
	if m.overflow != "" {
		add("overflow", m.overflow)
	}
	if m.deadLetters {
		add("dead-letter-exchange", "d")
	}
	if m.deliveryLimit > 0 {
		add("delivery-limit", int64(m.deliveryLimit))
	}
	ladder := ""
	for i, d := range m.ladder {
		ladder += fmt.Sprintf("%.*s%dms", min(i, 1), ",", d)
	}
	if ladder != "" {
		add("retry", ladder)
	}
	if m.delayed != "" {
		add("delayed-retry-type", m.delayed)
		add("delayed-retry-min", int64(1000))
		add("delayed-retry-max", int64(2500))
	}
	if m.singleActive {
		add("single-active-consumer", true)
	}
	if m.rate != nil {
		add("rate-limit", m.rate.String())
	}
	return args
}

// ready lists what can be delivered, in order.
func (m *model) ready() (list []*modelMessage) {
	for _, msg := range m.messages {
		if msg.holder == nil && msg.until == 0 {
			list = append(list, msg)
		}
	}
	slices.SortStableFunc(list, func(a, b *modelMessage) int {
		return cmp.Or(
			cmp.Compare(b.priority, a.priority),
			cmp.Compare(min(b.back, 1), min(a.back, 1)), // what came back before what was never delivered
			cmp.Compare(a.back, b.back),
			cmp.Compare(a.place, b.place))
	})
	return list
}

// waiting lists what waits, the first that is due at the front.
func (m *model) waiting() (list []*modelMessage) {
	for _, msg := range m.messages {
		if msg.holder == nil && msg.until != 0 {
			list = append(list, msg)
		}
	}
	slices.SortStableFunc(list, func(a, b *modelMessage) int {
		return cmp.Or(cmp.Compare(a.dueAt(), b.dueAt()), cmp.Compare(a.priority, b.priority), cmp.Compare(a.place, b.place))
	})
	return list
}

// dueAt is when a waiting message is ready again, or expires.
func (msg *modelMessage) dueAt() int64 {
	if msg.expires != 0 {
		return min(msg.until, msg.expires)
	}
	return msg.until
}

// inQueue is how many messages are ready or wait, and bytes how large they are.
func (m *model) inQueue() int { return len(m.ready()) + len(m.waiting()) }

func (m *model) bytes() (n int) {
	for _, msg := range append(m.ready(), m.waiting()...) {
		n += len(msg.body)
	}
	return n
}

func (m *model) remove(msg *modelMessage) {
	m.messages = slices.DeleteFunc(m.messages, func(other *modelMessage) bool { return other == msg })
}

// die removes a message for a reason.
func (m *model) die(msg *modelMessage, reason string) {
	m.remove(msg)
	if m.deadLetters {
		m.dead = append(m.dead, msg.body+" "+reason)
	}
}

// enter puts a consumer at the end of the ring, unless it is there or another one is the active one.
func (m *model) enter(c *client) {
	m.started[c] = true
	if !slices.Contains(m.ring, c) && (!m.singleActive || m.active == c) {
		m.ring = append(m.ring, c)
	}
}

func (m *model) leave(c *client) {
	m.ring = slices.DeleteFunc(m.ring, func(other *client) bool { return other == c })
}

// deliver hands out what it can, then drops what has expired at the head.
func (m *model) deliver() {
	for len(m.ring) > 0 {
		ready := m.ready()
		if len(ready) == 0 {
			break
		}
		if msg := ready[0]; msg.expired(m.now) {
			m.die(msg, "expired")
			continue
		}
		if m.rate != nil && !m.rate.has(m.now) || !m.give(ready[0]) {
			break
		}
	}
	m.expire()
}

func (msg *modelMessage) expired(now int64) bool { return msg.expires != 0 && msg.expires <= now }

// give gives a message to the first consumer that takes it.
func (m *model) give(msg *modelMessage) bool {
	for len(m.ring) > 0 {
		c := slices.MaxFunc(m.ring, func(a, b *client) int { return cmp.Compare(m.priority[a], m.priority[b]) })
		m.leave(c)
		if r := m.rates[c]; r != nil && !r.has(m.now) {
			if !slices.Contains(m.held, c) {
				m.held = append(m.held, c)
			}
			continue
		}
		if m.credit[c] == 0 {
			continue // parked
		}
		m.credit[c]--
		m.ring = append(m.ring, c)
		m.take(msg, c)
		return true
	}
	return false
}

func (m *model) take(msg *modelMessage, c *client) {
	for _, r := range []*modelRate{m.rate, m.rates[c]} {
		if r != nil {
			r.tokens -= r.period
		}
	}
	d := delivered{consumer: c.name, body: msg.body, redelivered: msg.redelivered}
	m.deliveries = append(m.deliveries, d.String())
	if !slices.Contains(m.wake, c.name) {
		m.wake = append(m.wake, c.name)
	}
	if msg.holder, msg.back = c, 0; c.noAck {
		m.remove(msg)
	}
}

// expire drops what has expired at the head.
func (m *model) expire() {
	for {
		ready := m.ready()
		if len(ready) == 0 || !ready[0].expired(m.now) {
			return
		}
		m.die(ready[0], "expired")
	}
}

// exceeds says whether the queue holds more than it may, if so many messages and bytes come.
func (m *model) exceeds(count, bytes int) bool {
	return m.maxLength > 0 && m.inQueue()+count > m.maxLength || m.maxBytes > 0 && m.bytes()+bytes > m.maxBytes
}

func (m *model) drops() bool {
	return m.overflow == "" || m.overflow == "drop-head" || m.overflow == "reject-publish-dlx" && m.quorum
}

// dropExcess drops from the queue's end that is oldest: what waits, then the head.
func (m *model) dropExcess() {
	for m.drops() && m.exceeds(0, 0) {
		m.die(append(m.waiting(), m.ready()...)[0], "maxlen")
	}
}

func (m *model) publish(msgs []queue.Message, idx []int32) {
	if m.gone {
		return
	}
	straight := true
	for _, i := range idx {
		msg := &modelMessage{body: string(msgs[i].Body), priority: min(msgs[i].Priority, m.priorities)}
		switch {
		case msgs[i].HasTTL && (m.ttl == 0 || msgs[i].TTL < m.ttl):
			msg.expires = m.now + msgs[i].TTL
		case m.ttl > 0:
			msg.expires = m.now + m.ttl
		}
		limited := m.maxLength > 0 || m.maxBytes > 0
		if limited && !m.drops() && m.exceeds(1, len(msg.body)) {
			m.refused = append(m.refused, i)
			if m.overflow == "reject-publish-dlx" {
				m.die(msg, "maxlen")
			}
			continue
		}
		if limited {
			straight = true // they come one by one
		}
		straight = straight && len(m.ring) > 0 && len(m.ready()) == 0 && (m.rate == nil || m.rate.has(m.now))
		m.place(msg)
		if straight {
			m.give(msg)
		}
		if limited {
			m.dropExcess()
			m.expire()
		}
	}
	m.expire()
}

func (m *model) place(msg *modelMessage) {
	m.placed++
	msg.place = m.placed
	m.messages = append(m.messages, msg)
}

// modelSettlement names messages by their bodies.
type modelSettlement struct {
	acked, rejected, requeued, returned []string
	failed                              []bool // of those that were requeued: by basic.reject
	resumed                             []*client
}

func (m *model) settle(s *modelSettlement) {
	if m.gone {
		return
	}
	for _, body := range s.acked {
		if msg := m.find(body); msg != nil {
			m.remove(msg)
		}
	}
	for _, body := range s.rejected {
		if msg := m.find(body); msg != nil {
			m.die(msg, "rejected")
		}
	}
	for i, body := range s.requeued {
		m.takeBack(m.find(body), s.failed[i], m.quorum && m.limit() == 0)
	}
	for _, body := range s.returned {
		m.takeBack(m.find(body), true, false)
	}
	m.dropExcess()
	for _, c := range s.resumed {
		if slices.Contains(m.consumers, c) {
			m.enter(c)
		}
	}
	m.deliver()
}

func (m *model) find(body string) *modelMessage {
	i := slices.IndexFunc(m.messages, func(msg *modelMessage) bool { return msg.body == body })
	if i < 0 {
		return nil
	}
	return m.messages[i]
}

// limit is after how many returns the next one is too much; 0: never.
func (m *model) limit() int {
	if n := len(m.ladder); n > 0 && (m.deliveryLimit == 0 || n < m.deliveryLimit) {
		return n
	}
	return m.deliveryLimit
}

func (m *model) takeBack(msg *modelMessage, failed, toTail bool) {
	if msg == nil {
		return
	}
	msg.holder, msg.redelivered = nil, true
	msg.count++
	if limit := m.limit(); limit > 0 && msg.count > limit {
		m.die(msg, "delivery_limit")
		return
	}
	delay := int64(0)
	switch {
	case m.ladder != nil:
		delay = m.ladder[msg.count-1]
	case m.delayed == "all", m.delayed == "failed" && failed, m.delayed == "returned" && !failed:
		delay = min(1000*int64(msg.count), 2500)
	}
	switch {
	case delay > 0:
		msg.until = m.now + delay
	case toTail:
		m.remove(msg)
		m.place(msg)
	default:
		m.back(msg)
	}
}

func (m *model) back(msg *modelMessage) {
	if m.quorum {
		m.returns++
		msg.back = m.returns
	}
}

// due makes ready what has waited for its time.
func (m *model) due() {
	for _, msg := range m.waiting() {
		switch {
		case msg.expired(m.now):
			m.die(msg, "expired")
		case msg.until <= m.now:
			msg.until = 0
			m.back(msg)
		}
	}
}

func (m *model) tick() {
	if m.gone {
		return
	}
	m.dropExcess() // after a restart, what consumers held counts again
	m.due()
	for _, c := range slices.Clone(m.held) {
		if m.rates[c].has(m.now) || !slices.Contains(m.consumers, c) {
			m.held = slices.DeleteFunc(m.held, func(other *client) bool { return other == c })
			if slices.Contains(m.consumers, c) {
				m.enter(c)
			}
		}
	}
	m.deliver()
}

// wakeAt is when the queue has to be woken at the latest, 0 if it need not be.
func (m *model) wakeAt() (at int64) {
	sooner := func(t int64) {
		if at == 0 || t < at {
			at = t
		}
	}
	if waiting := m.waiting(); len(waiting) > 0 {
		sooner(waiting[0].dueAt())
	}
	ready := m.ready()
	if len(ready) > 0 && ready[0].expires != 0 {
		sooner(ready[0].expires)
	}
	if len(ready) > 0 && len(m.ring) > 0 && m.rate != nil {
		sooner(m.rate.next(m.now))
	}
	for _, c := range m.held {
		if slices.Contains(m.consumers, c) {
			sooner(m.rates[c].next(m.now))
		}
	}
	return at
}

func (m *model) subscribe(c *client, priority int, rate *modelRate) {
	m.consumers = append(m.consumers, c)
	m.credit[c], m.priority[c], m.rates[c] = c.credit, priority, rate
	if m.singleActive && m.active == nil {
		m.active = c
	}
}

func (m *model) cancel(c *client) {
	if !slices.Contains(m.consumers, c) {
		return
	}
	m.leave(c)
	m.consumers = slices.DeleteFunc(m.consumers, func(other *client) bool { return other == c })
	if m.active != c {
		return
	}
	if m.active = nil; len(m.consumers) == 0 {
		return
	}
	// MaxFunc gives the first of several.
	m.active = slices.MaxFunc(m.consumers, func(a, b *client) int { return cmp.Compare(m.priority[a], m.priority[b]) })
	if m.started[m.active] {
		m.enter(m.active)
		m.deliver()
	}
}

func (m *model) resume(c *client) {
	if slices.Contains(m.consumers, c) {
		m.enter(c)
		m.deliver()
	}
}

// get returns whether it got a message, and how many are left.
func (m *model) get(c *client) (left int, ok bool) {
	if m.gone {
		return 0, false
	}
	m.expire()
	ready := m.ready()
	if len(ready) == 0 || m.rate != nil && !m.rate.has(m.now) {
		return 0, false
	}
	m.take(ready[0], c)
	m.expire()
	return len(m.ready()), true
}

func (m *model) purge() int {
	gone := append(m.ready(), m.waiting()...)
	for _, msg := range gone {
		m.remove(msg)
	}
	return len(gone)
}

func (m *model) delete() {
	m.messages, m.consumers, m.ring, m.held, m.active, m.gone = nil, nil, nil, nil, nil, true
}

// restart keeps the messages. Those before the last that waits have been delivered for certain, and count as given back.
func (m *model) restart() {
	m.consumers, m.ring, m.held, m.active, m.returns = nil, nil, nil, nil, 0
	last := 0
	for _, msg := range m.messages {
		msg.holder, msg.redelivered, msg.back = nil, true, 0
		if msg.until <= m.now {
			msg.until = 0
		} else {
			last = msg.place
		}
	}
	for _, msg := range m.messages {
		if msg.until == 0 && msg.place < last {
			m.back(msg)
		}
	}
	if m.rate != nil {
		m.rate.tokens = m.rate.capacity()
	}
}

// modelRate is a token bucket that is filled each millisecond.
type modelRate struct {
	rate, period, burst int64 // rate in period milliseconds
	tokens, filled      int64 // period make a token
}

func newModelRate(rng *rand.Rand) *modelRate {
	r := &modelRate{rate: 1 + rng.Int64N(4), period: []int64{1000, 60_000}[rng.IntN(2)], burst: 1 + rng.Int64N(4)}
	if r.period == 60_000 {
		r.rate *= 60
	}
	r.tokens = r.capacity()
	return r
}

func (r *modelRate) String() string {
	unit := map[int64]string{1000: "s", 60_000: "m"}[r.period]
	return fmt.Sprintf("%d/%s burst %d", r.rate, unit, r.burst)
}

func (r *modelRate) capacity() int64 { return r.burst * r.period }

func (r *modelRate) has(now int64) bool {
	if r.filled == 0 {
		r.filled = now
	}
	for ; r.filled < now; r.filled++ {
		r.tokens = min(r.tokens+r.rate, r.capacity())
	}
	return r.tokens >= r.period
}

// next is when there is a token.
func (r *modelRate) next(now int64) int64 {
	later := *r
	for now--; !later.has(now); now++ {
	}
	return max(now, r.filled+1)
}
