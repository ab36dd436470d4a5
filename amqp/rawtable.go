package amqp

import (
	"encoding/binary"
	"iter"
	"math"
)

// RawTable is the body of a table as on the wire, without its length, known to be well-formed: it comes from
// Properties.Decode or DecodeRawTable. Reading from it does not allocate.
type RawTable []byte

// RawValue is a value in a RawTable. Data is a view: the octets after the tag and, where there is one, the length.
type RawValue struct {
	Tag  byte
	Data []byte
}

// DecodeRawTable checks a table with its u32 length and returns its body and what follows. It fails with [ErrTable]
// for the same tables as DecodeTable.
func DecodeRawTable(b []byte) (r RawTable, rest []byte, err error) {
	body, rest, ok := cutLong(b)
	if !ok {
		return nil, nil, tableErrorf("it is cut off")
	}
	if err := validateTable(body, 0); err != nil {
		return nil, nil, err
	}
	return RawTable(body), rest, nil
}

func validateTable(b []byte, depth int) *Error {
	if depth > maxDepth {
		return tableErrorf("nested deeper than %d", maxDepth)
	}
	for len(b) > 0 {
		_, rest, ok := cutName(b)
		if !ok {
			return tableErrorf("a name is cut off")
		}
		v, rest, err := cutValue(rest)
		if err != nil {
			return err
		}
		if err := v.validate(depth); err != nil {
			return err
		}
		b = rest
	}
	return nil
}

func validateArray(b []byte, depth int) *Error {
	if depth > maxDepth {
		return tableErrorf("nested deeper than %d", maxDepth)
	}
	for len(b) > 0 {
		v, rest, err := cutValue(b)
		if err != nil {
			return err
		}
		if err := v.validate(depth); err != nil {
			return err
		}
		b = rest
	}
	return nil
}

func (v RawValue) validate(depth int) *Error {
	switch v.Tag {
	case 'F':
		return validateTable(v.Data, depth+1)
	case 'A':
		return validateArray(v.Data, depth+1)
	}
	return nil
}

// Get returns the value of the first field with that name.
func (r RawTable) Get(name string) (v RawValue, ok bool) {
	for len(r) > 0 {
		var key []byte
		key, v, r = r.next()
		if string(key) == name {
			return v, true
		}
	}
	return RawValue{}, false
}

// All yields names and values in wire order.
func (r RawTable) All() iter.Seq2[[]byte, RawValue] {
	return func(yield func([]byte, RawValue) bool) {
		for b := r; len(b) > 0; {
			var name []byte
			var v RawValue
			name, v, b = b.next()
			if !yield(name, v) {
				return
			}
		}
	}
}

// next splits the first field off a table that is not empty.
func (r RawTable) next() (name []byte, v RawValue, rest RawTable) {
	name, b, _ := cutName(r)
	v, b, _ = cutValue(b)
	return name, v, b
}

// Decode returns the table with all its values copied. It fails with [ErrTable] only if r was not validated.
func (r RawTable) Decode() (Table, error) { return DecodeTableBody(r) }

// String returns the octets of a longstr.
func (v RawValue) String() ([]byte, bool) { return v.Data, v.Tag == 'S' }

// Bool returns the value of a bool.
func (v RawValue) Bool() (value, ok bool) {
	if v.Tag != 't' {
		return false, false
	}
	return v.Data[0] != 0, true
}

// Int returns the value of any integer type.
func (v RawValue) Int() (int64, bool) {
	switch v.Tag {
	case 'b':
		return int64(int8(v.Data[0])), true
	case 'B':
		return int64(v.Data[0]), true
	case 's':
		return int64(int16(binary.BigEndian.Uint16(v.Data))), true
	case 'u':
		return int64(binary.BigEndian.Uint16(v.Data)), true
	case 'I':
		return int64(int32(binary.BigEndian.Uint32(v.Data))), true
	case 'i':
		return int64(binary.BigEndian.Uint32(v.Data)), true
	case 'l', 'L':
		return int64(binary.BigEndian.Uint64(v.Data)), true
	}
	return 0, false
}

// Float returns the value of a float or double.
func (v RawValue) Float() (float64, bool) {
	switch v.Tag {
	case 'f':
		return float64(math.Float32frombits(binary.BigEndian.Uint32(v.Data))), true
	case 'd':
		return math.Float64frombits(binary.BigEndian.Uint64(v.Data)), true
	}
	return 0, false
}

// Array yields the elements of an array, and none of any other value.
func (v RawValue) Array() iter.Seq[RawValue] {
	return func(yield func(RawValue) bool) {
		if v.Tag != 'A' {
			return
		}
		for b := v.Data; len(b) > 0; {
			var e RawValue
			e, b, _ = cutValue(b)
			if !yield(e) {
				return
			}
		}
	}
}

// Table returns a nested table, empty for any other value.
func (v RawValue) Table() RawTable {
	if v.Tag != 'F' {
		return nil
	}
	return RawTable(v.Data)
}

// Decode returns the Go value that DecodeValue would. It fails with [ErrTable] only if v was not validated.
func (v RawValue) Decode() (any, error) {
	value, err := v.decode(0)
	if err != nil {
		return nil, err
	}
	return value, nil
}

// TypeName returns RabbitMQ's name for the type, as the function TypeName does.
func (v RawValue) TypeName() string {
	switch v.Tag {
	case 't':
		return "bool"
	case 'b':
		return "byte"
	case 'B':
		return "unsignedbyte"
	case 's':
		return "short"
	case 'u':
		return "unsignedshort"
	case 'I':
		return "signedint"
	case 'i':
		return "unsignedint"
	case 'l', 'L':
		return "long"
	case 'f':
		return "float"
	case 'd':
		return "double"
	case 'D':
		return "decimal"
	case 'T':
		return "timestamp"
	case 'S':
		return "longstr"
	case 'x':
		return "binary"
	case 'A':
		return "array"
	case 'F':
		return "table"
	}
	return "void"
}
