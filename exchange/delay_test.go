package exchange_test

import (
	"bytes"
	"fmt"
	"math"
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/exchange"
)

func TestDelayedTypeIsChecked(t *testing.T) {
	for _, c := range []struct {
		args amqp.Table
		want string
	}{
		{nil, "PRECONDITION_FAILED - Invalid argument, 'x-delayed-type' must be an existing exchange type"},
		{table("x-delayed-type", int32(1)), "PRECONDITION_FAILED - Invalid argument, 'x-delayed-type' must be an existing exchange type"},
		{table("x-delayed-type", "x-delayed-message"), "PRECONDITION_FAILED - Invalid argument, 'x-delayed-message' can't be used for 'x-delayed-type'"},
		{table("x-delayed-type", "foo"), "COMMAND_INVALID - unknown exchange type 'foo'"},
		{table("x-delayed-type", ""), "COMMAND_INVALID - invalid exchange type ''"},
		{table("x-delayed-type", "direct", "x-delayed", int32(1)), "PRECONDITION_FAILED - invalid type 'signedint' for arg 'x-delayed' in exchange 'x' in vhost '/'"},
		{table("x-delayed-type", amqp.Binary("topic")), ""},
	} {
		if _, err := exchange.New("/", exchange.Config{Name: "x", Type: "x-delayed-message", Arguments: c.args}); replyText(err) != c.want {
			t.Errorf("%v: %q, want %q", c.args, replyText(err), c.want)
		}
	}
}

func TestADelayedExchangeRoutesAndChecksLikeItsInnerType(t *testing.T) {
	for _, typ := range exchange.Types() {
		if typ == "x-delayed-message" {
			continue
		}
		if _, err := exchange.New("/", exchange.Config{Name: "x", Type: "x-delayed-message", Arguments: table("x-delayed-type", typ)}); err != nil {
			t.Errorf("%s: %v", typ, err)
		}
	}
	x := declare(t, "x", "x-delayed-message")
	bind(t, x, "a.*", "q")
	if got := routedKey(t, x, "a.b"); got != "q" {
		t.Errorf("topic: %q", got)
	}
	if x.Cacheable() {
		t.Error("a route that depends on a header must not be remembered")
	}
}

func TestEquivalenceComparesXDelayedButNotTheInnerType(t *testing.T) {
	x := declare(t, "x", "x-delayed-message")
	for _, c := range []struct {
		args amqp.Table
		want string
	}{
		{table("x-delayed-type", "fanout"), ""},
		{nil, ""},
		{table("x-delayed", true), "PRECONDITION_FAILED - inequivalent arg 'x-delayed' for exchange 'x' in vhost '/': received the value 'true' of type 'bool' but current is none"},
	} {
		err := x.Equivalent(exchange.Config{Name: "x", Type: "x-delayed-message", Durable: true, Arguments: c.args})
		if replyText(err) != c.want {
			t.Errorf("%v: %q, want %q", c.args, replyText(err), c.want)
		}
	}
}

const now = int64(1_700_000_000_000)

func delayRouter() *exchange.Router { return &exchange.Router{Now: func() int64 { return now }} }

