package amqp

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Types of field values that are not Go's own.
type (
	// Binary is a byte array, tag x.
	Binary []byte
	// Array is tag A; its elements are field values.
	Array []any
	// Timestamp is tag T, in seconds since 1970.
	Timestamp uint64
	// Decimal is tag D: Value divided by 10 to the Scale.
	Decimal struct {
		Scale uint8
		Value uint32
	}
)

// maxDepth bounds how deep tables and arrays may be nested, against stack exhaustion. RabbitMQ knows no bound but the
// frame; a frame of 128 KiB cannot hold more than half as many levels.
const maxDepth = 1 << 16

// DecodeValue reads a tag and its value, and returns what follows:
//
//	t bool      b int8     s int16    I int32    l int64   f float32   D Decimal     S string   A Array
//	            B uint8    u uint16   i uint32   L int64   d float64   T Timestamp   x Binary   F Table   V nil
//
// These are the tags that RabbitMQ 3.10.8 reads; it writes no L. It fails with [ErrTable] for any other tag, a value
// that is cut off, and a float that is not a number or infinite, which Erlang does not have.
func DecodeValue(b []byte) (v any, rest []byte, err error) {
	v, rest, e := decodeValue(b, 0)
	if e != nil {
		return nil, nil, e
	}
	return v, rest, nil
}

func decodeValue(b []byte, depth int) (any, []byte, *Error) {
	raw, rest, err := cutValue(b)
	if err != nil {
		return nil, nil, err
	}
	v, err := raw.decode(depth)
	return v, rest, err
}

// cutValue splits a tag and its value off b. It does not look into tables and arrays.
func cutValue(b []byte) (v RawValue, rest []byte, err *Error) {
	if len(b) == 0 {
		return RawValue{}, nil, tableErrorf("a value is missing")
	}
	tag := b[0]
	b = b[1:]
	var size int
	switch tag {
	case 't', 'b', 'B':
		size = 1
	case 's', 'u':
		size = 2
	case 'I', 'i', 'f':
		size = 4
	case 'D':
		size = 5
	case 'l', 'L', 'd', 'T':
		size = 8
	case 'V':
	case 'S', 'x', 'A', 'F':
		data, rest, ok := cutLong(b)
		if !ok {
			return RawValue{}, nil, tableErrorf("the value with tag %s is cut off", quoteTag(tag))
		}
		return RawValue{tag, data}, rest, nil
	default:
		return RawValue{}, nil, tableErrorf("unknown tag %s", quoteTag(tag))
	}
	if len(b) < size {
		return RawValue{}, nil, tableErrorf("the value with tag %s is cut off", quoteTag(tag))
	}
	v = RawValue{tag, b[:size:size]}
	if (tag == 'f' || tag == 'd') && !finite(v) {
		return RawValue{}, nil, tableErrorf("the value with tag %s is not a number", quoteTag(tag))
	}
	return v, b[size:], nil
}

func quoteTag(tag byte) string {
	if tag > ' ' && tag <= '~' {
		return fmt.Sprintf("'%c'", tag)
	}
	return fmt.Sprint(tag)
}

// finite tells whether the float v is neither infinite nor NaN.
func finite(v RawValue) bool {
	f, _ := v.Float()
	return !math.IsInf(f, 0) && !math.IsNaN(f)
}

// decode turns a raw value into its Go value; depth is how many tables and arrays are around it.
func (v RawValue) decode(depth int) (any, *Error) {
	d := v.Data
	switch v.Tag {
	case 't':
		return d[0] != 0, nil
	case 'b':
		return int8(d[0]), nil
	case 'B':
		return d[0], nil
	case 's':
		return int16(binary.BigEndian.Uint16(d)), nil
	case 'u':
		return binary.BigEndian.Uint16(d), nil
	case 'I':
		return int32(binary.BigEndian.Uint32(d)), nil
	case 'i':
		return binary.BigEndian.Uint32(d), nil
	case 'l', 'L':
		return int64(binary.BigEndian.Uint64(d)), nil
	case 'f':
		return math.Float32frombits(binary.BigEndian.Uint32(d)), nil
	case 'd':
		return math.Float64frombits(binary.BigEndian.Uint64(d)), nil
	case 'D':
		return Decimal{d[0], binary.BigEndian.Uint32(d[1:])}, nil
	case 'T':
		return Timestamp(binary.BigEndian.Uint64(d)), nil
	case 'S':
		return string(d), nil
	case 'x':
		return Binary(append([]byte{}, d...)), nil
	case 'A':
		return decodeArray(d, depth+1)
	case 'F':
		return decodeTable(d, depth+1)
	}
	return nil, nil // 'V'
}

