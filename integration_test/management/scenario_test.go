package management_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// scenario is a small world that shows every field: three connections, channels of all kinds, queues with and without
// messages and consumers, names that need escaping. It is the same on every broker, so most values are too.
type scenario struct {
	target *target
	// The names of connections, which hold their ports.
	publisher, worker, other string
}

// Names that are hard in a path.
const (
	oddVHost = "a/b %2F"
	oddQueue = "q/ü %25?&=+#.."
)

// play builds the scenario. It stands until the test ends.
func play(t *testing.T, on *target) *scenario {
	t.Helper()
	s := &scenario{target: on}
	on.addVHost(t, "orders")
	on.addVHost(t, oddVHost)
	on.addUser(t, "nobody", "")
	for _, tag := range []string{"management", "policymaker", "monitoring", "administrator"} {
		on.addUser(t, tag, tag)
	}
	on.permit(t, "guest", "orders")
	on.permit(t, "guest", oddVHost)
	on.permit(t, "management", "orders")
	on.permit(t, "nobody", "orders")
	s.declare(t)
	s.publish(t)
	s.consume(t)
	s.consumeElsewhere(t)
	return s
}

// declare makes the topology over a connection that is closed again, so that counts of what is gone are in it too.
func (s *scenario) declare(t *testing.T) {
	c := s.target.dial(t, "guest", "/", nil)
	ch := must(c.Channel())(t)
	args := amqp.Table{"x-message-ttl": int64(3_600_000), "x-dead-letter-exchange": "fan"}
	must(ch.QueueDeclare("work", true, false, false, false, args))(t)
	must(ch.QueueDeclare("copies", false, false, false, false, nil))(t)
	must(ch.QueueDeclare("idle", true, true, false, false, nil))(t)
	must(ch.QueueDeclare("deleted", false, false, false, false, nil))(t)
	must(ch.QueueDelete("deleted", false, false, false))(t)
	check(t, ch.ExchangeDeclare("fan", "fanout", true, false, false, false, amqp.Table{"alternate-exchange": "amq.fanout"}))
	check(t, ch.ExchangeDeclare("inner", "topic", false, false, true, false, nil))
	check(t, ch.ExchangeBind("inner", "a b.c/d#~", "fan", false, nil))
	check(t, ch.QueueBind("copies", "", "fan", false, nil))
	check(t, ch.QueueBind("copies", "", "amq.headers", false, amqp.Table{"x-match": "all", "n": int32(1)}))
	check(t, ch.QueueBind("idle", "a.*.#", "amq.topic", false, nil))
	check(t, c.Close())

	odd := s.target.dial(t, "guest", oddVHost, nil)
	ch = must(odd.Channel())(t)
	must(ch.QueueDeclare(oddQueue, false, false, false, false, nil))(t)
	check(t, odd.Close())
}

// publish opens a connection with a channel of confirms and one of transactions.
func (s *scenario) publish(t *testing.T) {
	c := s.target.dial(t, "guest", "/", amqp.Table{
		"connection_name": "the publisher", "product": "scenario",
		"int": int64(5), "float": 1.5, "bool": true, "list": []any{"x", int32(1), amqp.Table{"k": "v"}},
		"table": amqp.Table{"k": "v", "n": int32(-1)}, "time": time.Unix(1_700_000_000, 0), "binary": []byte{1, 255},
	})
	s.publisher = nameOf(c)
	ch := must(c.Channel())(t)
	check(t, ch.Confirm(false))
	send := func(exchange, key string, mandatory bool, m amqp.Publishing) {
		t.Helper()
		d := must(ch.PublishWithDeferredConfirmWithContext(t.Context(), exchange, key, mandatory, false, m))(t)
		if !d.Wait() {
			t.Fatal("a publish was nacked")
		}
	}
	body := []byte("hello")
	for range 4 {
		send("", "work", false, amqp.Publishing{Body: body, DeliveryMode: amqp.Persistent, Timestamp: time.Unix(1_700_000_001, 0)})
	}
	for range 3 {
		send("fan", "", false, amqp.Publishing{Body: body, Timestamp: time.Unix(1_700_000_002, 0)})
	}
	send("amq.direct", "nowhere", true, amqp.Publishing{Body: body})
	send("amq.direct", "nowhere", false, amqp.Publishing{Body: body})

	tx := must(c.Channel())(t)
	check(t, tx.Tx())
	for range 2 {
		check(t, tx.PublishWithContext(t.Context(), "fan", "", false, false, amqp.Publishing{Body: body}))
	}
}

