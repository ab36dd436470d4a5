package amqp_test

import (
	"math"
	"testing"

	"github.com/warren-mq/warren/amqp"
)

// The expected texts were printed by Erlang/OTP 25.

func TestErlangBinary(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", "<<>>"},
		{"abc", `<<"abc">>`},
		{"\x00\x01\x02", "<<0,1,2>>"},
		{"ab\x00", "<<97,98,0>>"},
		{"a\"\\\n\x1b\v\b\f\t\r", `<<"a\"\\\n\e\v\b\f\t\r">>`},
		{"\x7f", "<<127>>"},
		{"\x9f", "<<159>>"},
		{"\xa0\xff", "<<\"\xa0\xff\">>"},
		{"é", `<<"é">>`},
		{"À", "<<195,128>>"}, // its second octet is not printable
	} {
		if got := amqp.ErlangBinary([]byte(c.in)); got != c.want {
			t.Errorf("%q: got %s, want %s", c.in, got, c.want)
		}
	}
}

func TestErlangTerm(t *testing.T) {
	for _, c := range []struct {
		in   any
		want string
	}{
		{nil, "undefined"},
		{true, "true"},
		{int8(-1), "-1"},
		{uint32(math.MaxUint32), "4294967295"},
		{int64(math.MinInt64), "-9223372036854775808"},
		{amqp.Timestamp(math.MaxUint64), "18446744073709551615"},
		{amqp.Decimal{Scale: 2, Value: 314}, "{2,314}"},
		{"foo", `<<"foo">>`},
		{amqp.Binary{0}, "<<0>>"},
		{0.0, "0.0"},
		{math.Copysign(0, -1), "-0.0"},
		{100.0, "100.0"},
		{1000.0, "1.0e3"},
		{0.001, "0.001"},
		{0.0001, "0.0001"},
		{0.00001, "1.0e-5"},
		{-123.456, "-123.456"},
		{float32(0.1), "0.10000000149011612"},
		{9007199254740991.0, "9007199254740991.0"},
		{9007199254740992.0, "9.007199254740992e15"},
		{amqp.Array{}, "[]"},
		{amqp.Array{int32(1), "a"}, `[{signedint,1},{longstr,<<"a">>}]`},
		{amqp.Table{{"k", uint8(1)}, {"", amqp.Table{}}}, `[{<<"k">>,unsignedbyte,1},{<<>>,table,[]}]`},
	} {
		if got := amqp.ErlangTerm(c.in); got != c.want {
			t.Errorf("%#v: got %s, want %s", c.in, got, c.want)
		}
	}
}
