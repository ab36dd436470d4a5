package exchange

import (
	"encoding/binary"
	"math"

	"github.com/warren-mq/warren/amqp"
)

// Values of headers are compared as RabbitMQ 3.10.8 compares the Erlang terms that it decodes them to: an integer of
// any width, a timestamp included, is a number; a float equals the integer of the same value; a string and a byte array
// are the same bytes. Booleans are not numbers. Inside arrays and tables the tags count too, and tables are compared
// field by field in the order they came in.

// equalValue compares the value of a binding argument, other than void, with that of a header.
func equalValue(want any, got amqp.RawValue) bool {
	switch want := want.(type) {
	case string:
		return isBytes(got.Tag) && want == string(got.Data)
	case amqp.Binary:
		return isBytes(got.Tag) && string(want) == string(got.Data)
	case bool:
		return got.Tag == 't' && want == truth(got)
	case float32:
		return equalFloat(float64(want), got)
	case float64:
		return equalFloat(want, got)
	case amqp.Decimal:
		return equalDecimal(want, got)
	case amqp.Array:
		// Decoded, an empty array and an empty table are the same empty list.
		return got.Tag == 'A' && equalArray(want, got) || len(want) == 0 && isEmptyList(got)
	case amqp.Table:
		return got.Tag == 'F' && equalTable(want, got) || len(want) == 0 && isEmptyList(got)
	}
	w, ok := integerOf(want)
	if !ok {
		return false
	}
	if g, ok := rawInteger(got); ok {
		return w == g
	}
	f, ok := rawFloat(got)
	return ok && w.equalFloat(f)
}

func isBytes(tag byte) bool { return tag == 'S' || tag == 'x' }

func truth(v amqp.RawValue) bool { return len(v.Data) > 0 && v.Data[0] != 0 }

func isEmptyList(v amqp.RawValue) bool { return (v.Tag == 'A' || v.Tag == 'F') && len(v.Data) == 0 }

func equalFloat(want float64, got amqp.RawValue) bool {
	if f, ok := rawFloat(got); ok {
		return want == f
	}
	g, ok := rawInteger(got)
	return ok && g.equalFloat(want)
}

func equalDecimal(want amqp.Decimal, got amqp.RawValue) bool {
	return got.Tag == 'D' && len(got.Data) == 5 &&
		want.Scale == got.Data[0] && want.Value == binary.BigEndian.Uint32(got.Data[1:])
}

// equalInner compares values inside arrays and tables.
func equalInner(want any, got amqp.RawValue) bool {
	if want == nil {
		return got.Tag == 'V'
	}
	return tagOf(want) == plainTag(got.Tag) && equalValue(want, got)
}

func equalArray(want amqp.Array, got amqp.RawValue) bool {
	i := 0
	for v := range got.Array() {
		if i == len(want) || !equalInner(want[i], v) {
			return false
		}
		i++
	}
	return i == len(want)
}

func equalTable(want amqp.Table, got amqp.RawValue) bool {
	i := 0
	for name, v := range got.Table().All() {
		if i == len(want) || want[i].Name != string(name) || !equalInner(want[i].Value, v) {
			return false
		}
		i++
	}
	return i == len(want)
}

// tagOf returns the tag that a decoded value had, 'l' for both tags of 64 bits.
func tagOf(v any) byte {
	switch v.(type) {
	case bool:
		return 't'
	case int8:
		return 'b'
	case uint8:
		return 'B'
	case int16:
		return 's'
	case uint16:
		return 'u'
	case int32:
		return 'I'
	case uint32:
		return 'i'
	case int64, int:
		return 'l'
	case float32:
		return 'f'
	case float64:
		return 'd'
	case amqp.Decimal:
		return 'D'
	case string:
		return 'S'
	case amqp.Binary:
		return 'x'
	case amqp.Array:
		return 'A'
	case amqp.Timestamp:
		return 'T'
	case amqp.Table:
		return 'F'
	}
	return 'V'
}

func plainTag(tag byte) byte {
	if tag == 'L' {
		return 'l'
	}
	return tag
}

// integer holds any number of 64 bits, signed or not: two's complement, and whether it is below zero.
type integer struct {
	bits     uint64
	negative bool
}

func signed(i int64) integer { return integer{uint64(i), i < 0} }

func (n integer) equalFloat(f float64) bool {
	switch {
	case f != math.Trunc(f): // also NaN
		return false
	case n.negative:
		return f < 0 && f >= math.MinInt64 && int64(f) == int64(n.bits)
	}
	return f >= 0 && f < math.MaxUint64 && uint64(f) == n.bits
}

func integerOf(v any) (integer, bool) {
	switch v := v.(type) {
	case int8:
		return signed(int64(v)), true
	case uint8:
		return integer{bits: uint64(v)}, true
	case int16:
		return signed(int64(v)), true
	case uint16:
		return integer{bits: uint64(v)}, true
	case int32:
		return signed(int64(v)), true
	case uint32:
		return integer{bits: uint64(v)}, true
	case int64:
		return signed(v), true
	case int: // from a program; clients send none
		return signed(int64(v)), true
	case amqp.Timestamp:
		return integer{bits: uint64(v)}, true
	}
	return integer{}, false
}

func rawInteger(v amqp.RawValue) (integer, bool) {
	switch d := v.Data; {
	case v.Tag == 'b' && len(d) == 1:
		return signed(int64(int8(d[0]))), true
	case v.Tag == 'B' && len(d) == 1:
		return integer{bits: uint64(d[0])}, true
	case v.Tag == 's' && len(d) == 2:
		return signed(int64(int16(binary.BigEndian.Uint16(d)))), true
	case v.Tag == 'u' && len(d) == 2:
		return integer{bits: uint64(binary.BigEndian.Uint16(d))}, true
	case v.Tag == 'I' && len(d) == 4:
		return signed(int64(int32(binary.BigEndian.Uint32(d)))), true
	case v.Tag == 'i' && len(d) == 4:
		return integer{bits: uint64(binary.BigEndian.Uint32(d))}, true
	case (v.Tag == 'l' || v.Tag == 'L') && len(d) == 8:
		return signed(int64(binary.BigEndian.Uint64(d))), true
	case v.Tag == 'T' && len(d) == 8:
		return integer{bits: binary.BigEndian.Uint64(d)}, true
	}
	return integer{}, false
}

func rawFloat(v amqp.RawValue) (float64, bool) {
	switch d := v.Data; {
	case v.Tag == 'f' && len(d) == 4:
		return float64(math.Float32frombits(binary.BigEndian.Uint32(d))), true
	case v.Tag == 'd' && len(d) == 8:
		return math.Float64frombits(binary.BigEndian.Uint64(d)), true
	}
	return 0, false
}