// consume opens a connection without a name of its own: it consumes, gets and leaves messages unacknowledged.
func (s *scenario) consume(t *testing.T) {
	c := s.target.dial(t, "guest", "/", nil)
	s.worker = nameOf(c)
	ch := must(c.Channel())(t)
	check(t, ch.Qos(3, 0, false))
	work := must(ch.ConsumeWithContext(t.Context(), "work", "worker", false, false, false, false, amqp.Table{"x-priority": int32(2)}))(t)
	first, second, _ := receive(t, work), receive(t, work), receive(t, work)
	check(t, first.Ack(false))
	receive(t, work)
	check(t, second.Nack(false, true)) // comes back at once
	receive(t, work)

	must(ch.QueueDeclare("mine", false, true, true, false, nil))(t)
	must(ch.ConsumeWithContext(t.Context(), "mine", "owner", true, true, false, false, nil))(t)

	gets := must(c.Channel())(t)
	check(t, gets.Qos(5, 0, true))
	for _, autoAck := range []bool{true, false} {
		if _, ok, err := gets.Get("copies", autoAck); err != nil || !ok {
			t.Fatalf("got nothing from copies: %v", err)
		}
	}
	if _, ok, err := gets.Get("mine", true); err != nil || ok {
		t.Fatalf("got something from an empty queue, or: %v", err)
	}
}

// consumeElsewhere opens the connection of another user in another vhost.
func (s *scenario) consumeElsewhere(t *testing.T) {
	c := s.target.dial(t, "management", "orders", amqp.Table{"connection_name": "orders"})
	s.other = nameOf(c)
	ch := must(c.Channel())(t)
	must(ch.QueueDeclare("placed", true, false, false, false, nil))(t)
	must(ch.ConsumeWithContext(t.Context(), "placed", "elsewhere", true, false, false, false, nil))(t)
	must(ch.QueueDeclare("single", true, false, false, false, amqp.Table{"x-single-active-consumer": true}))(t)
	for _, tag := range []string{"active", "waiting"} {
		must(ch.ConsumeWithContext(t.Context(), "single", tag, false, false, false, false, nil))(t)
	}
	must(ch.QueueDeclare("log", true, false, false, false, amqp.Table{"x-queue-type": "quorum"}))(t)
	check(t, ch.Confirm(false))
	for range 2 {
		d := must(ch.PublishWithDeferredConfirmWithContext(t.Context(), "", "log", false, false, amqp.Publishing{Body: []byte("entry")}))(t)
		d.Wait()
	}
}

func receive(t *testing.T, from <-chan amqp.Delivery) amqp.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	select {
	case d, ok := <-from:
		if !ok {
			t.Fatal("the consumer was cancelled")
		}
		return d
	case <-ctx.Done():
		t.Fatal("no delivery came")
	}
	panic("unreachable")
}

// nameOf is what brokers call a connection.
func nameOf(c *amqp.Connection) string { return fmt.Sprintf("%s -> %s", c.LocalAddr(), c.RemoteAddr()) }

// expand puts the names of this run into a path: {publisher}, {publisher 1} for its first channel, {node}.
func (s *scenario) expand(t *testing.T, path string) string {
	names := map[string]string{"publisher": s.publisher, "worker": s.worker, "other": s.other, "odd-vhost": oddVHost, "odd-queue": oddQueue}
	for key, name := range names {
		path = strings.ReplaceAll(path, "{"+key+"}", url.PathEscape(name))
		for n := 1; n <= 2; n++ {
			path = strings.ReplaceAll(path, fmt.Sprintf("{%s %d}", key, n), url.PathEscape(fmt.Sprintf("%s (%d)", name, n)))
		}
	}
	if strings.Contains(path, "{node}") {
		path = strings.ReplaceAll(path, "{node}", url.PathEscape(s.node(t)))
	}
	return path
}