func decodeArray(b []byte, depth int) (Array, *Error) {
	if depth > maxDepth {
		return nil, tableErrorf("nested deeper than %d", maxDepth)
	}
	a := Array{}
	for len(b) > 0 {
		v, rest, err := decodeValue(b, depth)
		if err != nil {
			return nil, err
		}
		a, b = append(a, v), rest
	}
	return a, nil
}

// AppendValue appends the tag and the value of v, which is of a type that DecodeValue returns, or an int, which is
// written as int64. It panics for any other type: those never come from a peer.
func AppendValue(dst []byte, v any) []byte {
	be := binary.BigEndian
	switch v := v.(type) {
	case nil:
		return append(dst, 'V')
	case bool:
		return append(dst, 't', bit(v, 0))
	case int8:
		return append(dst, 'b', byte(v))
	case uint8:
		return append(dst, 'B', v)
	case int16:
		return be.AppendUint16(append(dst, 's'), uint16(v))
	case uint16:
		return be.AppendUint16(append(dst, 'u'), v)
	case int32:
		return be.AppendUint32(append(dst, 'I'), uint32(v))
	case uint32:
		return be.AppendUint32(append(dst, 'i'), v)
	case int64:
		return be.AppendUint64(append(dst, 'l'), uint64(v))
	case int:
		return be.AppendUint64(append(dst, 'l'), uint64(v))
	case float32:
		return be.AppendUint32(append(dst, 'f'), math.Float32bits(v))
	case float64:
		return be.AppendUint64(append(dst, 'd'), math.Float64bits(v))
	case Decimal:
		return be.AppendUint32(append(dst, 'D', v.Scale), v.Value)
	case Timestamp:
		return be.AppendUint64(append(dst, 'T'), uint64(v))
	case string:
		return appendLongstr(append(dst, 'S'), v)
	case Binary:
		return appendLongstr(append(dst, 'x'), v)
	case Array:
		return appendArray(append(dst, 'A'), v)
	case Table:
		return AppendTable(append(dst, 'F'), v)
	}
	panic(fmt.Sprintf("amqp: a %T is no field value", v))
}

func appendArray(dst []byte, a Array) []byte {
	mark := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	for _, v := range a {
		dst = AppendValue(dst, v)
	}
	binary.BigEndian.PutUint32(dst[mark:], uint32(len(dst)-mark-4))
	return dst
}

// TypeName returns RabbitMQ's name for the type of v, as in reply texts: "longstr", "signedint", "void" …
func TypeName(v any) string {
	switch v.(type) {
	case nil:
		return "void"
	case bool:
		return "bool"
	case int8:
		return "byte"
	case uint8:
		return "unsignedbyte"
	case int16:
		return "short"
	case uint16:
		return "unsignedshort"
	case int32:
		return "signedint"
	case uint32:
		return "unsignedint"
	case int64, int:
		return "long"
	case float32:
		return "float"
	case float64:
		return "double"
	case Decimal:
		return "decimal"
	case Timestamp:
		return "timestamp"
	case string:
		return "longstr"
	case Binary:
		return "binary"
	case Array:
		return "array"
	case Table:
		return "table"
	}
	panic(fmt.Sprintf("amqp: a %T is no field value", v))
}

// Integer returns the value of any integer type, and false for all others.
func Integer(v any) (int64, bool) {
	switch v := v.(type) {
	case int8:
		return int64(v), true
	case uint8:
		return int64(v), true
	case int16:
		return int64(v), true
	case uint16:
		return int64(v), true
	case int32:
		return int64(v), true
	case uint32:
		return int64(v), true
	case int64:
		return v, true
	case int:
		return int64(v), true
	}
	return 0, false
}
