package exchange_test

import (
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/exchange"
)

func table(pairs ...any) amqp.Table {
	t := amqp.Table{}
	for i := 0; i < len(pairs); i += 2 {
		t = append(t, amqp.Field{Name: pairs[i].(string), Value: pairs[i+1]})
	}
	return t
}

// matchesHeaders binds with args and routes a message with the headers, nil for none.
func matchesHeaders(t testing.TB, args, headers amqp.Table) bool {
	t.Helper()
	x := declare(t, "x", "headers")
	if err := x.ValidateBinding(exchange.Destination{}, "", args); err != nil {
		t.Fatal(err)
	}
	x.Bind(toQueue(&queue{"q"}), "any key", args)
	return routed(new(exchange.Router), x, message(t, "another key", headers)) == "q"
}

func TestHeadersMatch(t *testing.T) {
	for _, c := range []struct {
		rule          string
		args, headers amqp.Table
		matches       bool
	}{
		{"all is the default", table("a", "1", "b", "2"), table("b", "2", "a", "1"), true},
		{"all wants all", table("a", "1", "b", "2"), table("a", "1"), false},
		{"all wants all equal", table("x-match", "all", "a", "1", "b", "2"), table("a", "1", "b", "3"), false},
		{"extra headers do not matter", table("a", "1"), table("0", true, "a", "1", "z", nil), true},
		{"any wants one", table("x-match", "any", "a", "1", "b", "2"), table("b", "2"), true},
		{"any wants one equal", table("x-match", "any", "a", "1", "b", "2"), table("a", "2", "b", "1"), false},
		{"all without pairs matches all", nil, table("a", "1"), true},
		{"all without pairs matches no headers", table("x-match", "all"), nil, true},
		{"any without pairs matches nothing", table("x-match", "any"), table("a", "1"), false},
		{"all with pairs needs headers", table("a", "1"), nil, false},
		{"all passes over x-", table("a", "1", "x-b", "2"), table("a", "1"), true},
		{"any passes over x-", table("x-match", "any", "x-b", "2"), table("x-b", "2"), false},
		{"only x- is as no pairs", table("x-b", "2"), nil, true},
		{"all-with-x wants x-", table("x-match", "all-with-x", "a", "1", "x-b", "2"), table("a", "1"), false},
		{"all-with-x has x-", table("x-match", "all-with-x", "a", "1", "x-b", "2"), table("a", "1", "x-b", "2"), true},
		{"any-with-x has x-", table("x-match", "any-with-x", "a", "1", "x-b", "2"), table("x-b", "2"), true},
		{"with-x passes over x-match itself", table("x-match", "any-with-x"), table("x-match", "any-with-x"), false},
		{"x without dash counts", table("x", "1"), nil, false},
		{"void wants presence", table("a", nil), table("a", int32(5)), true},
		{"void finds void", table("a", nil), table("a", nil), true},
		{"void misses absence", table("a", nil), table("b", nil), false},
		{"void in any", table("x-match", "any", "a", nil), table("a", table()), true},
		{"a value is not void", table("a", "1"), table("a", nil), false},
		{"first of duplicates", table("a", "1"), table("a", "1", "a", "2"), true},
		{"not second of duplicates", table("a", "2"), table("a", "1", "a", "2"), false},
		{"duplicates pairwise", table("a", "1", "a", "2"), table("a", "1", "a", "2"), true},
		{"duplicates want as many", table("a", "1", "a", "1"), table("a", "1"), false},
		{"names are case sensitive", table("A", "1"), table("a", "1"), false},
	} {
		if got := matchesHeaders(t, c.args, c.headers); got != c.matches {
			t.Errorf("%s: %v, want %v", c.rule, got, c.matches)
		}
		if got := naiveHeaders(c.args, c.headers); got != c.matches {
			t.Errorf("naive: %s: %v, want %v", c.rule, got, c.matches)
		}
	}
}

