package core_test

import (
	"context"
	"fmt"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/amqptest"
)

// TestKeysStayWithTheirQueuesOverARestart: a hash exchange sends a key where it sent it before, although bindings come
// back in another order.
func TestKeysStayWithTheirQueuesOverARestart(t *testing.T) {
	dir := t.TempDir()
	var first map[string]int
	for run := range 2 {
		s, err := amqptest.Start(amqptest.WithDataDir(dir), amqptest.WithLog(t.Output()))
		must(t, err)
		conn, err := amqp091.Dial(s.URL)
		must(t, err)
		ch, err := conn.Channel()
		must(t, err)
		counts := map[string]int{}
		for _, typ := range []string{"x-consistent-hash", "x-modulus-hash"} {
			must(t, ch.ExchangeDeclare(typ, typ, true, false, false, false, nil))
			for i := range 8 {
				name := fmt.Sprint(typ, i)
				_, err := ch.QueueDeclare(name, true, false, false, false, nil)
				must(t, err)
				must(t, ch.QueueBind(name, fmt.Sprint(i+1), typ, false, nil))
			}
			for i := range 200 {
				must(t, ch.PublishWithContext(context.Background(), typ, fmt.Sprint(i), true, false, amqp091.Publishing{}))
			}
			for i := range 8 {
				n, err := ch.QueuePurge(fmt.Sprint(typ, i), false)
				must(t, err)
				counts[fmt.Sprint(typ, i)] = n
			}
		}
		conn.Close()
		must(t, s.Close())
		if run == 0 {
			first = counts
		} else if fmt.Sprint(first) != fmt.Sprint(counts) {
			t.Errorf("before the restart %v, after it %v", first, counts)
		}
	}
}

func TestLocalRandomTakesClassicQueuesOnly(t *testing.T) {
	s := amqptest.NewServer(t)
	conn, err := amqp091.Dial(s.URL)
	must(t, err)
	defer conn.Close()
	for i, c := range []struct {
		key   string
		args  amqp091.Table
		wants string
	}{
		{"", nil, ""},
		{"k", nil, "PRECONDITION_FAILED - Non empty binding 'k' key not permitted"},
		{"", amqp091.Table{"x-queue-type": "quorum"}, "PRECONDITION_FAILED - Queue type rabbit_quorum_queue not valid for this exchange type"},
	} {
		ch, err := conn.Channel()
		must(t, err)
		must(t, ch.ExchangeDeclare("x", "x-local-random", true, false, false, false, nil))
		name := fmt.Sprint("q", i)
		_, err = ch.QueueDeclare(name, true, false, false, false, c.args)
		must(t, err)
		err = ch.QueueBind(name, c.key, "x", false, nil)
		got := ""
		if e, ok := err.(*amqp091.Error); ok {
			got = e.Reason
		}
		if got != c.wants {
			t.Errorf("key %q, arguments %v: %q, want %q", c.key, c.args, got, c.wants)
		}
	}
}
