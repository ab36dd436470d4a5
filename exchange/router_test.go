package exchange_test

import (
	"fmt"
	"testing"

	"github.com/warren-mq/warren/exchange"
)

// network is a set of exchanges by name.
type network map[string]*exchange.Exchange

func (n network) router() *exchange.Router {
	return &exchange.Router{Lookup: func(name string) *exchange.Exchange { return n[name] }}
}

func (n network) declare(t testing.TB, name, typ string, options ...func(*exchange.Config)) *exchange.Exchange {
	t.Helper()
	n[name] = declare(t, name, typ, options...)
	return n[name]
}

func TestDirectMatchesTheWholeKey(t *testing.T) {
	x := declare(t, "x", "direct")
	bind(t, x, "k", "q1", "q2")
	bind(t, x, "", "empty")
	bind(t, x, "#", "hash")
	for key, want := range map[string]string{"k": "q1 q2", "": "empty", "K": "", "k.": "", "#": "hash"} {
		if got := routedKey(t, x, key); got != want {
			t.Errorf("key %q: %q, want %q", key, got, want)
		}
	}
}

func TestFanoutTakesAll(t *testing.T) {
	x := declare(t, "x", "fanout")
	q := bind(t, x, "a", "q1", "q2")[0]
	x.Bind(toQueue(q), "b", nil)
	if got := routedKey(t, x, "whatever"); got != "q1 q2" {
		t.Errorf("routed to %q", got)
	}
	x.Unbind(toQueue(q), "a", nil)
	if got := routedKey(t, x, "whatever"); got != "q1 q2" {
		t.Errorf("with one of two bindings left routed to %q", got)
	}
}

func TestQueuesFormASet(t *testing.T) {
	x := declare(t, "x", "topic")
	for n := range 100 { // more than are compared one by one
		q := bind(t, x, "a.*", fmt.Sprintf("q%02d", n))[0]
		x.Bind(toQueue(q), "*.b", nil)
		x.Bind(toQueue(q), "#", nil)
	}
	r := new(exchange.Router)
	for range 2 {
		if got := len(r.Route(x, message(t, "a.b", nil, "a.c", "a.b"), nil)); got != 100 {
			t.Errorf("%d copies for 100 queues", got)
		}
	}
}

func TestRouteAppends(t *testing.T) {
	x := declare(t, "x", "fanout")
	q := bind(t, x, "", "q")[0]
	// What is there belongs to another message: it is neither lost nor compared with.
	got := new(exchange.Router).Route(x, message(t, "", nil), []exchange.Queue{q})
	if names(got) != "q q" {
		t.Errorf("got %q", names(got))
	}
}

func TestExtraKeysAreTried(t *testing.T) {
	for _, typ := range []string{"direct", "topic"} {
		x := declare(t, "x", typ)
		bind(t, x, "a", "qa")
		b := bind(t, x, "b", "qb")[0]
		x.Bind(toQueue(b), "c", nil)
		got := routed(new(exchange.Router), x, message(t, "a", nil, "b", "c", "none", "b"))
		if got != "qa qb" {
			t.Errorf("%s: %q", typ, got)
		}
	}
}

func TestBoundExchangesAreFollowed(t *testing.T) {
	a, b, c := declare(t, "a", "fanout"), declare(t, "b", "topic"), declare(t, "c", "direct")
	a.Bind(toExchange(b), "", nil)
	b.Bind(toExchange(c), "k.#", nil)
	bind(t, c, "k.1", "deep")
	bind(t, b, "k.*", "middle")
	if got := routedKey(t, a, "k.1"); got != "deep middle" {
		t.Errorf("routed to %q", got)
	}
	if got := routedKey(t, c, "k.1"); got != "deep" {
		t.Errorf("against the direction: %q", got)
	}
}

func TestCyclesAndDiamondsAreCut(t *testing.T) {
	top, left, right, bottom := declare(t, "top", "fanout"), declare(t, "left", "fanout"), declare(t, "right", "fanout"), declare(t, "bottom", "fanout")
	top.Bind(toExchange(left), "", nil)
	top.Bind(toExchange(right), "", nil)
	left.Bind(toExchange(bottom), "", nil)
	right.Bind(toExchange(bottom), "", nil)
	bottom.Bind(toExchange(top), "", nil)
	bottom.Bind(toExchange(bottom), "", nil)
	q := bind(t, bottom, "", "q")[0]
	left.Bind(toQueue(q), "", nil)
	for _, x := range []*exchange.Exchange{top, left, right, bottom} {
		if got := routedKey(t, x, ""); got != "q" {
			t.Errorf("from %s: %q", x.Name(), got)
		}
	}
}

