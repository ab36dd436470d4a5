package queue_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/queue"
)

// reply returns the code and text of an error as a client sees them, "" for none.
func reply(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	e, ok := errors.AsType[*amqp.Error](err)
	if !ok {
		t.Fatalf("%v is no *amqp.Error", err)
	}
	return e.ReplyText()
}

// table makes a table of names and values in turn.
func table(namesAndValues ...any) (args amqp.Table) {
	for pair := range slices.Chunk(namesAndValues, 2) {
		args = append(args, amqp.Field{Name: pair[0].(string), Value: pair[1]})
	}
	return args
}

const (
	invalidArg = "PRECONDITION_FAILED - invalid arg '"
	forQ       = "' for queue 'q' in vhost '/': "
	tenYears   = int64(315_360_000_000)
)

// everyType has a value of each field type, with the name that RabbitMQ gives it.
var everyType = map[string]any{
	"byte": int8(5), "unsignedbyte": uint8(5), "short": int16(5), "unsignedshort": uint16(5),
	"signedint": int32(5), "unsignedint": uint32(5), "long": int64(5),
	"float": float32(5), "double": float64(5), "decimal": amqp.Decimal{Value: 5}, "longstr": "5",
	"binary": amqp.Binary("5"), "bool": true, "timestamp": amqp.Timestamp(5), "table": amqp.Table{},
	"array": amqp.Array{}, "void": nil,
}

var integerTypes = []string{"byte", "unsignedbyte", "short", "unsignedshort", "signedint", "unsignedint", "long"}

// TestArgumentTypes gives every argument a value of every type (texts of RabbitMQ 3.10.8).
func TestArgumentTypes(t *testing.T) {
	with := map[string]amqp.Table{ // what an argument needs beside it to be asked at all
		"x-dead-letter-routing-key": table("x-dead-letter-exchange", "dlx"),
		"x-dedup-header":            table("x-dedup-window", "5"),
		"x-dedup-dead-letter":       table("x-dedup-window", "5", "x-dead-letter-exchange", "dlx"),
	}
	for _, group := range []struct {
		kind      string
		arguments []string
		types     []string // that pass; strings and 5 are legal values of all that are listed
		refusal   func(typeName string) string
	}{
		{"classic", []string{"x-message-ttl", "x-expires", "x-max-length", "x-max-length-bytes", "x-max-priority"}, integerTypes, integerExpected},
		{"quorum", []string{"x-message-ttl", "x-expires", "x-max-length", "x-max-length-bytes",
			"x-max-in-memory-length", "x-max-in-memory-bytes", "x-quorum-initial-group-size"}, integerTypes, integerExpected},
		{"classic", []string{"x-single-active-consumer", "x-exact-ttl"}, []string{"bool"}, unacceptableType},
		{"quorum", []string{"x-single-active-consumer", "x-exact-ttl"}, []string{"bool"}, unacceptableType},
		{"classic", []string{"x-ordering-key"}, []string{"longstr"}, unacceptableType},
		{"quorum", []string{"x-ordering-key"}, []string{"longstr"}, unacceptableType},
		{"classic", []string{"x-dead-letter-routing-key", "x-queue-master-locator"}, []string{"longstr"}, unacceptableType},
		{"classic", []string{"x-retry"}, nil, textInstead(`"unsupported retry step '5'"`)},
		{"quorum", []string{"x-retry"}, nil, textInstead(`"unsupported retry step '5'"`)},
		{"quorum", []string{"x-delayed-retry-type"}, nil, textInstead("invalid_delayed_retry_type")},
		{"quorum", []string{"x-delayed-retry-min", "x-delayed-retry-max"}, integerTypes, integerExpected},
		{"classic", []string{"x-rate-limit"}, append([]string{"longstr"}, integerTypes...), unacceptableType},
		{"quorum", []string{"x-rate-limit"}, append([]string{"longstr"}, integerTypes...), unacceptableType},
		{"classic", []string{"x-durability"}, nil, textInstead(`"unsupported durability '5'"`)},
		{"classic", []string{"x-message-deduplication"}, []string{"bool"}, unacceptableType},
		{"classic", []string{"x-dedup-window"}, []string{"longstr"}, unacceptableType},
		{"quorum", []string{"x-dedup-window"}, []string{"longstr"}, unacceptableType},
		{"classic", []string{"x-dedup-header"}, []string{"longstr"}, unacceptableType},
		{"classic", []string{"x-dedup-dead-letter"}, []string{"bool"}, unacceptableType},
	} {
		for _, name := range group.arguments {
			for typeName, value := range everyType {
				args := append(table("x-queue-type", group.kind, name, value), with[name]...)
				err := queue.CheckArguments("q", "/", true, false, false, false, args)
				want := ""
				if !slices.Contains(group.types, typeName) {
					want = invalidArg + name + forQ + group.refusal(typeName)
				}
				if got := reply(t, err); got != want {
					t.Errorf("%s %s of type %s:\n got %q\nwant %q", group.kind, name, typeName, got, want)
				}
			}
		}
	}
}

