package amqp_test

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/warren-mq/warren/amqp"
)

// values has one case for each tag that RabbitMQ writes, with RabbitMQ's name for the type.
var values = []struct {
	value    any
	wire     string
	typeName string
}{
	{true, "t\x01", "bool"},
	{false, "t\x00", "bool"},
	{int8(-2), "b\xFE", "byte"},
	{uint8(254), "B\xFE", "unsignedbyte"},
	{int16(-2), "s\xFF\xFE", "short"},
	{uint16(65534), "u\xFF\xFE", "unsignedshort"},
	{int32(-2), "I\xFF\xFF\xFF\xFE", "signedint"},
	{uint32(4294967294), "i\xFF\xFF\xFF\xFE", "unsignedint"},
	{int64(-2), "l\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFE", "long"},
	{float32(1.5), "f\x3F\xC0\x00\x00", "float"},
	{1.5, "d\x3F\xF8\x00\x00\x00\x00\x00\x00", "double"},
	{amqp.Decimal{Scale: 2, Value: 0xFFFFFFFE}, "D\x02\xFF\xFF\xFF\xFE", "decimal"},
	{"hé", "S\x00\x00\x00\x03h\xC3\xA9", "longstr"},
	{"", "S\x00\x00\x00\x00", "longstr"},
	{amqp.Binary{0, 255}, "x\x00\x00\x00\x02\x00\xFF", "binary"},
	{amqp.Array{"a", nil}, "A\x00\x00\x00\x07S\x00\x00\x00\x01aV", "array"},
	{amqp.Array{}, "A\x00\x00\x00\x00", "array"},
	{amqp.Timestamp(math.MaxUint64), "T\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", "timestamp"},
	{amqp.Table{{"k", true}}, "F\x00\x00\x00\x04\x01kt\x01", "table"},
	{amqp.Table{}, "F\x00\x00\x00\x00", "table"},
	{nil, "V", "void"},
}

func TestEachTagIsReadAndWritten(t *testing.T) {
	for _, c := range values {
		if got := amqp.AppendValue([]byte("x"), c.value); string(got) != "x"+c.wire {
			t.Errorf("%#v: wrote %q, want %q", c.value, got, c.wire)
		}
		got, rest, err := amqp.DecodeValue([]byte(c.wire + "rest"))
		if err != nil || string(rest) != "rest" || !reflect.DeepEqual(got, c.value) {
			t.Errorf("%q: read %#v, %q, %v; want %#v", c.wire, got, rest, err, c.value)
		}
		if got := amqp.TypeName(c.value); got != c.typeName {
			t.Errorf("%#v: type %s, want %s", c.value, got, c.typeName)
		}
	}
}

func TestTagsThatAreReadButNotWritten(t *testing.T) {
	for _, c := range []struct {
		wire string
		want any
	}{
		{"L\x80\x00\x00\x00\x00\x00\x00\x01", int64(math.MinInt64 + 1)},
		{"t\x02", true},
		{"t\xFF", true},
	} {
		if got, rest, err := amqp.DecodeValue([]byte(c.wire)); got != c.want || len(rest) != 0 || err != nil {
			t.Errorf("%q: read %#v, %v", c.wire, got, err)
		}
	}
	if got := amqp.AppendValue(nil, 5); string(got) != "l\x00\x00\x00\x00\x00\x00\x00\x05" || amqp.TypeName(5) != "long" {
		t.Errorf("an int: wrote %q as %s", got, amqp.TypeName(5))
	}
}