// TestWhatIsADelay is the plugin's table of header values, and Warren's for x-deliver-at.
func TestWhatIsADelay(t *testing.T) {
	x := declare(t, "x", "x-delayed-message")
	bind(t, x, "k", "q")
	for _, c := range []struct {
		headers amqp.Table
		due     int64 // 0: routed at once
	}{
		{nil, 0},
		{table("other", int32(5)), 0},
		{table("x-delay", int8(1)), now + 1},
		{table("x-delay", uint8(255)), now + 255},
		{table("x-delay", int16(300)), now + 300},
		{table("x-delay", uint16(65535)), now + 65535},
		{table("x-delay", int32(5000)), now + 5000},
		{table("x-delay", uint32(math.MaxUint32)), now + math.MaxUint32},
		{table("x-delay", int64(math.MaxUint32)), now + math.MaxUint32},
		{table("x-delay", int64(math.MaxUint32)+1), 0},
		{table("x-delay", int32(0)), 0},
		{table("x-delay", int32(-5000)), 0},
		{table("x-delay", int64(math.MinInt64)), 0},
		{table("x-delay", 12.9), now + 12},
		{table("x-delay", float32(0.9)), 0},
		{table("x-delay", 1e300), 0},
		{table("x-delay", "1500"), now + 1500},
		{table("x-delay", "+7"), now + 7},
		{table("x-delay", "-7"), 0},
		{table("x-delay", "soon"), 0},
		{table("x-delay", "99999999999999999999999999"), 0},
		{table("x-delay", true), 0},
		{table("x-delay", nil), 0},
		{table("x-delay", amqp.Timestamp(5)), 0},
		{table("x-delay", amqp.Array{int32(5)}), 0},
		{table("x-deliver-at", now+1), now + 1},
		{table("x-deliver-at", now), 0},
		{table("x-deliver-at", int32(5)), 0},
		{table("x-deliver-at", int64(-5)), 0},
		{table("x-deliver-at", int64(math.MaxInt64)), math.MaxInt64},
		{table("x-deliver-at", fmt.Sprint(now+99)), now + 99},
		{table("x-deliver-at", amqp.Timestamp(now/1000+60)), now + 60_000},
		{table("x-deliver-at", amqp.Timestamp(math.MaxUint64)), math.MaxInt64 / 1000 * 1000},
		{table("x-deliver-at", now+10, "x-delay", int32(5000)), now + 10},
		{table("x-deliver-at", now-10, "x-delay", int32(5000)), 0},
		{table("x-deliver-at", true, "x-delay", int32(5000)), now + 5000},
	} {
		r := delayRouter()
		got := routed(r, x, message(t, "k", c.headers))
		by, delay := r.Delayed()
		if c.due == 0 {
			if got != "q" || len(by) > 0 {
				t.Errorf("%v: routed to %q, held back by %d", c.headers, got, len(by))
			}
			continue
		}
		if got != "" || len(by) != 1 || by[0] != x || delay.Due(now) != c.due {
			t.Errorf("%v: routed to %q, held back by %d until %d, want %d", c.headers, got, len(by), delay.Due(now), c.due)
		}
		m := message(t, "k", c.headers)
		m.Due = true
		if got := routed(r, x, m); got != "q" {
			t.Errorf("%v: routed to %q when due", c.headers, got)
		}
	}
}

func TestWhatIsHeldBackGoesToTheAlternateExchangeOnlyInThePluginsWay(t *testing.T) {
	for _, c := range []struct {
		typ      string
		args     amqp.Table
		want     string
		answered bool
	}{
		{"x-delayed-message", nil, "other", false},
		{"x-delayed-message", table("x-delayed", false), "other", false},
		{"x-delayed-message", table("x-delayed", true), "", true},
		{"topic", table("x-delayed", true), "", true},
	} {
		n := network{}
		r := n.router()
		r.Now = func() int64 { return now }
		x := n.declare(t, "x", c.typ, func(cfg *exchange.Config) { cfg.Arguments = c.args }, alternate("ae"))
		bind(t, x, "k", "q")
		bind(t, n.declare(t, "ae", "fanout"), "", "other")
		got := routed(r, x, message(t, "k", table("x-delay", int32(10))))
		if by, _ := r.Delayed(); got != c.want || len(by) != 1 || r.Answered() != c.answered {
			t.Errorf("%s %v: %q, held back by %d, answered later %v", c.typ, c.args, got, len(by), r.Answered())
		}
	}
}

func TestABoundExchangeHoldsBackForItself(t *testing.T) {
	x, d := declare(t, "x", "fanout"), declare(t, "d", "x-delayed-message")
	bind(t, x, "", "q1")
	bind(t, d, "#", "q2")
	x.Bind(toExchange(d), "", nil)
	r := delayRouter()
	if got := routed(r, x, message(t, "k", table("x-delay", int32(10)))); got != "q1" {
		t.Errorf("at once to %q", got)
	}
	if by, _ := r.Delayed(); len(by) != 1 || by[0] != d {
		t.Errorf("held back by %d", len(by))
	}
	if r.Cacheable() {
		t.Error("cacheable")
	}
	if got := routed(r, x, message(t, "k", nil)); got != "q1 q2" {
		t.Errorf("without delay to %q", got)
	}
}

func TestTheDelayIsNegatedForDelivery(t *testing.T) {
	for _, c := range []struct{ in, want amqp.Table }{
		{table("x-delay", int32(5000)), table("x-delay", int32(-5000))},
		{table("z", "1", "x-delay", "70", "a", true), table("a", true, "x-delay", int32(-70), "z", "1")},
		{table("x-delay", int64(math.MaxUint32)), table("x-delay", int64(-math.MaxUint32))},
		{table("x-deliver-at", now), table("x-deliver-at", now)},
		{table("x-deliver-at", now, "x-delay", int32(-7)), table("x-deliver-at", now, "x-delay", int32(-7))},
	} {
		m := message(t, "", c.in)
		m.Properties.Flags |= amqp.FlagMessageID
		m.Properties.MessageID = []byte("id")
		want := *m.Properties
		want.Headers = amqp.AppendTableBody(nil, c.want)
		if got := exchange.AppendDelayed(nil, m.Properties); !bytes.Equal(got, want.Append(nil)) {
			t.Errorf("%v: % x", c.in, got)
		}
	}
}