func TestHeadersCompareValuesNotTags(t *testing.T) {
	for _, c := range []struct {
		want, got any
		equal     bool
	}{
		{int32(1), int64(1), true},
		{int8(-1), int64(-1), true},
		{uint8(255), int8(-1), false},
		{uint32(1), amqp.Timestamp(1), true},
		{amqp.Timestamp(math.MaxUint64), int64(-1), false},
		{amqp.Timestamp(math.MaxUint64), amqp.Timestamp(math.MaxUint64), true},
		{int32(1), 1.0, true},
		{float32(1), int16(1), true},
		{float32(0.5), 0.5, true},
		{0.1, float32(0.1), false},
		{int64(1) << 53, math.Ldexp(1, 53), true},
		{int64(1)<<53 + 1, math.Ldexp(1, 53), false},
		{int64(math.MinInt64), math.Ldexp(-1, 63), true},
		{int64(math.MaxInt64), math.Ldexp(1, 63), false},
		{amqp.Timestamp(1 << 63), math.Ldexp(1, 63), true},
		{amqp.Timestamp(math.MaxUint64), math.Ldexp(1, 64), false},
		{int8(0), math.Copysign(0, -1), true},
		{int8(1), 1.5, false},
		{int8(-1), 1.0, false},
		{true, int8(1), false},
		{true, true, true},
		{true, false, false},
		{"1", int8(1), false},
		{"abc", amqp.Binary("abc"), true},
		{amqp.Binary("abc"), "abc", true},
		{"abc", "abd", false},
		{"true", true, false},
		{amqp.Decimal{Scale: 2, Value: 100}, amqp.Decimal{Scale: 2, Value: 100}, true},
		{amqp.Decimal{Scale: 2, Value: 100}, amqp.Decimal{Scale: 0, Value: 1}, false},
		{amqp.Decimal{Scale: 0, Value: 1}, int8(1), false},
		{amqp.Array{int32(1), "a"}, amqp.Array{int32(1), "a"}, true},
		{amqp.Array{int32(1)}, amqp.Array{int64(1)}, false},
		{amqp.Array{int32(1)}, amqp.Array{int32(1), int32(1)}, false},
		{amqp.Array{int32(1), int32(1)}, amqp.Array{int32(1)}, false},
		{amqp.Array{nil}, amqp.Array{nil}, true},
		{amqp.Array{nil}, amqp.Array{int8(1)}, false},
		{amqp.Array{"a"}, amqp.Array{amqp.Binary("a")}, false},
		{table("a", int32(1)), table("a", int32(1)), true},
		{table("a", int32(1)), table("a", int64(1)), false},
		{table("a", int32(1)), table("b", int32(1)), false},
		{table("a", "1", "b", "2"), table("b", "2", "a", "1"), false},
		{table("a", table("b", amqp.Array{1.5})), table("a", table("b", amqp.Array{1.5})), true},
		{amqp.Array{}, table(), true},
		{table(), amqp.Array{}, true},
		{amqp.Array{}, "", false},
		{amqp.Array{amqp.Array{}}, amqp.Array{table()}, false},
	} {
		args, headers := table("h", c.want), table("h", c.got)
		if got := matchesHeaders(t, args, headers); got != c.equal {
			t.Errorf("%T %v = %T %v: %v, want %v", c.want, c.want, c.got, c.got, got, c.equal)
		}
		if got := naiveHeaders(args, headers); got != c.equal {
			t.Errorf("naive: %T %v = %T %v: %v, want %v", c.want, c.want, c.got, c.got, got, c.equal)
		}
	}
}

// Tags and octets that no encoder of ours writes.
func TestHeadersReadForeignEncodings(t *testing.T) {
	for _, c := range []struct {
		rule string
		want any
		wire string // name h, then tag and value
		ok   bool
	}{
		{"L is signed", int64(-1), "\x01hL\xff\xff\xff\xff\xff\xff\xff\xff", true},
		{"L inside an array is l", amqp.Array{int64(1)}, "\x01hA\x00\x00\x00\x09L\x00\x00\x00\x00\x00\x00\x00\x01", true},
		{"any octet but 0 is true", true, "\x01ht\x02", true},
		{"also inside an array", amqp.Array{true}, "\x01hA\x00\x00\x00\x02t\x02", true},
	} {
		x := declare(t, "x", "headers")
		x.Bind(toQueue(&queue{"q"}), "", table("h", c.want))
		m := &exchange.Message{Properties: &amqp.Properties{Flags: amqp.FlagHeaders, Headers: amqp.RawTable(c.wire)}}
		if got := routed(new(exchange.Router), x, m) == "q"; got != c.ok {
			t.Errorf("%s: %v, want %v", c.rule, got, c.ok)
		}
	}
}