func TestUndecodableValuesAreErrTable(t *testing.T) {
	cases := []string{
		"", "U\x00\x01", "q", "\x00", "Z",
		"f\x7F\x80\x00\x00", "f\xFF\xC0\x00\x00", // infinite, NaN
		"d\x7F\xF0\x00\x00\x00\x00\x00\x00", "d\x7F\xF8\x00\x00\x00\x00\x00\x01",
		"S\xFF\xFF\xFF\xFF", "A\x00\x00\x00\x01U", "A\x00\x00\x00\x02V", "F\x00\x00\x00\x02\x05a", "F\x00\x00\x00\x01\x00",
		"F\xFF\xFF\xFF\xFF\x01kV",
	}
	for _, c := range values {
		for n := range c.wire {
			cases = append(cases, c.wire[:n])
		}
	}
	for _, wire := range cases {
		v, _, err := amqp.DecodeValue([]byte(wire))
		if !errors.Is(err, amqp.ErrTable) || v != nil {
			t.Errorf("%q: read %#v, %v", wire, v, err)
		}
		table := append([]byte{0, 0, 0, byte(1 + len(wire)), 0}, wire...)
		if _, _, err := amqp.DecodeTable(table); !errors.Is(err, amqp.ErrTable) {
			t.Errorf("%q in a table: %v", wire, err)
		}
		if _, _, err := amqp.DecodeRawTable(table); !errors.Is(err, amqp.ErrTable) {
			t.Errorf("%q in a raw table: %v", wire, err)
		}
	}
}

func TestTableThatIsCutOffIsErrTable(t *testing.T) {
	for _, wire := range []string{"", "\x00\x00\x00", "\x00\x00\x00\x01", "\xFF\xFF\xFF\xFF\x00", "\x00\x00\x00\x02\x03a"} {
		if _, _, err := amqp.DecodeTable([]byte(wire)); !errors.Is(err, amqp.ErrTable) {
			t.Errorf("%q: %v", wire, err)
		}
		if _, _, err := amqp.DecodeRawTable([]byte(wire)); !errors.Is(err, amqp.ErrTable) {
			t.Errorf("%q raw: %v", wire, err)
		}
	}
}

func TestTableKeepsOrderAndDuplicates(t *testing.T) {
	table := amqp.Table{{"b", int32(1)}, {"a", "x"}, {"b", int32(2)}}
	wire := amqp.AppendTable(nil, table)
	got, rest, err := amqp.DecodeTable(append(wire, 7))
	if err != nil || len(rest) != 1 || !reflect.DeepEqual(got, table) {
		t.Errorf("got %v, %v, %v", got, rest, err)
	}
	if v, ok := got.Get("b"); !ok || v != int32(1) {
		t.Errorf("Get returned %v, want the first", v)
	}
	if v, ok := got.Get("c"); ok || v != nil {
		t.Errorf("Get of a missing field returned %v", v)
	}
}

func TestTableWithAndWithoutLeaveTheOriginalAlone(t *testing.T) {
	table := amqp.Table{{"a", int32(1)}, {"b", int32(2)}, {"a", int32(3)}}
	original := amqp.Table{{"a", int32(1)}, {"b", int32(2)}, {"a", int32(3)}}
	for _, c := range []struct {
		name      string
		got, want amqp.Table
	}{
		{"replaced", table.With("a", "x"), amqp.Table{{"a", "x"}, {"b", int32(2)}, {"a", int32(3)}}},
		{"added", table.With("c", nil), amqp.Table{{"a", int32(1)}, {"b", int32(2)}, {"a", int32(3)}, {"c", nil}}},
		{"removed", table.Without("a"), amqp.Table{{"b", int32(2)}}},
		{"nothing to remove", table.Without("c"), original},
		{"added to none", amqp.Table(nil).With("c", true), amqp.Table{{"c", true}}},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, c.got, c.want)
		}
	}
	if !reflect.DeepEqual(table, original) {
		t.Errorf("now %v", table)
	}
}

func TestFieldNameIsCutTo255Octets(t *testing.T) {
	wire := amqp.AppendTable(nil, amqp.Table{{strings.Repeat("n", 300), true}})
	got, _, err := amqp.DecodeTable(wire)
	if err != nil || got[0].Name != strings.Repeat("n", 255) {
		t.Errorf("got %v, %v", got, err)
	}
}