func integerExpected(typeName string) string  { return `"expected integer, got ` + typeName + `"` }
func unacceptableType(typeName string) string { return "{unacceptable_type," + typeName + "}" }

// textInstead is for arguments that take text, and not that of everyType.
func textInstead(refusal string) func(typeName string) string {
	return func(typeName string) string {
		if typeName == "longstr" {
			return refusal
		}
		return unacceptableType(typeName)
	}
}

// TestArgumentValues has each argument's range and values, and each combination that is refused.
func TestArgumentValues(t *testing.T) {
	quorum := func(more ...any) amqp.Table { return table(append([]any{"x-queue-type", "quorum"}, more...)...) }
	for _, test := range []struct {
		args amqp.Table
		want string // after invalidArg; "" if it passes
	}{
		{nil, ""},
		{table("x-foo", 1.5, "x-ha-policy", "all", "x-consumer-timeout", "soon"), ""},

		{table("x-queue-type", "classic"), ""},
		{quorum(), ""},
		{table("x-queue-type", "stream"), "x-queue-type" + forQ + `"unsupported queue type 'stream'"`},
		{table("x-queue-type", "foo"), "x-queue-type" + forQ + `"unsupported queue type 'foo'"`},
		{table("x-queue-type", `f"o\o`), "x-queue-type" + forQ + `"unsupported queue type 'f\"o\\o'"`},
		{table("x-queue-type", true), "x-queue-type" + forQ + "{unacceptable_type,bool}"},

		{table("x-message-ttl", int32(0)), ""},
		{table("x-message-ttl", tenYears), ""},
		{table("x-message-ttl", tenYears+1), "x-message-ttl" + forQ + "{value_too_large,315360000001}"},
		{table("x-message-ttl", int64(math.MaxInt64)), "x-message-ttl" + forQ + "{value_too_large,9223372036854775807}"},
		{table("x-message-ttl", int8(-1)), "x-message-ttl" + forQ + "{value_negative,-1}"},

		{table("x-expires", int32(1)), ""},
		{table("x-expires", int32(0)), "x-expires" + forQ + "{value_zero,0}"},
		{table("x-expires", int32(-1)), "x-expires" + forQ + "{value_negative,-1}"},
		{table("x-expires", tenYears+1), "x-expires" + forQ + "{value_too_large,315360000001}"},

		{table("x-max-length", int32(0)), ""},
		{table("x-max-length", int64(math.MaxInt64)), ""},
		{table("x-max-length", int64(-5)), "x-max-length" + forQ + "{value_negative,-5}"},
		{table("x-max-length-bytes", int32(-1)), "x-max-length-bytes" + forQ + "{value_negative,-1}"},

		{table("x-overflow", "drop-head"), ""},
		{table("x-overflow", "reject-publish"), ""},
		{table("x-overflow", "reject-publish-dlx"), ""},
		{quorum("x-overflow", "reject-publish-dlx"), ""},
		{table("x-overflow", "drop-tail"), "x-overflow" + forQ + "invalid_overflow"},
		{table("x-overflow", int32(1)), "x-overflow" + forQ + "{unacceptable_type,signedint}"},

		{table("x-dead-letter-exchange", ""), ""},
		{table("x-dead-letter-exchange", "dlx", "x-dead-letter-routing-key", "key"), ""},
		{table("x-dead-letter-routing-key", "key"), "x-dead-letter-routing-key" + forQ + "routing_key_but_no_dlx_defined"},
		{
			table("x-dead-letter-exchange", "", "x-dead-letter-routing-key", strings.Repeat("k", 256)),
			"x-dead-letter-routing-key" + forQ + `"a routing key has at most 255 bytes, this one 256"`,
		},
		{table("x-dead-letter-exchange", "", "x-dead-letter-routing-key", strings.Repeat("k", 255)), ""},
		{quorum("x-dead-letter-strategy", "at-most-once"), ""},
		{quorum("x-dead-letter-strategy", "at-least-once"), ""},
		{quorum("x-dead-letter-strategy", "twice"), "x-dead-letter-strategy" + forQ + "invalid_dlx_strategy"},
		{quorum("x-dead-letter-strategy", false), "x-dead-letter-strategy" + forQ + "{unacceptable_type,bool}"},

		{table("x-max-priority", int32(0)), ""},
		{table("x-max-priority", int32(255)), ""},
		{table("x-max-priority", int32(256)), "x-max-priority" + forQ + "{max_value_exceeded,256}"},
		{table("x-max-priority", int32(-1)), "x-max-priority" + forQ + "{value_negative,-1}"},

		{table("x-single-active-consumer", false), ""},

		{table("x-queue-mode", "default"), ""},
		{table("x-queue-mode", "lazy"), ""},
		{table("x-queue-mode", "fast"), "x-queue-mode" + forQ + `"unsupported queue mode 'fast'"`},
		{table("x-queue-mode", int32(1)), "x-queue-mode" + forQ + "{unacceptable_type,signedint}"},

		{table("x-durability", "fsync"), ""},
		{table("x-durability", "os"), ""},
		{table("x-durability", "memory"), ""},
		{quorum("x-durability", "fsync"), ""},
		{table("x-durability", "x"), "x-durability" + forQ + `"unsupported durability 'x'"`},
		{table("x-durability", true), "x-durability" + forQ + "{unacceptable_type,bool}"},
		{quorum("x-durability", "os"), "x-durability" + forQ + `"unsupported durability 'os' of a quorum queue"`},
		{quorum("x-durability", "memory"), "x-durability" + forQ + `"unsupported durability 'memory' of a quorum queue"`},
		{quorum("x-durability", "x"), "x-durability" + forQ + `"unsupported durability 'x'"`},

		{table("x-ordering-key", "routing-key"), ""},
		{quorum("x-ordering-key", "customer"), ""},
		{table("x-ordering-key", "customer", "x-max-priority", int32(0)), ""},
		{table("x-ordering-key", ""), "x-ordering-key" + forQ + `"unsupported ordering key ''"`},
		{table("x-ordering-key", strings.Repeat("x", 255)), ""},
		{quorum("x-ordering-key", strings.Repeat("x", 256)), "x-ordering-key" + forQ + `"a header's name has at most 255 bytes, this one 256"`},
		{table("x-ordering-key", "customer", "x-max-priority", int32(5)), "x-ordering-key" + forQ + `"unsupported together with x-max-priority"`},
		{table("x-exact-ttl", true), ""},
		{quorum("x-exact-ttl", false), ""},
		{table("x-exact-ttl", "true"), "x-exact-ttl" + forQ + "{unacceptable_type,longstr}"},

		{table("x-queue-version", int32(1)), ""},
		{table("x-queue-version", uint8(2)), ""},
		{table("x-queue-version", int32(3)), "x-queue-version" + forQ + `"unsupported queue version '3'"`},
		{table("x-queue-version", int32(-1)), "x-queue-version" + forQ + "{value_negative,-1}"},
		{table("x-queue-version", "2"), "x-queue-version" + forQ + `"expected integer, got longstr"`},

		{quorum("x-queue-leader-locator", "client-local"), ""},
		{quorum("x-queue-leader-locator", "balanced"), ""},
		{quorum("x-queue-leader-locator", "random"), ""},
		{quorum("x-queue-leader-locator", "least-leaders"), ""},
		{quorum("x-queue-leader-locator", "nearest"), "x-queue-leader-locator" + forQ + "invalid_queue_locator_arg"},
		{quorum("x-queue-leader-locator", int32(1)), "x-queue-leader-locator" + forQ + "{unacceptable_type,signedint}"},

		{quorum("x-quorum-initial-group-size", int32(3)), ""},
		{quorum("x-quorum-initial-group-size", int32(0)), "x-quorum-initial-group-size" + forQ + "{value_zero,0}"},
		{quorum("x-quorum-initial-group-size", int32(-1)), "x-quorum-initial-group-size" + forQ + "{value_negative,-1}"},
		{quorum("x-max-in-memory-length", int32(-1)), "x-max-in-memory-length" + forQ + "{value_negative,-1}"},
		{quorum("x-max-in-memory-bytes", int32(-1)), "x-max-in-memory-bytes" + forQ + "{value_negative,-1}"},

		{quorum("x-delivery-limit", int32(20)), ""},
		{quorum("x-delivery-limit", "many"), ""}, // not type-checked
	} {
		want := ""
		if test.want != "" {
			want = invalidArg + test.want
		}
		if got := reply(t, queue.CheckArguments("q", "/", true, false, false, false, test.args)); got != want {
			t.Errorf("%v:\n got %q\nwant %q", test.args, got, want)
		}
	}
}

