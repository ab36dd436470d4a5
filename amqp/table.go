package amqp

import (
	"encoding/binary"
	"slices"
)

// Table is a field table (AMQP 0-9-1, section 4.2.5.5) in wire order, duplicates kept. DecodeValue tells which Go type
// each tag becomes.
type Table []Field

// Field is one entry of a table.
type Field struct {
	Name  string // any bytes, at most 255
	Value any
}

// Get returns the value of the first field with that name.
func (t Table) Get(name string) (v any, ok bool) {
	for i := range t {
		if t[i].Name == name {
			return t[i].Value, true
		}
	}
	return nil, false
}

// With returns a copy of the table in which the first field with that name has value v, appended if there was none.
func (t Table) With(name string, v any) Table {
	c := slices.Clone(t)
	for i := range c {
		if c[i].Name == name {
			c[i].Value = v
			return c
		}
	}
	return append(c, Field{name, v})
}

// Without returns a copy of the table without any field of that name, or the table itself if there is none.
func (t Table) Without(name string) Table {
	if _, ok := t.Get(name); !ok {
		return t
	}
	return slices.DeleteFunc(slices.Clone(t), func(f Field) bool { return f.Name == name })
}

// AppendTable appends the table with its u32 length.
func AppendTable(dst []byte, t Table) []byte {
	mark := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = AppendTableBody(dst, t)
	binary.BigEndian.PutUint32(dst[mark:], uint32(len(dst)-mark-4))
	return dst
}

// AppendTableBody appends the fields of the table without a length, as AMQPLAIN and RawTable have them.
func AppendTableBody(dst []byte, t Table) []byte {
	for i := range t {
		dst = appendShortstr(dst, t[i].Name)
		dst = AppendValue(dst, t[i].Value)
	}
	return dst
}

// DecodeTable reads a table with its u32 length and returns what follows. It fails with [ErrTable].
func DecodeTable(b []byte) (t Table, rest []byte, err error) {
	body, rest, ok := cutLong(b)
	if !ok {
		return nil, nil, tableErrorf("it is cut off")
	}
	if t, err = DecodeTableBody(body); err != nil {
		return nil, nil, err
	}
	return t, rest, nil
}

// DecodeTableBody reads the fields of a table that fill b, without a length. It fails with [ErrTable].
func DecodeTableBody(b []byte) (Table, error) {
	t, err := decodeTable(b, 0)
	if err != nil {
		return nil, err
	}
	return t, nil
}

func decodeTable(b []byte, depth int) (Table, *Error) {
	if depth > maxDepth {
		return nil, tableErrorf("nested deeper than %d", maxDepth)
	}
	t := Table{}
	for len(b) > 0 {
		name, rest, ok := cutName(b)
		if !ok {
			return nil, tableErrorf("a name is cut off")
		}
		v, rest, err := decodeValue(rest, depth)
		if err != nil {
			return nil, err
		}
		t, b = append(t, Field{string(name), v}), rest
	}
	return t, nil
}

// cutName splits the name of a field off b.
func cutName(b []byte) (name, rest []byte, ok bool) {
	if len(b) < 1 || len(b)-1 < int(b[0]) {
		return nil, nil, false
	}
	n := 1 + int(b[0])
	return b[1:n:n], b[n:], true
}