func TestLongChainOfExchanges(t *testing.T) {
	first := declare(t, "0", "fanout")
	last := first
	for n := range 1000 {
		next := declare(t, fmt.Sprint(n), "fanout")
		last.Bind(toExchange(next), "", nil)
		next.Bind(toExchange(first), "", nil)
		last = next
	}
	bind(t, last, "", "q")
	r := new(exchange.Router)
	for range 2 {
		if got := routed(r, first, message(t, "", nil)); got != "q" {
			t.Errorf("routed to %q", got)
		}
	}
}

func TestAlternateExchange(t *testing.T) {
	n := network{}
	x := n.declare(t, "x", "direct", alternate("ae"))
	n.declare(t, "ae", "fanout", func(c *exchange.Config) { c.Internal = true })
	bind(t, x, "k", "q")
	bind(t, n["ae"], "", "alternative")
	for key, want := range map[string]string{"k": "q", "other": "alternative"} {
		if got := routed(n.router(), x, message(t, key, nil)); got != want {
			t.Errorf("key %q: %q, want %q", key, got, want)
		}
	}
}

func TestAnExchangeThatLeadsNowhereCountsAsDestination(t *testing.T) {
	n := network{}
	x := n.declare(t, "x", "fanout", alternate("ae"))
	bind(t, n.declare(t, "ae", "fanout"), "", "alternative")
	x.Bind(toExchange(n.declare(t, "dead end", "fanout")), "", nil)
	if got := routed(n.router(), x, message(t, "", nil)); got != "" {
		t.Errorf("routed to %q", got)
	}
}

// x has routed the message, to a queue that another exchange reached before.
func TestADestinationSeenBeforeCountsForTheAlternate(t *testing.T) {
	n := network{}
	a := n.declare(t, "a", "fanout")
	b := n.declare(t, "b", "fanout", alternate("ae"))
	bind(t, n.declare(t, "ae", "fanout"), "", "alternative")
	q := bind(t, a, "", "q")[0]
	a.Bind(toExchange(b), "", nil)
	b.Bind(toQueue(q), "", nil)
	if got := routed(n.router(), a, message(t, "", nil)); got != "q" {
		t.Errorf("queue seen before: %q", got)
	}
	b.Unbind(toQueue(q), "", nil)
	b.Bind(toExchange(a), "", nil)
	if got := routed(n.router(), a, message(t, "", nil)); got != "q" {
		t.Errorf("exchange seen before: %q", got)
	}
	b.Unbind(toExchange(a), "", nil)
	if got := routed(n.router(), a, message(t, "", nil)); got != "alternative q" {
		t.Errorf("an exchange on the way uses its own alternate: %q", got)
	}
}

func TestAlternatesFormChainsAndCycles(t *testing.T) {
	n := network{}
	a := n.declare(t, "a", "direct", alternate("b"))
	n.declare(t, "b", "direct", alternate("c"))
	c := n.declare(t, "c", "direct", alternate("a"))
	bind(t, c, "k", "q")
	if got := routed(n.router(), a, message(t, "k", nil)); got != "q" {
		t.Errorf("chain: %q", got)
	}
	if got := routed(n.router(), a, message(t, "none", nil)); got != "" {
		t.Errorf("cycle: %q", got)
	}
}

func TestMissingAlternateIsAsNone(t *testing.T) {
	n := network{}
	for _, name := range []string{"nobody", ""} {
		x := n.declare(t, "x", "direct", alternate(name))
		if got := routed(n.router(), x, message(t, "", nil)); got != "" {
			t.Errorf("%q: %q", name, got)
		}
		if got := routedKey(t, x, ""); got != "" {
			t.Errorf("%q without Lookup: %q", name, got)
		}
	}
}

func TestRouterTellsWhatTheRouteDependsOn(t *testing.T) {
	n := network{}
	r := n.router()
	x := n.declare(t, "x", "direct", alternate("ae"))
	bind(t, x, "k", "q")
	n.declare(t, "ae", "headers")
	r.Route(x, message(t, "k", nil), nil)
	if !r.Cacheable() {
		t.Error("direct depends on the key only")
	}
	r.Route(x, message(t, "other", nil), nil)
	if r.Cacheable() {
		t.Error("the alternate looked at headers")
	}
	r.Route(x, message(t, "k", nil), nil)
	if !r.Cacheable() {
		t.Error("the message before must not matter")
	}
	x.Bind(toExchange(n["ae"]), "k", nil)
	r.Route(x, message(t, "k", nil), nil)
	if r.Cacheable() {
		t.Error("the bound exchange looked at headers")
	}
}