func TestDeadLetterExchangeOfAWrongTypeHasATextOfItsOwn(t *testing.T) {
	for typeName, value := range everyType {
		want := "PRECONDITION_FAILED - invalid type '" + typeName + "' for arg 'x-dead-letter-exchange' in queue 'q' in vhost '/'"
		if typeName == "longstr" {
			want = ""
		}
		args := table("x-queue-type", "foo-if-not-reached-first", "x-dead-letter-exchange", value)
		if want == "" {
			args = args[1:]
		}
		if got := reply(t, queue.CheckArguments("q", "/", true, false, false, false, args)); got != want {
			t.Errorf("%s:\n got %q\nwant %q", typeName, got, want)
		}
	}
}

// TestArgumentsOfAnotherQueueType: what the type does not know is refused if another type knows it.
func TestArgumentsOfAnotherQueueType(t *testing.T) {
	foreign := map[string][]string{
		"classic": {"x-dead-letter-strategy", "x-delivery-limit", "x-quorum-initial-group-size", "x-queue-leader-locator",
			"x-max-in-memory-length", "x-max-in-memory-bytes", "x-max-age", "x-stream-max-segment-size-bytes", "x-initial-cluster-size"},
		"quorum": {"x-max-priority", "x-queue-mode", "x-queue-version", "x-queue-master-locator",
			"x-max-age", "x-stream-max-segment-size-bytes", "x-initial-cluster-size"},
	}
	for kind, names := range foreign {
		for _, name := range names {
			want := invalidArg + name + "' for queue 'q' in vhost '/' of queue type rabbit_" + kind + "_queue"
			args := table("x-queue-type", kind, name, "any value")
			if got := reply(t, queue.CheckArguments("q", "/", true, false, false, false, args)); got != want {
				t.Errorf("%s %s:\n got %q\nwant %q", kind, name, got, want)
			}
		}
	}
}

