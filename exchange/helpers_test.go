package exchange_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/exchange"
)

// matching are the types that give a message to all who match it, not to one of them.
var matching = []string{"direct", "fanout", "headers", "topic"}

type queue struct{ name string }

func (q *queue) Name() string { return q.name }

func toQueue(q exchange.Queue) exchange.Destination        { return exchange.Destination{Queue: q} }
func toExchange(x *exchange.Exchange) exchange.Destination { return exchange.Destination{Exchange: x} }

// declare makes an exchange; the options change its configuration.
func declare(t testing.TB, name, typ string, options ...func(*exchange.Config)) *exchange.Exchange {
	t.Helper()
	c := exchange.Config{Name: name, Type: typ, Durable: true}
	if typ == "x-message-deduplication" {
		c.Arguments = amqp.Table{{Name: "x-cache-size", Value: int32(10)}}
	}
	for _, o := range options {
		o(&c)
	}
	if typ == "x-delayed-message" {
		c.Arguments = c.Arguments.With("x-delayed-type", "topic")
	}
	x, err := exchange.New("/", c)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func alternate(name string) func(*exchange.Config) {
	return func(c *exchange.Config) { c.Arguments = c.Arguments.With("alternate-exchange", name) }
}

// bind binds queues of the given names to x, each with the key, and returns them.
func bind(t testing.TB, x *exchange.Exchange, key string, names ...string) []*queue {
	t.Helper()
	var queues []*queue
	for _, name := range names {
		q := &queue{name}
		if !x.Bind(toQueue(q), key, nil) {
			t.Fatalf("binding of %s with %q is not new", name, key)
		}
		queues = append(queues, q)
	}
	return queues
}

// message makes a message with the headers, if any.
func message(t testing.TB, key string, headers amqp.Table, extraKeys ...string) *exchange.Message {
	t.Helper()
	m := &exchange.Message{RoutingKey: []byte(key), Properties: new(amqp.Properties)}
	if headers != nil {
		raw, _, err := amqp.DecodeRawTable(amqp.AppendTable(nil, headers))
		if err != nil {
			t.Fatal(err)
		}
		m.Properties.Flags |= amqp.FlagHeaders
		m.Properties.Headers = raw
	}
	for _, k := range extraKeys {
		m.ExtraKeys = append(m.ExtraKeys, []byte(k))
	}
	return m
}

// names returns the names of queues, sorted and joined; duplicates show.
func names(queues []exchange.Queue) string {
	list := make([]string, len(queues))
	for i, q := range queues {
		list[i] = q.Name()
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// routed returns the names of the queues that m reaches through x.
func routed(r *exchange.Router, x *exchange.Exchange, m *exchange.Message) string {
	return names(r.Route(x, m, nil))
}

// routedKey is routed for a message without properties.
func routedKey(t testing.TB, x *exchange.Exchange, key string) string {
	t.Helper()
	return routed(new(exchange.Router), x, message(t, key, nil))
}

// newRand returns a source of chance and prints its seed.
func newRand(t testing.TB) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// replyText returns what a client is told, "" without an error.
func replyText(err error) string {
	if err == nil {
		return ""
	}
	return err.(*amqp.Error).ReplyText()
}
