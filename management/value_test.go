package management

import (
	"bytes"
	"math"
	"testing"

	"github.com/warren-mq/warren/amqp"
)

func TestTablesBecomeObjects(t *testing.T) {
	for _, c := range []struct {
		table amqp.Table
		want  string
	}{
		{nil, `{}`},
		{amqp.Table{}, `{}`},
		{amqp.Table{{Name: "b", Value: "x"}, {Name: "a", Value: int32(1)}}, `{"b":"x","a":1}`},
		{amqp.Table{{Name: "a", Value: "first"}, {Name: "a", Value: "second"}}, `{"a":"first"}`},
		{amqp.Table{{Name: "", Value: true}}, `{"":true}`},
		{amqp.Table{{Name: "n", Value: nil}}, `{"n":null}`},
		{amqp.Table{{Name: "i", Value: int64(math.MinInt64)}, {Name: "u", Value: uint8(255)}}, `{"i":-9223372036854775808,"u":255}`},
		{amqp.Table{{Name: "t", Value: amqp.Timestamp(1_700_000_000)}}, `{"t":1700000000}`},
		{amqp.Table{{Name: "d", Value: amqp.Decimal{Scale: 2, Value: 314}}}, `{"d":3.14}`},
		{amqp.Table{{Name: "f", Value: float32(1.5)}, {Name: "d", Value: 0.1}}, `{"f":1.5,"d":0.1}`},
		{amqp.Table{{Name: "i", Value: math.Inf(1)}, {Name: "n", Value: float32(math.NaN())}}, `{"i":null,"n":null}`},
		{amqp.Table{{Name: "x", Value: amqp.Binary("text")}}, `{"x":"text"}`},
		{amqp.Table{{Name: "x", Value: amqp.Binary{1, 255}}}, `{"x":"Not UTF-8, base64 is: Af8="}`},
		{amqp.Table{{Name: "s", Value: "\xff"}}, `{"s":"Not UTF-8, base64 is: /w=="}`},
		{amqp.Table{{Name: "s", Value: "<a&b>\u2028"}}, "{\"s\":\"<a&b>\\u2028\"}"},
		{amqp.Table{{Name: "a", Value: amqp.Array{"x", nil, amqp.Table{}, amqp.Array{}}}}, `{"a":["x",null,{},[]]}`},
		{amqp.Table{{Name: "t", Value: amqp.Table{{Name: "k", Value: "v"}}}}, `{"t":{"k":"v"}}`},
	} {
		var b bytes.Buffer
		if err := encode(&b, table(c.table)); err != nil || b.String() != c.want {
			t.Errorf("%v is %s, %v, want %s", c.table, &b, err, c.want)
		}
	}
}

func TestSortKeysAreInErlangsOrder(t *testing.T) {
	ordered := []any{
		struct {
			V *int `json:"v"`
		}{}, // nothing, which is 0
		struct {
			V float64 `json:"v"`
		}{0.5},
		struct {
			V uint64 `json:"v"`
		}{2},
		struct {
			V int `json:"v"`
		}{10},
		struct {
			V bool `json:"v"`
		}{false},
		struct {
			V bool `json:"v"`
		}{true},
		struct {
			V []int `json:"v"`
		}{},
		struct {
			V string `json:"v"`
		}{""},
		struct {
			V optional `json:"v"`
		}{"10"},
		struct {
			V string `json:"v"`
		}{"B"},
		struct {
			V string `json:"v"`
		}{"a"},
	}
	for i := range len(ordered) - 1 {
		a, b := sortKeyOf(lookup(ordered[i], []string{"v"})), sortKeyOf(lookup(ordered[i+1], []string{"v"}))
		if a.compare(b) >= 0 || b.compare(a) <= 0 {
			t.Errorf("%+v does not come before %+v", ordered[i], ordered[i+1])
		}
	}
}