// TestOrderOfDeclareChecks has two faults at a time; the first in RabbitMQ's order is told.
func TestOrderOfDeclareChecks(t *testing.T) {
	type properties struct{ durable, exclusive, autoDelete, serverNamed bool }
	good := properties{durable: true}
	serverNamed := "PRECONDITION_FAILED - Cannot declare a server-named queue for type rabbit_quorum_queue"
	for _, test := range []struct {
		properties
		args amqp.Table
		want string
	}{
		{properties{serverNamed: true}, table("x-queue-type", "quorum", "x-dead-letter-exchange", int32(1)), serverNamed},
		{properties{serverNamed: true}, nil, ""},
		{good, table("x-queue-type", int32(1), "x-dead-letter-exchange", int32(1)), "PRECONDITION_FAILED - invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue 'q' in vhost '/'"},
		{good, table("x-expires", "1", "x-queue-type", int32(1)), invalidArg + "x-queue-type" + forQ + "{unacceptable_type,signedint}"},
		{good, table("x-max-age", "1D", "x-message-ttl", "1", "x-expires", "1"), invalidArg + "x-expires" + forQ + `"expected integer, got longstr"`},
		{good, table("x-max-age", "1D", "x-delivery-limit", int32(1)), invalidArg + "x-max-age' for queue 'q' in vhost '/' of queue type rabbit_classic_queue"},
		{good, table("x-delivery-limit", int32(1), "x-max-age", "1D"), invalidArg + "x-delivery-limit' for queue 'q' in vhost '/' of queue type rabbit_classic_queue"},
		{properties{}, table("x-queue-type", "quorum", "x-max-age", "1D"), invalidArg + "x-max-age' for queue 'q' in vhost '/' of queue type rabbit_quorum_queue"},
		{properties{exclusive: true, autoDelete: true}, table("x-queue-type", "quorum"), "PRECONDITION_FAILED - invalid property 'auto-delete' for queue 'q' in vhost '/'"},
		{properties{exclusive: true}, table("x-queue-type", "quorum"), "PRECONDITION_FAILED - invalid property 'exclusive-owner' for queue 'q' in vhost '/'"},
		{properties{}, table("x-queue-type", "quorum"), "PRECONDITION_FAILED - invalid property 'non-durable' for queue 'q' in vhost '/'"},
		{properties{exclusive: true, autoDelete: true}, table("x-queue-type", "classic"), ""},
	} {
		err := queue.CheckArguments("q", "/", test.durable, test.exclusive, test.autoDelete, test.serverNamed, test.args)
		if got := reply(t, err); got != test.want {
			t.Errorf("%+v %v:\n got %q\nwant %q", test.properties, test.args, got, test.want)
		}
	}
}

