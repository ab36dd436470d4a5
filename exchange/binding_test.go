package exchange_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/exchange"
)

func TestBindingIdentity(t *testing.T) {
	q, other := &queue{"q"}, &queue{"q"} // of one name: identity counts
	base := table("a", int32(1), "b", "2")
	for _, typ := range exchange.Types() {
		x := declare(t, "x", typ)
		if !x.Bind(toQueue(q), "k", base) {
			t.Fatal("first binding is not new")
		}
		for _, c := range []struct {
			name  string
			d     exchange.Destination
			key   string
			args  amqp.Table
			isNew bool
		}{
			{"same", toQueue(q), "k", base, false},
			{"order of arguments", toQueue(q), "k", table("b", "2", "a", int32(1)), false},
			{"other tag", toQueue(q), "k", table("a", int64(1), "b", "2"), true},
			{"other value", toQueue(q), "k", table("a", int32(2), "b", "2"), true},
			{"no arguments", toQueue(q), "k", nil, true},
			{"empty arguments", toQueue(q), "k", table(), false}, // the same as none
			{"other key", toQueue(q), "K", base, true},
			{"other queue", toQueue(other), "k", base, true},
			{"exchange", toExchange(x), "k", base, true},
		} {
			if got := x.Bind(c.d, c.key, c.args); got != c.isNew {
				t.Errorf("%s: %s: new is %v, want %v", typ, c.name, got, c.isNew)
			}
		}
		if x.BindingCount() != 7 {
			t.Errorf("%s: %d bindings", typ, x.BindingCount())
		}
	}
}

func TestUnbindNeedsIdenticalArguments(t *testing.T) {
	x := declare(t, "x", "direct")
	q := &queue{"q"}
	x.Bind(toQueue(q), "k", table("a", int32(1)))
	for _, args := range []amqp.Table{nil, table("a", int64(1)), table("a", int32(1), "b", nil)} {
		if x.Unbind(toQueue(q), "k", args) {
			t.Errorf("removed with %v", args)
		}
	}
	if x.Unbind(toQueue(&queue{"q"}), "k", table("a", int32(1))) {
		t.Error("removed for another queue")
	}
	if got := routedKey(t, x, "k"); got != "q" {
		t.Errorf("routed to %q", got)
	}
	if !x.Unbind(toQueue(q), "k", table("a", int32(1))) || x.BindingCount() != 0 {
		t.Error("not removed")
	}
}

// Bindings that differ in arguments only are one to direct, fanout and topic, until the last of them goes.
func TestTheLastOfAlikeBindingsCounts(t *testing.T) {
	for _, typ := range []string{"direct", "fanout", "topic"} {
		x := declare(t, "x", typ)
		q := &queue{"q"}
		variants := []amqp.Table{nil, table("a", int32(1)), table("a", int64(1))}
		for _, args := range variants {
			x.Bind(toQueue(q), "k", args)
		}
		for i, args := range variants {
			if got := routedKey(t, x, "k"); got != "q" {
				t.Errorf("%s: with %d bindings left routed to %q", typ, len(variants)-i, got)
			}
			x.Unbind(toQueue(q), "k", args)
		}
		if got := routedKey(t, x, "k"); got != "" {
			t.Errorf("%s: routed to %q without bindings", typ, got)
		}
	}
}

func TestUnbindAllTakesOneDestinationOnly(t *testing.T) {
	for _, typ := range exchange.Types() {
		x, y := declare(t, "x", typ), declare(t, "y", typ)
		gone, stays := &queue{"gone"}, &queue{"stays"}
		for i := range 100 {
			x.Bind(toQueue(gone), fmt.Sprint(i%50), table("n", int32(i)))
			x.Bind(toQueue(stays), fmt.Sprint(i), nil)
			x.Bind(toExchange(y), fmt.Sprint(i), nil)
		}
		if n := x.UnbindAll(toQueue(gone)); n != 100 {
			t.Errorf("%s: %d removed", typ, n)
		}
		if n := x.UnbindAll(toExchange(y)); n != 100 {
			t.Errorf("%s: %d to the exchange removed", typ, n)
		}
		if n := x.UnbindAll(toQueue(gone)); n != 0 {
			t.Errorf("%s: %d removed again", typ, n)
		}
		if x.BindingCount() != 100 || len(slices.Collect(x.BindingsTo(toQueue(stays)))) != 100 {
			t.Errorf("%s: %d left", typ, x.BindingCount())
		}
		if got := routed(new(exchange.Router), x, message(t, "7", table("n", int32(7)))); got != "stays" {
			t.Errorf("%s: routed to %q", typ, got)
		}
	}
}

func TestBindingsAreListed(t *testing.T) {
	x := declare(t, "x", "headers")
	y := declare(t, "y", "direct")
	q := &queue{"q"}
	x.Bind(toQueue(q), "k", table("b", "2", "a", "1"))
	x.Bind(toExchange(y), "", nil)
	var got []string
	for b := range x.Bindings() {
		got = append(got, fmt.Sprintf("%s>%s %q %v", b.Source.Name(), b.Destination().Name(), b.RoutingKey, b.Arguments()))
	}
	want := []string{`x>q "k" [{a 1} {b 2}]`, `x>y "" []`}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	for b := range x.BindingsTo(toExchange(y)) {
		if b.Destination().Exchange != y {
			t.Errorf("binding to %s", b.Destination().Name())
		}
	}
}

func TestPropertiesKey(t *testing.T) {
	for _, c := range []struct {
		key  string
		args amqp.Table
		want string
	}{
		{"", nil, "~"},
		{"key", nil, "key"},
		{"a b.c/d#", nil, "a+b.c%2Fd%23"},
		{"~", nil, "%7E"},
		{"a-b_c*é", nil, "a-b_c%2A%C3%A9"},
		{"a b.c/d#", table("a", int32(1)), "a+b.c%2Fd%23~6F4Ymg"},
		{"", table("a", int32(1)), "~6F4Ymg"},
		{"", table("a", int64(1)), "~GPeOpQ"},
	} {
		x := declare(t, "x", "direct")
		x.Bind(toQueue(&queue{"q"}), c.key, c.args)
		for b := range x.Bindings() {
			if got := b.PropertiesKey(); got != c.want {
				t.Errorf("%q %v: %s, want %s", c.key, c.args, got, c.want)
			}
		}
	}
}
