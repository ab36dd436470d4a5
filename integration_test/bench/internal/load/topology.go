package load

import (
	"fmt"

	"github.com/warren-mq/warren/integration_test/bench/internal/amqp"
)

// A topology is what a messaging scenario declares, and how its producers
// address their messages.
type topology struct {
	exchange string // "" is the default exchange
	kind     string
	queues   []string
	bindings []binding
	keys     [][]string // for each producer: its routing keys, used in turn
	copies   int        // deliveries for each published message
}

type binding struct{ queue, key string }

// channel is the one channel that every connection here uses.
const channel = 1

// queueNames gives the names of the scenario's queues. They depend on nothing
// but the scenario and a number, so that separate runs (fill, restart, drain)
// meet.
func queueNames(o *Options) []string {
	names := make([]string, o.Queues)
	for i := range names {
		names[i] = fmt.Sprintf("amqpbench.%s.%d", o.Scenario, i)
	}
	return names
}

// exchangeName differs for durable exchanges, so that one that another run
// has left behind is never in the way.
func exchangeName(o *Options, kind string) string {
	if o.Durable {
		return "amqpbench.durable." + kind
	}
	return "amqpbench." + kind
}

// direct spreads the producers over the queues through the default exchange.
func direct(o *Options) *topology {
	t := &topology{queues: queueNames(o), copies: 1, keys: make([][]string, o.Producers)}
	for p := range t.keys {
		t.keys[p] = []string{t.queues[p%o.Queues]}
		for q := p + o.Producers; q < o.Queues; q += o.Producers {
			t.keys[p] = append(t.keys[p], t.queues[q])
		}
	}
	return t
}

// fanout binds every queue to one fanout exchange.
func fanout(o *Options) *topology {
	t := &topology{exchange: exchangeName(o, "fanout"), kind: "fanout", queues: queueNames(o), copies: o.Queues}
	for _, q := range t.queues {
		t.bindings = append(t.bindings, binding{q, ""})
	}
	for range o.Producers {
		t.keys = append(t.keys, []string{"any"})
	}
	return t
}

// topic makes bindings with wildcards, spread over the queues, and four
// routing keys for each binding that match it and no other one.
func topic(o *Options) *topology {
	t := &topology{exchange: exchangeName(o, "topic"), kind: "topic", queues: queueNames(o), copies: 1}
	patterns := []string{"s.%04d.*.*", "*.%04d.#", "s.%04d.#.z", "#.%04d.*.z"}
	key := "s.%04d.k%d.z"
	if o.Bindings > 10_000 { // the keys of a producer are of one length
		patterns = []string{"s.%06d.*.*", "*.%06d.#", "s.%06d.#.z", "#.%06d.*.z"}
		key = "s.%06d.k%d.z"
	}
	var keys []string
	for i := range o.Bindings {
		t.bindings = append(t.bindings, binding{t.queues[i%o.Queues], fmt.Sprintf(patterns[i%len(patterns)], i)})
	}
	for j := range 4 {
		for i := range o.Bindings {
			keys = append(keys, fmt.Sprintf(key, i, j))
		}
	}
	for range o.Producers {
		t.keys = append(t.keys, keys)
	}
	return t
}

// declare makes the topology on the broker, fresh unless keep is set.
func (t *topology) declare(c *amqp.Conn, o *Options, keep bool) error {
	if !keep {
		for _, q := range t.queues {
			if err := c.DeleteQueue(channel, q); err != nil {
				return err
			}
		}
	}
	if t.exchange != "" {
		if err := c.DeclareExchange(channel, t.exchange, t.kind, o.Durable); err != nil {
			return err
		}
	}
	for _, q := range t.queues {
		if _, err := c.DeclareQueue(channel, amqp.Queue{Name: q, Durable: o.Durable, Args: o.QueueArgs}); err != nil {
			return err
		}
	}
	return c.Pipeline(channel, len(t.bindings), bindWindow, amqp.QueueBind, amqp.QueueBindOk, func(w *amqp.Writer, i int) {
		amqp.AppendBind(w, t.bindings[i].queue, t.exchange, t.bindings[i].key)
	})
}

// bindWindow is how many bindings are under way at a time.
const bindWindow = 500

func (t *topology) remove(c *amqp.Conn) error {
	for _, q := range t.queues {
		if err := c.DeleteQueue(channel, q); err != nil {
			return err
		}
	}
	if t.exchange != "" {
		return c.DeleteExchange(channel, t.exchange)
	}
	return nil
}

// ready counts the messages that wait in the queues.
func (t *topology) ready(c *amqp.Conn) (int, error) {
	sum := 0
	for _, q := range t.queues {
		n, err := c.DeclareQueue(channel, amqp.Queue{Name: q, Passive: true})
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// messages is a run of pre-encoded messages of equal length, which a producer
// writes again and again.
type messages struct {
	buf    []byte
	each   int // bytes of one message
	count  int // messages in buf
	most   int // messages for one write
	bodyAt int // offset of a body in its message
	next   int // number of the message to write next
}

// encode prepares the messages of one producer.
func encode(o *Options, exchange string, keys []string, frameMax int) (*messages, error) {
	var w amqp.Writer
	body := make([]byte, o.Size)
	for i := range body {
		body[i] = 'a' + byte(i%26)
	}
	m := &messages{}
	m.bodyAt = w.Publish(channel, exchange, keys[0], o.Persistent, body, frameMax)
	m.each = len(w.Buf)
	// Whole turns of the keys, for at least one full write.
	m.most = max(1, o.BatchBytes/m.each)
	m.count = (m.most + len(keys) - 1) / len(keys) * len(keys)
	w.Buf = make([]byte, 0, m.each*m.count)
	for i := range m.count {
		w.Publish(channel, exchange, keys[i%len(keys)], o.Persistent, body, frameMax)
	}
	m.buf = w.Buf
	if len(m.buf) != m.each*m.count {
		return nil, fmt.Errorf("routing keys of one producer differ in length")
	}
	return m, nil
}

// take returns the next messages to write, at most n of them, as bytes and
// as a number.
func (m *messages) take(n int) ([]byte, int) {
	n = min(n, m.most, m.count-m.next)
	b := m.buf[m.next*m.each : (m.next+n)*m.each]
	if m.next += n; m.next == m.count {
		m.next = 0
	}
	return b, n
}
