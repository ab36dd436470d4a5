package amqp_test

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/warren-mq/warren/amqp"
)

func rawTable(t testing.TB, table amqp.Table) amqp.RawTable {
	t.Helper()
	raw, rest, err := amqp.DecodeRawTable(amqp.AppendTable(nil, table))
	if err != nil || len(rest) != 0 {
		t.Fatal(rest, err)
	}
	return raw
}

func TestRawTableShowsEachValue(t *testing.T) {
	for _, c := range values {
		raw := rawTable(t, amqp.Table{{"other", true}, {"k", c.value}, {"k", "second"}})
		v, ok := raw.Get("k")
		if !ok || v.TypeName() != c.typeName || v.Tag != c.wire[0] {
			t.Fatalf("%#v: got %v, %v of type %s", c.value, v, ok, v.TypeName())
		}
		if got, err := v.Decode(); err != nil || !reflect.DeepEqual(got, c.value) {
			t.Errorf("%#v: decoded %#v, %v", c.value, got, err)
		}
		wantInt, isInt := amqp.Integer(c.value)
		if n, ok := v.Int(); n != wantInt || ok != isInt {
			t.Errorf("%#v: Int returned %d, %v", c.value, n, ok)
		}
		wantString, isString := c.value.(string)
		if s, ok := v.String(); ok != isString || ok && string(s) != wantString {
			t.Errorf("%#v: String returned %q, %v", c.value, s, ok)
		}
		wantBool, isBool := c.value.(bool)
		if b, ok := v.Bool(); b != wantBool || ok != isBool {
			t.Errorf("%#v: Bool returned %v, %v", c.value, b, ok)
		}
		if f, ok := v.Float(); ok != (c.typeName == "float" || c.typeName == "double") || ok && f != 1.5 {
			t.Errorf("%#v: Float returned %v, %v", c.value, f, ok)
		}
		elements := amqp.Array{}
		for e := range v.Array() {
			element, _ := e.Decode()
			elements = append(elements, element)
		}
		if a, isArray := c.value.(amqp.Array); !reflect.DeepEqual(elements, a) && (isArray || len(elements) > 0) {
			t.Errorf("%#v: Array returned %v", c.value, elements)
		}
		inner, _ := v.Table().Decode()
		if f, isTable := c.value.(amqp.Table); !reflect.DeepEqual(inner, f) && (isTable || len(inner) > 0) {
			t.Errorf("%#v: Table returned %v", c.value, inner)
		}
	}
}

func TestRawTableYieldsAllFieldsInOrder(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	for range 500 {
		table := randomTable(rnd, 0)
		raw := rawTable(t, table)
		got := amqp.Table{}
		for name, v := range raw.All() {
			value, err := v.Decode()
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, amqp.Field{Name: string(name), Value: value})
		}
		whole, err := raw.Decode()
		if err != nil || !reflect.DeepEqual(got, table) || !reflect.DeepEqual(whole, table) {
			t.Fatalf("got %v and %v, %v; want %v", got, whole, err, table)
		}
	}
}

func TestRawTableIterationCanStop(t *testing.T) {
	raw := rawTable(t, amqp.Table{{"a", amqp.Array{nil, nil}}, {"b", nil}})
	n := 0
	for _, v := range raw.All() {
		for range v.Array() {
			n++
			break
		}
		break
	}
	if n != 1 {
		t.Errorf("%d steps", n)
	}
}

func TestEmptyRawTableHasNothing(t *testing.T) {
	var raw amqp.RawTable
	if v, ok := raw.Get(""); ok {
		t.Errorf("got %v", v)
	}
	for name := range raw.All() {
		t.Errorf("got %q", name)
	}
	if table, err := raw.Decode(); err != nil || len(table) != 0 {
		t.Errorf("got %v, %v", table, err)
	}
}
