package amqp_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/warren-mq/warren/amqp"
)

func TestEquivalent(t *testing.T) {
	type table = amqp.Table
	type array = amqp.Array
	for _, c := range []struct {
		a, b any
		want bool
	}{
		{int32(5), int64(5), true},
		{int8(5), uint8(5), true},
		{uint32(math.MaxUint32), int32(-1), false},
		{int16(5), uint16(6), false},
		{int64(5), 5, true},
		{float32(1.5), 1.5, true},
		{float32(0.1), 0.1, false},
		{0.0, math.Copysign(0, -1), true},
		{int32(1), 1.0, false},
		{int32(1), true, false},
		{int32(1), amqp.Timestamp(1), false},
		{int32(1), "1", false},
		{int32(5), amqp.Decimal{Value: 5}, false},
		{amqp.Decimal{Scale: 1, Value: 10}, amqp.Decimal{Scale: 1, Value: 10}, true},
		{amqp.Decimal{Scale: 1, Value: 10}, amqp.Decimal{Scale: 0, Value: 1}, false},
		{"a", "a", true},
		{"a", "b", false},
		{"a", amqp.Binary("a"), false},
		{amqp.Binary("a"), amqp.Binary("a"), true},
		{amqp.Binary("a"), "a", false},
		{nil, nil, true},
		{nil, false, false},
		{nil, array{}, false},
		{array{int32(1), "x"}, array{int32(1), "x"}, true},
		{array{int32(1)}, array{int64(1)}, false},
		{array{int32(1)}, array{int32(1), nil}, false},
		{array{}, table{}, false},
		{table{{"a", int32(1)}}, table{{"a", int32(1)}}, true},
		{table{{"a", int32(1)}}, table{{"b", int32(1)}}, false},
		{table{{"a", int32(1)}}, table{{"a", uint8(1)}}, false},
		{table{{"a", nil}, {"b", nil}}, table{{"b", nil}, {"a", nil}}, false},
		{table{{"a", array{amqp.Binary("x")}}}, table{{"a", array{amqp.Binary("x")}}}, true},
	} {
		if amqp.Equivalent(c.a, c.b) != c.want || amqp.Equivalent(c.b, c.a) != c.want {
			t.Errorf("%#v and %#v: want %v", c.a, c.b, c.want)
		}
	}
}

func TestEveryValueIsEquivalentToItself(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		v := randomValue(rnd, 0)
		again, _, err := amqp.DecodeValue(amqp.AppendValue(nil, v))
		if err != nil || !amqp.Equivalent(v, again) {
			t.Errorf("%#v and %#v, %v", v, again, err)
		}
	}
}

func TestInteger(t *testing.T) {
	for _, v := range []any{int8(5), uint8(5), int16(5), uint16(5), int32(5), uint32(5), int64(5), 5} {
		if n, ok := amqp.Integer(v); !ok || n != 5 {
			t.Errorf("%T: got %d, %v", v, n, ok)
		}
	}
	for _, v := range []any{nil, true, "5", 5.0, float32(5), amqp.Timestamp(5), amqp.Decimal{Value: 5}, amqp.Array{}} {
		if _, ok := amqp.Integer(v); ok {
			t.Errorf("%T counts as an integer", v)
		}
	}
}
