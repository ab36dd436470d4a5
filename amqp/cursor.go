package amqp

import (
	"encoding/binary"
	"unicode/utf8"
)

// cursor reads the arguments of a method. Its errors stick, so that a decoder is a straight line that asks once, at
// the end, with done. What is read past the end is zero.
type cursor struct {
	b         []byte
	truncated bool
	err       *Error // the first short string or table that is not well-formed
}

// fail marks the arguments as too short.
func (c *cursor) fail() { c.b, c.truncated = nil, true }

func (c *cursor) octet() uint8 {
	if len(c.b) < 1 {
		c.fail()
		return 0
	}
	v := c.b[0]
	c.b = c.b[1:]
	return v
}

func (c *cursor) short() uint16 {
	if len(c.b) < 2 {
		c.fail()
		return 0
	}
	v := binary.BigEndian.Uint16(c.b)
	c.b = c.b[2:]
	return v
}

func (c *cursor) long() uint32 {
	if len(c.b) < 4 {
		c.fail()
		return 0
	}
	v := binary.BigEndian.Uint32(c.b)
	c.b = c.b[4:]
	return v
}

func (c *cursor) longlong() uint64 {
	if len(c.b) < 8 {
		c.fail()
		return 0
	}
	v := binary.BigEndian.Uint64(c.b)
	c.b = c.b[8:]
	return v
}

// shortstrView returns a short string of any octets as a view of the arguments. RabbitMQ 3.10.8 asks for UTF-8 neither
// in methods that carry content nor in properties.
func (c *cursor) shortstrView() []byte {
	if len(c.b) < 1 || len(c.b)-1 < int(c.b[0]) {
		c.fail()
		return nil
	}
	end := 1 + int(c.b[0])
	v := c.b[1:end:end]
	c.b = c.b[end:]
	return v
}

func (c *cursor) shortstr() string {
	v := c.shortstrView()
	if !utf8.Valid(v) && c.err == nil {
		c.err = &Error{Code: FrameError, Reason: "Malformed UTF-8 in shortstr"}
	}
	return string(v)
}

// longstrView returns a long string as a view of the arguments.
func (c *cursor) longstrView() []byte {
	v, rest, ok := cutLong(c.b)
	if !ok {
		c.fail()
		return nil
	}
	c.b = rest
	return v
}

func (c *cursor) longstr() string { return string(c.longstrView()) }

func (c *cursor) table() Table {
	v, rest, ok := cutLong(c.b)
	if !ok {
		c.fail()
		return nil
	}
	c.b = rest
	if c.err != nil {
		return nil
	}
	t, err := decodeTable(v, 0)
	c.err = err
	return t
}

// done returns what went wrong with the arguments of method id. Too few or too many octets win over anything inside
// the fields, as in RabbitMQ 3.10.8, which matches the layout before it looks at the values.
func (c *cursor) done(id MethodID, args []byte) error {
	if !c.truncated && len(c.b) == 0 && c.err == nil {
		return nil
	}
	return c.failure(id, args)
}

func (c *cursor) failure(id MethodID, args []byte) error {
	if c.truncated || len(c.b) != 0 {
		return &Error{Code: FrameError, Reason: "cannot decode " + erlangOctets(cut(args, maxReplyText)), Method: id}
	}
	if c.err.Code == SyntaxError {
		c.err.Method = id
	}
	return c.err
}

// cutLong splits what a u32 length announces off b; ok is false if b holds less.
func cutLong(b []byte) (v, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := uint64(binary.BigEndian.Uint32(b))
	b = b[4:]
	if n > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:n:n], b[n:], true
}

// cut returns at most n octets of b: what a reply text cannot hold is not worth rendering.
func cut(b []byte, n int) []byte { return b[:min(n, len(b))] }

// rawTable returns a checked table as a view.
func (c *cursor) rawTable() RawTable {
	v := c.longstrView()
	if c.err == nil {
		c.err = validateTable(v, 0)
	}
	return v
}
