package exchange_test

import (
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/exchange"
)

func TestArgumentsOfDeduplication(t *testing.T) {
	for _, c := range []struct {
		typ  string
		args amqp.Table
		text string
	}{
		{"fanout", amqp.Table{{Name: "x-dedup-window", Value: "10m,5"}, {Name: "x-dedup-header", Value: "h"}}, ""},
		{"fanout", amqp.Table{{Name: "x-dedup-window", Value: "soon"}},
			`PRECONDITION_FAILED - invalid arg 'x-dedup-window' for exchange 'x' in vhost '/': "expected a time, a count, or both, such as 10m, 100000 or 10m,100000"`},
		{"fanout", amqp.Table{{Name: "x-dedup-window", Value: int32(5)}},
			`PRECONDITION_FAILED - invalid arg 'x-dedup-window' for exchange 'x' in vhost '/': {unacceptable_type,signedint}`},
		{"fanout", amqp.Table{{Name: "x-dedup-header", Value: "h"}},
			`PRECONDITION_FAILED - invalid arg 'x-dedup-header' for exchange 'x' in vhost '/': no_dedup_window_defined`},
		{"fanout", amqp.Table{{Name: "x-dedup-window", Value: "5"}, {Name: "x-dedup-dead-letter", Value: true}},
			`PRECONDITION_FAILED - invalid arg 'x-dedup-dead-letter' for exchange 'x' in vhost '/': "only queues dead-letter duplicates"`},
		{"x-message-deduplication", amqp.Table{{Name: "x-cache-size", Value: int32(5)}, {Name: "x-dedup-window", Value: "5"}},
			`PRECONDITION_FAILED - invalid arg 'x-dedup-window' for exchange 'x' in vhost '/': "exchanges of this type have x-cache-size"`},
		{"x-message-deduplication", amqp.Table{{Name: "x-cache-size", Value: int64(5)}, {Name: "x-cache-ttl", Value: int32(1)},
			{Name: "x-cache-persistence", Value: "disk"}}, ""},
		{"x-message-deduplication", amqp.Table{{Name: "x-cache-size", Value: "5"}}, ""},
		{"x-message-deduplication", nil,
			"PRECONDITION_FAILED - Missing or invalid argument, 'x-cache-size' must be an integer greater than 0"},
		{"x-message-deduplication", amqp.Table{{Name: "x-cache-size", Value: int32(0)}},
			"PRECONDITION_FAILED - Missing or invalid argument, 'x-cache-size' must be an integer greater than 0"},
		{"x-message-deduplication", amqp.Table{{Name: "x-cache-size", Value: "many"}},
			"PRECONDITION_FAILED - Missing or invalid argument, 'x-cache-size' must be an integer greater than 0"},
		{"x-message-deduplication", amqp.Table{{Name: "x-cache-size", Value: "5"}, {Name: "x-cache-ttl", Value: int32(-1)}},
			"PRECONDITION_FAILED - Invalid argument, 'x-cache-ttl' must be an integer greater than 0"},
		{"x-message-deduplication", amqp.Table{{Name: "x-cache-size", Value: "5"}, {Name: "x-cache-persistence", Value: "tape"}},
			"PRECONDITION_FAILED - Invalid argument, 'x-cache-persistence' must be either 'disk' or 'memory'"},
	} {
		_, err := exchange.New("/", exchange.Config{Name: "x", Type: c.typ, Arguments: c.args})
		if got := replyText(err); got != c.text {
			t.Errorf("%s %v: %s\nwant %s", c.typ, c.args, got, c.text)
		}
	}
}

func TestWindowsAreComparedOnRedeclare(t *testing.T) {
	with := func(args amqp.Table) exchange.Config {
		return exchange.Config{Name: "x", Type: "fanout", Durable: true, Arguments: args}
	}
	x := declare(t, "x", "fanout", func(c *exchange.Config) { c.Arguments = amqp.Table{{Name: "x-dedup-window", Value: "5"}} })
	for _, c := range []struct {
		args amqp.Table
		text string
	}{
		{amqp.Table{{Name: "x-dedup-window", Value: "5"}}, ""},
		{amqp.Table{{Name: "x-dedup-window", Value: "6"}},
			"PRECONDITION_FAILED - inequivalent arg 'x-dedup-window' for exchange 'x' in vhost '/': received '6' but current is '5'"},
		{nil, "PRECONDITION_FAILED - inequivalent arg 'x-dedup-window' for exchange 'x' in vhost '/': " +
			"received none but current is the value '5' of type 'longstr'"},
	} {
		if got := replyText(x.Equivalent(with(c.args))); got != c.text {
			t.Errorf("%v: %s\nwant %s", c.args, got, c.text)
		}
	}
}

// A duplicate goes nowhere: not to an alternate exchange, except from the plugin's type, which finds it unroutable.
func TestADuplicateIsNotRouted(t *testing.T) {
	rest := declare(t, "rest", "fanout")
	bind(t, rest, "", "rest")
	for _, c := range []struct {
		typ, want string
		args      amqp.Table
	}{
		{"fanout", "", amqp.Table{{Name: "x-dedup-window", Value: "5"}, {Name: "alternate-exchange", Value: "rest"}}},
		{"x-message-deduplication", "rest", amqp.Table{{Name: "x-cache-size", Value: int32(5)}, {Name: "alternate-exchange", Value: "rest"}}},
	} {
		x := declare(t, "x", c.typ, func(config *exchange.Config) { config.Arguments = c.args })
		bind(t, x, "", "bound")
		duplicate := false
		r := exchange.Router{
			Lookup:    func(string) *exchange.Exchange { return rest },
			Duplicate: func(*exchange.Exchange, *exchange.Message) bool { return duplicate },
		}
		m := message(t, "", nil)
		if found := r.Route(x, m, nil); len(found) != 1 || found[0].Name() != "bound" || r.Cacheable() {
			t.Errorf("%s: a new message goes to %v", c.typ, found)
		}
		duplicate = true
		got := ""
		for _, q := range r.Route(x, m, nil) {
			got += q.Name()
		}
		if got != c.want {
			t.Errorf("%s: a duplicate goes to %q, want %q", c.typ, got, c.want)
		}
	}
}