// nested returns the body of a table with arrays or tables nested to a depth, and nothing in the innermost.
func nested(tag byte, depth int) []byte {
	header := []byte{tag, 0, 0, 0, 0}
	if tag == 'F' {
		header = append([]byte{0}, header...) // the name
	}
	body := make([]byte, 0, depth*len(header)+1)
	if tag == 'A' {
		body = append(body, 0) // the name of the outermost
	}
	for i := range depth {
		inner := (depth - 1 - i) * len(header)
		body = append(body, header[:len(header)-4]...)
		body = append(body, byte(inner>>24), byte(inner>>16), byte(inner>>8), byte(inner))
	}
	return body
}

// A frame of 128 KiB holds 26,000 levels of arrays or 21,000 of tables: they are read as RabbitMQ reads them. Larger
// frames, where frame_max is, must not exhaust the stack.
func TestNestingIsBounded(t *testing.T) {
	for _, c := range []struct {
		tag   byte
		depth int
		fine  bool
	}{
		{'A', 26_000, true}, {'F', 21_000, true},
		{'A', 1 << 16, true}, {'F', 1 << 16, true},
		{'A', 1<<16 + 1, false}, {'F', 1<<16 + 1, false},
		{'A', 3_000_000, false}, {'F', 3_000_000, false},
	} {
		body := nested(c.tag, c.depth)
		table, err := amqp.DecodeTableBody(body)
		if (err == nil) != c.fine {
			t.Errorf("%c, %d levels: %v", c.tag, c.depth, err)
		}
		wire := append([]byte{byte(len(body) >> 24), byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}, body...)
		raw, _, rawErr := amqp.DecodeRawTable(wire)
		if (rawErr == nil) != c.fine {
			t.Errorf("%c, %d levels, raw: %v", c.tag, c.depth, rawErr)
		}
		if !c.fine || err != nil || rawErr != nil {
			continue
		}
		if !bytes.Equal(amqp.AppendTable(nil, table), wire) {
			t.Errorf("%c, %d levels: encoded otherwise", c.tag, c.depth)
		}
		again, err := raw.Decode()
		if err != nil || !amqp.Equivalent(again, table) {
			t.Errorf("%c, %d levels: raw table decodes to another, %v", c.tag, c.depth, err)
		}
	}
}

// randomTable returns a table with fields of all types.
func randomTable(rnd *rand.Rand, depth int) amqp.Table {
	t := amqp.Table{}
	for range rnd.IntN(5) {
		t = append(t, amqp.Field{Name: string(randomOctets(rnd, rnd.IntN(4))), Value: randomValue(rnd, depth)})
	}
	return t
}

func randomValue(rnd *rand.Rand, depth int) any {
	n := rnd.Uint64()
	switch kind := rnd.IntN(17); {
	case kind == 0:
		return n&1 == 0
	case kind == 1:
		return int8(n)
	case kind == 2:
		return uint8(n)
	case kind == 3:
		return int16(n)
	case kind == 4:
		return uint16(n)
	case kind == 5:
		return int32(n)
	case kind == 6:
		return uint32(n)
	case kind == 7:
		return int64(n)
	case kind == 8:
		return rnd.Float32()
	case kind == 9:
		return rnd.NormFloat64()
	case kind == 10:
		return amqp.Decimal{Scale: uint8(n), Value: uint32(n >> 8)}
	case kind == 11:
		return amqp.Timestamp(n)
	case kind == 12:
		return string(randomOctets(rnd, rnd.IntN(9)))
	case kind == 13:
		return amqp.Binary(randomOctets(rnd, rnd.IntN(9)))
	case kind == 14 && depth < 4:
		a := amqp.Array{}
		for range rnd.IntN(4) {
			a = append(a, randomValue(rnd, depth+1))
		}
		return a
	case kind == 15 && depth < 4:
		return randomTable(rnd, depth+1)
	}
	return nil
}

func TestAppendValuePanicsForAForeignType(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a map was accepted")
		}
	}()
	amqp.AppendValue(nil, map[string]any{})
}