func TestConsumeArguments(t *testing.T) {
	for _, test := range []struct {
		kind string
		args amqp.Table
		want string
	}{
		{"classic", table("x-priority", int64(-7), "x-foo", 1.5, "x-cancel-on-ha-failover", true), ""},
		{"classic", table("x-priority", "7"), "x-priority" + forQ + `"expected integer, got longstr"`},
		{"classic", table("x-priority", true), "x-priority" + forQ + `"expected integer, got bool"`},
		{"quorum", table("x-priority", 7.0), "x-priority" + forQ + `"expected integer, got double"`},
		{"classic", table("x-cancel-on-ha-failover", "yes"), "x-cancel-on-ha-failover" + forQ + "{unacceptable_type,longstr}"},
		{"quorum", table("x-cancel-on-ha-failover", true), "x-cancel-on-ha-failover' for queue 'q' in vhost '/' of queue type rabbit_quorum_queue"},
		{"classic", table("x-stream-offset", "first"), "x-stream-offset' for queue 'q' in vhost '/' of queue type rabbit_classic_queue"},
	} {
		q := queue.New(queue.Config{Name: "q", VHost: "/", Durable: true, Arguments: table("x-queue-type", test.kind)}, newMemoryLog)
		s, err := q.Subscribe(&client{}, queue.SubscribeOptions{Arguments: test.args}, new(queue.Effects))
		want := ""
		if test.want != "" {
			want = invalidArg + test.want
		} else if s.Priority() != -7 {
			t.Errorf("priority is %d", s.Priority())
		}
		if got := reply(t, err); got != want {
			t.Errorf("%s %v:\n got %q\nwant %q", test.kind, test.args, got, want)
		}
		if n := q.Stats().Consumers; (n == 1) != (want == "") {
			t.Errorf("%v: %d consumers", test.args, n)
		}
	}
}

// A broker before the check has let such a queue be declared: its first dead letter was a record that nobody could read.
func TestAStoredDeadLetterKeyIsCutToARoutingKey(t *testing.T) {
	q := queue.New(queue.Config{Name: "q", VHost: "/", Arguments: table(
		"x-dead-letter-exchange", "", "x-dead-letter-routing-key", strings.Repeat("k", 300),
	)}, newMemoryLog)
	if key, ok := q.DeadLetterRoutingKey(); !ok || key != strings.Repeat("k", 255) {
		t.Errorf("dead letters get the key %q, %t; want 255 bytes of it", key, ok)
	}
}
