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
	exact         bool
	orderingKey   string
	maxPassed     int // of a queue with an ordering key

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
	cursor    int  // with an ordering key: places before it have been looked at
	stalled   bool // the cursor could not pass a message, since as many as may be were passed

	deliveries []string // of the present step
	wake       []string
	dead       []string
	refused    []int32
}

type modelMessage struct {
	body        string
	key         string // "" for none
	priority    uint8
	place       int
	expires     int64   // 0: never
	holder      *client // nil: in the queue
	redelivered bool
	count       int
	until       int64 // waits until then, or until it expires if that is sooner; 0: does not wait
	back        int   // of a quorum queue: number of its return, 0 for what was not given back
	given       bool  // was given back, and is not in the order of those that were never delivered
}

func newModel(rng *rand.Rand) model {
	m := model{now: 1_000_000, priority: map[*client]int{}, credit: map[*client]int{}, started: map[*client]bool{}, rates: map[*client]*modelRate{}}
	maybe := func() bool { return rng.IntN(3) == 0 }
	m.quorum, m.ttls, m.deadLetters, m.singleActive = maybe(), maybe(), rng.IntN(2) == 0, rng.IntN(4) == 0
	switch {
	case maybe():
		m.orderingKey, m.maxPassed = []string{"routing-key", "key"}[rng.IntN(2)], 1+rng.IntN(6)
	case !m.quorum && maybe():
		m.priorities = 3
	}
	m.exact = maybe()
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
	if maybe() {
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
	if m.exact {
		add("exact-ttl", true)
	}
	if m.orderingKey != "" {
		add("ordering-key", m.orderingKey)
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
	if m.orderingKey != "" {
		return m.keyedOrder(list)
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

// deliver hands out what it can, and drops what has expired at the head or, if expiry is exact, anywhere.
func (m *model) deliver() {
	if m.exact {
		m.expire()
	}
	for again := true; again; again = len(m.ring) > 0 && m.unstalled() {
		m.handOut()
		m.expire()
	}
}

func (m *model) handOut() {
	for len(m.ring) > 0 {
		msg := m.next()
		if msg == nil {
			return
		}
		if msg.expired(m.now) {
			m.die(msg, "expired")
			continue
		}
		if m.rate != nil && !m.rate.has(m.now) || !m.give(msg) {
			return
		}
	}
}

// next is the message that may be delivered next.
func (m *model) next() *modelMessage {
	ready := m.ready()
	switch {
	case m.orderingKey != "":
		return m.nextKeyed(ready)
	case len(ready) == 0:
		return nil
	}
	return ready[0]
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
	m.cursor = max(m.cursor, msg.place+1)
	if msg.holder, msg.back, msg.given = c, 0, false; c.noAck {
		m.remove(msg)
	}
}

// expire drops what has expired at the head or, if expiry is exact, anywhere.
func (m *model) expire() {
	for {
		ready := m.ready()
		if m.exact {
			ready = inOrderOfExpiry(ready)
		} else {
			m.seek(ready)
		}
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
		if len(m.waiting()) == 0 {
			m.seek(m.ready())
		}
		m.die(append(m.waiting(), m.ready()...)[0], "maxlen")
	}
}

// publish takes messages; keys has the ordering key of each.
func (m *model) publish(msgs []queue.Message, keys []string, idx []int32) {
	if m.gone {
		return
	}
	if m.exact {
		m.expire()
	}
	straight := true
	for _, i := range idx {
		msg := &modelMessage{body: string(msgs[i].Body), key: keys[i], priority: min(msgs[i].Priority, m.priorities)}
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
		switch {
		case m.orderingKey != "":
			straight = len(m.ring) > 0 && m.allPassed()
		default:
			straight = straight && len(m.ring) > 0 && len(m.ready()) == 0
		}
		straight = straight && (m.rate == nil || m.rate.has(m.now))
		m.place(msg)
		switch {
		case straight && m.inFlight()[msg.key]:
			m.pass(msg)
		case straight:
			m.give(msg)
		}
		if limited {
			waited := len(m.waiting())
			m.dropExcess()
			if m.orderingKey != "" && len(m.waiting()) < waited {
				m.deliver() // what was dropped may have held up its key
			}
			if m.unstalled() {
				m.deliver()
			}
			m.expire()
		}
	}
	m.expire()
	if m.unstalled() {
		m.deliver()
	}
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
		msg := m.find(body)
		m.takeBack(msg, s.failed[i], m.quorum && m.limit() == 0 && (msg == nil || msg.key == ""))
	}
	for _, body := range s.returned {
		m.takeBack(m.find(body), true, false)
	}
	if !m.quorum {
		m.dropExcess()
	}
	for _, c := range s.resumed {
		if slices.Contains(m.consumers, c) {
			m.enter(c)
		}
	}
	m.deliver()
	if m.quorum {
		m.dropExcess()
		m.deliver()
	}
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
	if m.orderingKey != "" {
		if msg.given = msg.place < m.cursor; !msg.given || msg.key != "" {
			return // in its old place
		}
	}
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
	cursor, stalled := m.cursor, m.stalled
	defer func() { m.cursor, m.stalled = cursor, stalled }() // next moves them
	sooner := func(t int64) {
		if at == 0 || t < at {
			at = t
		}
	}
	if waiting := m.waiting(); len(waiting) > 0 {
		sooner(waiting[0].dueAt())
	}
	ready := m.ready()
	if m.exact {
		ready = inOrderOfExpiry(ready)
	}
	if len(ready) > 0 && ready[0].expires != 0 {
		sooner(ready[0].expires)
	}
	if len(m.ring) > 0 && m.rate != nil && m.next() != nil {
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
	if m.rate != nil && !m.rate.has(m.now) {
		return 0, false
	}
	msg := m.next()
	for ; msg != nil && msg.expired(m.now); msg = m.next() {
		m.die(msg, "expired")
	}
	if msg == nil {
		return 0, false
	}
	m.take(msg, c)
	left = len(m.ready())
	if m.expire(); !m.quorum || c.noAck {
		left = len(m.ready())
	}
	return left, true
}

func (m *model) purge() int {
	gone := append(m.ready(), m.waiting()...)
	for _, msg := range gone {
		m.remove(msg)
	}
	m.stalled = false
	return len(gone)
}

func (m *model) delete() {
	m.messages, m.consumers, m.ring, m.held, m.active, m.gone = nil, nil, nil, nil, nil, true
}

// restart keeps the messages. Those before the last that waits have been delivered for certain, and count as given back.
func (m *model) restart() {
	m.consumers, m.ring, m.held, m.active, m.returns, m.cursor, m.stalled = nil, nil, nil, nil, 0, 0, false
	last := 0
	for _, msg := range m.messages {
		msg.holder, msg.redelivered, msg.back, msg.given = nil, true, 0, false
		if msg.until <= m.now {
			msg.until = 0
		} else {
			last = msg.place
		}
	}
	for _, msg := range m.messages {
		if m.orderingKey == "" && msg.until == 0 && msg.place < last {
			m.back(msg)
		}
	}
	if m.rate != nil {
		m.rate.fill()
	}
}
