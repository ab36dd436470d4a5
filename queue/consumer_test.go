package queue_test

import (
	"fmt"
	"slices"

	"github.com/warren-mq/warren/queue"
)

// delivered is what a test keeps of a delivery.
type delivered struct {
	consumer    string
	body        string
	seq         uint64
	redelivered bool
	ready       uint32
}

func (d delivered) String() string {
	s := d.consumer + " <- " + d.body
	if d.redelivered {
		s += " redelivered"
	}
	return s
}

// client is a consumer for single-threaded tests. It keeps to the protocol of Consumer and panics if the queue does
// not. All clients of a test share a sink, so that the order over all consumers can be seen.
type client struct {
	name    string
	noAck   bool
	credit  int // deliveries that it can take; -1: any number
	shared  *deliveries
	sub     *queue.Subscription
	unacked []delivered
	parked  bool // refused a delivery and has to resume
	woken   int
}

type deliveries struct {
	all  []delivered
	held *client           // whose outbox is acquired
	seqs map[string]uint64 // by body, if somebody wants to know
}

func (c *client) Acquire() {
	if c.shared.held != nil {
		panic(fmt.Sprintf("%s acquired while %s is held", c.name, c.shared.held.name))
	}
	c.shared.held = c
}

func (c *client) Release() {
	if c.shared.held != c {
		panic(c.name + " released but not acquired")
	}
	c.shared.held = nil
}

func (c *client) Wake() { c.woken++ }

func (c *client) Deliver(d *queue.Delivery) bool {
	if c.shared.held != c {
		panic(c.name + " delivered to but not acquired")
	}
	if d.Subscription != c.sub {
		panic(c.name + " got a delivery of another subscription")
	}
	if c.credit == 0 {
		c.parked = true
		return false
	}
	if c.credit > 0 {
		c.credit--
	}
	got := delivered{c.name, string(d.Message.Body), d.Seq, d.Redelivered, d.Ready}
	c.shared.all = append(c.shared.all, got)
	if c.shared.seqs != nil {
		c.shared.seqs[got.body] = got.seq
	}
	if !c.noAck {
		c.unacked = append(c.unacked, got)
	}
	return true
}

// settle removes the delivery with that body from what c has not acked and gives its credit back.
func (c *client) settle(body string) (seq uint64, ok bool) {
	i := slices.IndexFunc(c.unacked, func(d delivered) bool { return d.body == body })
	if i < 0 {
		return 0, false
	}
	seq = c.unacked[i].seq
	c.unacked = slices.Delete(c.unacked, i, i+1)
	if c.credit >= 0 {
		c.credit++
	}
	return seq, true
}

// resumes reports whether c has to be resumed, and takes note that it was.
func (c *client) resumes() bool {
	if !c.parked || c.credit == 0 {
		return false
	}
	c.parked = false
	return true
}

// message makes a message with a body and nothing else of interest.
func message(body string) queue.Message {
	return queue.Message{RoutingKey: []byte("q"), Properties: []byte{0, 0}, Body: []byte(body)}
}

// batch makes messages and the indices of all of them.
func batch(bodies ...string) (msgs []queue.Message, idx []int32) {
	for i, body := range bodies {
		msgs = append(msgs, message(body))
		idx = append(idx, int32(i))
	}
	return msgs, idx
}