func TestHeadersBindingIsRefused(t *testing.T) {
	x := declare(t, "x", "headers")
	for _, c := range []struct {
		args amqp.Table
		text string
	}{
		{nil, ""},
		{table("x-match", "all"), ""},
		{table("x-match", "any"), ""},
		{table("x-match", "all-with-x"), ""},
		{table("x-match", "any-with-x"), ""},
		{table("x-match", "foo"), `PRECONDITION_FAILED - Invalid x-match field value <<"foo">>; expected all, any, all-with-x, or any-with-x`},
		{table("x-match", "All"), `PRECONDITION_FAILED - Invalid x-match field value <<"All">>; expected all, any, all-with-x, or any-with-x`},
		{table("x-match", int32(1)), `PRECONDITION_FAILED - Invalid x-match field type signedint (value 1); expected longstr`},
		{table("x-match", true), `PRECONDITION_FAILED - Invalid x-match field type bool (value true); expected longstr`},
		{table("x-match", nil), `PRECONDITION_FAILED - Invalid x-match field type void (value undefined); expected longstr`},
		{table("x-match", 1.0), `PRECONDITION_FAILED - Invalid x-match field type double (value 1.0); expected longstr`},
		{table("x-match", 1e30), `PRECONDITION_FAILED - Invalid x-match field type double (value 1.0e30); expected longstr`},
		{table("x-match", amqp.Binary("all")), `PRECONDITION_FAILED - Invalid x-match field type binary (value <<"all">>); expected longstr`},
		{table("x-match", amqp.Decimal{Scale: 1, Value: 2}), `PRECONDITION_FAILED - Invalid x-match field type decimal (value {1,2}); expected longstr`},
		{table("x-match", amqp.Array{int32(1), "a"}), `PRECONDITION_FAILED - Invalid x-match field type array (value [{signedint,1},{longstr,<<"a">>}]); expected longstr`},
		{table("x-match", table("a", true)), `PRECONDITION_FAILED - Invalid x-match field type table (value [{<<"a">>,bool,true}]); expected longstr`},
	} {
		if got := replyText(x.ValidateBinding(exchange.Destination{}, "", c.args)); got != c.text {
			t.Errorf("%v: %q, want %q", c.args, got, c.text)
		}
	}
	for _, typ := range []string{"direct", "fanout", "topic"} {
		if err := declare(t, "x", typ).ValidateBinding(exchange.Destination{}, "a.#.#.#", table("x-match", "foo")); err != nil {
			t.Errorf("%s: %v", typ, err)
		}
	}
}

func TestHeadersRoutesEachQueueOnce(t *testing.T) {
	x := declare(t, "x", "headers")
	q := &queue{"q"}
	for i := range 40 {
		x.Bind(toQueue(q), "", table("x-match", "any", "a", "1", "n", int32(i)))
	}
	if got := routed(new(exchange.Router), x, message(t, "", table("a", "1"))); got != "q" {
		t.Errorf("routed to %q", got)
	}
	for i := range 40 {
		if !x.Unbind(toQueue(q), "", table("n", int32(i), "a", "1", "x-match", "any")) {
			t.Fatalf("binding %d is not there", i)
		}
	}
	if got := routed(new(exchange.Router), x, message(t, "", table("a", "1"))); got != "" {
		t.Errorf("routed to %q after the last unbind", got)
	}
}

// naiveHeaders is the rule on decoded tables, with values compared as text.
func naiveHeaders(args, headers amqp.Table) bool {
	v, _ := args.Get("x-match")
	match, _ := v.(string)
	if match == "" {
		match = "all"
	}
	have := make(map[string][]any)
	for _, f := range headers {
		have[f.Name] = append(have[f.Name], f.Value)
	}
	all, anyOne := true, false
	for _, f := range args {
		if f.Name == "x-match" || strings.HasPrefix(f.Name, "x-") && !strings.HasSuffix(match, "-with-x") {
			continue
		}
		values := have[f.Name]
		equal := len(values) > 0 && (f.Value == nil || naiveValue(f.Value) == naiveValue(values[0]))
		if len(values) > 0 {
			have[f.Name] = values[1:]
		}
		all = all && equal
		anyOne = anyOne || equal
	}
	if strings.HasPrefix(match, "any") {
		return anyOne
	}
	return all
}

// naiveValue prints values so that equal ones print alike.
func naiveValue(v any) string {
	switch v := v.(type) {
	case nil:
		return "undefined"
	case bool:
		if v {
			return "true"
		}
		return "false"
	case string:
		return "<" + v + ">"
	case amqp.Binary:
		return "<" + string(v) + ">"
	case float32:
		return new(big.Rat).SetFloat64(float64(v)).String()
	case float64:
		return new(big.Rat).SetFloat64(v).String()
	case amqp.Timestamp:
		return new(big.Rat).SetUint64(uint64(v)).String()
	case amqp.Decimal:
		return "decimal " + naiveValue(v.Value) + " " + naiveValue(v.Scale)
	case amqp.Array:
		items := []string{}
		for _, e := range v {
			items = append(items, amqp.TypeName(e)+naiveValue(e))
		}
		return "[" + strings.Join(items, ",") + "]"
	case amqp.Table:
		items := []string{}
		for _, f := range v {
			items = append(items, f.Name+"="+amqp.TypeName(f.Value)+naiveValue(f.Value))
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	i, ok := amqp.Integer(v)
	if !ok {
		panic("no value")
	}
	return new(big.Rat).SetInt64(i).String()
}

func TestArgumentsAreNotReordered(t *testing.T) {
	args := table("b", "2", "a", "1")
	declare(t, "x", "headers").Bind(toQueue(&queue{"q"}), "", args)
	if !slices.EqualFunc(args, table("b", "2", "a", "1"), func(a, b amqp.Field) bool { return a == b }) {
		t.Errorf("Bind changed the caller's table to %v", args)
	}
}
