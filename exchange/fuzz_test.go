package exchange_test

import (
	"strings"
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/exchange"
)

// FuzzTopic binds two patterns and compares what a key matches with the naive matcher.
func FuzzTopic(f *testing.F) {
	for _, row := range topicMatrix {
		for i := range topicKeys {
			f.Add(row.patterns[0], topicMatrix[(i+3)%len(topicMatrix)].patterns[0], topicKeys[i])
		}
	}
	f.Add("#.a.#.*.#", "a.*.#.b", "a.b.a.c.b")
	f.Fuzz(func(t *testing.T, first, second, key string) {
		if max(strings.Count(first, "#"), strings.Count(second, "#")) > 5 || strings.Count(key, ".") > 12 {
			t.Skip("the naive matcher takes exponential time")
		}
		x := declare(t, "x", "topic")
		q1 := bind(t, x, first, "1")[0]
		bind(t, x, second, "2")
		want := ""
		if matchTopic(first, key) {
			want = "1"
		}
		if matchTopic(second, key) {
			want = strings.TrimSpace(want + " 2")
		}
		if got := routedKey(t, x, key); got != want {
			t.Errorf("patterns %q, %q, key %q: %q, want %q", first, second, key, got, want)
		}
		x.UnbindAll(toQueue(q1))
		if got := routedKey(t, x, key); got != strings.TrimSpace(strings.TrimPrefix(want, "1")) {
			t.Errorf("pattern %q after unbinding %q, key %q: %q", second, first, key, got)
		}
	})
}

// FuzzHeaders binds with any table and routes with any table, as long as the wire format lets them pass.
func FuzzHeaders(f *testing.F) {
	add := func(args, headers amqp.Table) {
		f.Add(amqp.AppendTableBody(nil, args), amqp.AppendTableBody(nil, headers))
	}
	add(table("x-match", "any", "a", int32(1)), table("a", 1.0))
	add(table("x-match", "all-with-x", "x-a", amqp.Array{int32(1), nil}), table("x-a", amqp.Array{int32(1), nil}))
	add(table("a", table("b", amqp.Decimal{Scale: 1, Value: 2}, "c", true)), table("a", table("b", amqp.Timestamp(3))))
	add(table("a", amqp.Binary("x"), "b", float32(1)), table("a", "x", "b", uint8(1), "c", int8(1), "c", uint16(2)))
	f.Fuzz(func(t *testing.T, argBytes, headerBytes []byte) {
		args, err := amqp.DecodeTableBody(argBytes)
		if err != nil {
			return
		}
		headers, err := amqp.DecodeTableBody(headerBytes)
		if err != nil {
			return
		}
		x := declare(t, "x", "headers")
		if err := x.ValidateBinding(exchange.Destination{}, "", args); err != nil {
			_ = replyText(err)
			return
		}
		x.Bind(toQueue(&queue{"q"}), "", args)
		m := message(t, "", nil)
		m.Properties.Headers = amqp.RawTable(headerBytes)
		if got, want := routed(new(exchange.Router), x, m) == "q", naiveHeaders(args, headers); got != want {
			t.Errorf("args %v, headers %v: %v, want %v", args, headers, got, want)
		}
	})
}
