package exchange_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/exchange"
)

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		config exchange.Config
		text   string
	}{
		{exchange.Config{Name: "x", Type: "bar"}, "COMMAND_INVALID - unknown exchange type 'bar'"},
		{exchange.Config{Name: "x", Type: ""}, "COMMAND_INVALID - invalid exchange type ''"},
		{exchange.Config{Name: "x", Type: "Direct"}, "COMMAND_INVALID - unknown exchange type 'Direct'"},
		{
			exchange.Config{Name: "x", Type: "direct", Arguments: table("alternate-exchange", int32(1))},
			"PRECONDITION_FAILED - invalid type 'signedint' for arg 'alternate-exchange' in exchange 'x' in vhost '/'",
		},
		{
			exchange.Config{Name: "x", Type: "bar", Arguments: table("alternate-exchange", int32(1))},
			"COMMAND_INVALID - unknown exchange type 'bar'",
		},
	} {
		if _, err := exchange.New("/", c.config); replyText(err) != c.text {
			t.Errorf("%+v: %v, want %s", c.config, err, c.text)
		}
	}
}

func TestTypes(t *testing.T) {
	if got := strings.Join(exchange.Types(), " "); got != "direct fanout headers topic "+
		"x-consistent-hash x-delayed-message x-local-random x-message-deduplication x-modulus-hash x-random x-recent-history" {
		t.Error(got)
	}
	for _, name := range exchange.Types() {
		if err := exchange.CheckType(name); err != nil {
			t.Error(err)
		}
	}
}

func TestEquivalentNamesTheFirstDifference(t *testing.T) {
	const x = " for exchange 'x' in vhost '/': "
	base := exchange.Config{Name: "x", Type: "direct", Durable: true}
	with := exchange.Config{Name: "x", Type: "direct", Durable: true, Arguments: table("alternate-exchange", "foo", "y", int32(1))}
	for _, c := range []struct {
		name              string
		current, received exchange.Config
		text              string
	}{
		{"same", base, base, ""},
		{"type before all", base, exchange.Config{Name: "x", Type: "fanout"}, "'type'" + x + "received 'fanout' but current is 'direct'"},
		{"durable", base, exchange.Config{Type: "direct", AutoDelete: true}, "'durable'" + x + "received 'false' but current is 'true'"},
		{"auto-delete", base, exchange.Config{Type: "direct", Durable: true, AutoDelete: true, Internal: true}, "'auto_delete'" + x + "received 'true' but current is 'false'"},
		{"internal", base, exchange.Config{Type: "direct", Durable: true, Internal: true, Arguments: with.Arguments}, "'internal'" + x + "received 'true' but current is 'false'"},
		{"alternate is missing", with, base, "'alternate-exchange'" + x + "received none but current is the value 'foo' of type 'longstr'"},
		{"alternate is new", base, with, "'alternate-exchange'" + x + "received the value 'foo' of type 'longstr' but current is none"},
		{
			"alternate is void", with,
			exchange.Config{Type: "direct", Durable: true, Arguments: table("alternate-exchange", nil)},
			"'alternate-exchange'" + x + "received none but current is 'foo'",
		},
		{
			"alternate differs", with,
			exchange.Config{Type: "direct", Durable: true, Arguments: table("alternate-exchange", "bar")},
			"'alternate-exchange'" + x + "received 'bar' but current is 'foo'",
		},
		{
			"alternate is not a string", base,
			exchange.Config{Type: "direct", Durable: true, Arguments: table("alternate-exchange", amqp.Array{int8(1)})},
			"'alternate-exchange'" + x + "received the value '[{byte,1}]' of type 'array' but current is none",
		},
		{"other arguments", with, exchange.Config{Type: "direct", Durable: true, Arguments: table("alternate-exchange", "foo", "z", true)}, ""},
	} {
		current, err := exchange.New("/", c.current)
		if err != nil {
			t.Fatal(err)
		}
		want := c.text
		if want != "" {
			want = "PRECONDITION_FAILED - inequivalent arg " + want
		}
		if got := replyText(current.Equivalent(c.received)); got != want {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, want)
		}
	}
}

func TestPredeclaredExchangesCanBeMade(t *testing.T) {
	var listed []string
	for _, c := range exchange.Predeclared() {
		x, err := exchange.New("/", c)
		if err != nil {
			t.Fatal(err)
		}
		if !x.Durable() || x.AutoDelete() || x.Internal() != (x.Name() == "amq.rabbitmq.trace") {
			t.Errorf("%s: durable %v, auto-delete %v, internal %v", x.Name(), x.Durable(), x.AutoDelete(), x.Internal())
		}
		listed = append(listed, x.Name()+":"+x.Type())
	}
	want := []string{":direct", "amq.direct:direct", "amq.fanout:fanout", "amq.headers:headers", "amq.match:headers",
		"amq.rabbitmq.trace:topic", "amq.topic:topic"}
	if !slices.Equal(listed, want) {
		t.Errorf("got %q", listed)
	}
}

func TestAttributesAreTold(t *testing.T) {
	x, err := exchange.New("v", exchange.Config{Name: "n", Type: "topic", AutoDelete: true, Internal: true,
		Arguments: table("alternate-exchange", "ae")})
	if err != nil {
		t.Fatal(err)
	}
	if x.Name() != "n" || x.VHost() != "v" || x.Type() != "topic" || x.Durable() || !x.AutoDelete() || !x.Internal() ||
		x.AlternateExchange() != "ae" || len(x.Arguments()) != 1 || !x.Cacheable() {
		t.Errorf("%+v", x)
	}
	if declare(t, "h", "headers").Cacheable() {
		t.Error("headers depends on more than the routing key")
	}
}
