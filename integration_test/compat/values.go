package compat

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Field values are written in scripts as TAG:VALUE, with the tag that goes on
// the wire: I:-5, l:7, t:true, S:word, S:"any text", x:00ff, D:2/314, T:1700000000,
// V, A:[I:1, S:a], F:{k=I:1}. ?U:0001 is the tag U with raw bytes after it, for
// what no server should accept. A table is {key=VALUE, key=VALUE}.
//
// Text is turned into wire bytes and wire bytes into text directly; there is no
// value in between that could lose a tag, an order or a duplicate.

type valueParser struct {
	text string
	pos  int
}

func (p *valueParser) fail(format string, args ...any) error {
	return fmt.Errorf("%q at %d: %s", p.text, p.pos, fmt.Sprintf(format, args...))
}

func (p *valueParser) skip() {
	for p.pos < len(p.text) && p.text[p.pos] == ' ' {
		p.pos++
	}
}

func (p *valueParser) eat(c byte) bool {
	p.skip()
	if p.pos < len(p.text) && p.text[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

// word reads a quoted string or everything up to a delimiter.
func (p *valueParser) word() (string, error) {
	p.skip()
	rest := p.text[p.pos:]
	if strings.HasPrefix(rest, `"`) {
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil {
			return "", p.fail("%v", err)
		}
		p.pos += len(quoted)
		return strconv.Unquote(quoted)
	}
	if strings.HasPrefix(rest, "repeat(") {
		end := strings.IndexByte(rest, ')') + 1
		p.pos += end
		return literal(rest[:end])
	}
	end := strings.IndexAny(rest, " ,=]}")
	if end < 0 {
		end = len(rest)
	}
	p.pos += end
	return rest[:end], nil
}

// parseTable encodes "{…}" as a table with its length in front.
func parseTable(text string) ([]byte, error) {
	p := &valueParser{text: text}
	b, err := p.table()
	if err != nil {
		return nil, err
	}
	if p.skip(); p.pos != len(text) {
		return nil, p.fail("surplus text")
	}
	return b, nil
}

func (p *valueParser) table() ([]byte, error) {
	if !p.eat('{') {
		return nil, p.fail("'{' expected")
	}
	var b []byte
	for !p.eat('}') {
		key, err := p.word()
		if err != nil {
			return nil, err
		}
		if !p.eat('=') {
			return nil, p.fail("'=' expected")
		}
		b = append(append(b, byte(len(key))), key...)
		if b, err = p.value(b); err != nil {
			return nil, err
		}
		p.eat(',')
	}
	return appendLongstr(nil, b), nil
}

func (p *valueParser) value(b []byte) ([]byte, error) {
	p.skip()
	if p.pos >= len(p.text) {
		return nil, p.fail("value expected")
	}
	raw := p.eat('?')
	tag := p.text[p.pos]
	p.pos++
	b = append(b, tag)
	if tag == 'V' && !raw {
		return b, nil
	}
	if !p.eat(':') {
		return nil, p.fail("':' expected after tag %c", tag)
	}
	switch {
	case raw:
	case tag == 'F':
		t, err := p.table()
		return append(b, t...), err
	case tag == 'A':
		return p.array(b)
	}
	w, err := p.word()
	if err != nil {
		return nil, err
	}
	if raw || tag == 'x' {
		h, err := hex.DecodeString(w)
		if err != nil {
			return nil, p.fail("%v", err)
		}
		if raw {
			return append(b, h...), nil
		}
		return appendLongstr(b, h), nil
	}
	return p.scalar(b, tag, w)
}

func (p *valueParser) array(b []byte) ([]byte, error) {
	if !p.eat('[') {
		return nil, p.fail("'[' expected")
	}
	var items []byte
	for !p.eat(']') {
		var err error
		if items, err = p.value(items); err != nil {
			return nil, err
		}
		p.eat(',')
	}
	return appendLongstr(b, items), nil
}

func (p *valueParser) scalar(b []byte, tag byte, w string) ([]byte, error) {
	if tag == 'S' {
		return appendLongstr(b, []byte(w)), nil
	}
	if tag == 'f' || tag == 'd' {
		f, err := strconv.ParseFloat(w, 64)
		if err != nil {
			return nil, p.fail("%v", err)
		}
		if tag == 'f' {
			return binary.BigEndian.AppendUint32(b, math.Float32bits(float32(f))), nil
		}
		return binary.BigEndian.AppendUint64(b, math.Float64bits(f)), nil
	}
	if tag == 'D' {
		scale, digits, _ := strings.Cut(w, "/")
		s, err1 := strconv.ParseUint(scale, 10, 8)
		v, err2 := strconv.ParseUint(digits, 10, 32)
		if err1 != nil || err2 != nil {
			return nil, p.fail("decimal is SCALE/DIGITS")
		}
		return binary.BigEndian.AppendUint32(append(b, byte(s)), uint32(v)), nil
	}
	switch w {
	case "true":
		w = "1"
	case "false":
		w = "0"
	}
	n, err := strconv.ParseInt(w, 10, 64)
	if err != nil {
		u, uerr := strconv.ParseUint(w, 10, 64)
		if uerr != nil {
			return nil, p.fail("%v", err)
		}
		n = int64(u)
	}
	switch tag {
	case 't', 'b', 'B':
		return append(b, byte(n)), nil
	case 's', 'u':
		return binary.BigEndian.AppendUint16(b, uint16(n)), nil
	case 'I', 'i':
		return binary.BigEndian.AppendUint32(b, uint32(n)), nil
	case 'l', 'L', 'T':
		return binary.BigEndian.AppendUint64(b, uint64(n)), nil
	}
	return nil, p.fail("unknown tag %c", tag)
}

func appendLongstr(b, s []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

// cursor reads wire bytes. After the first short read it stays broken and
// returns zeros, so that a formatter needs one check at its end.
type cursor struct {
	b      []byte
	broken bool
}

func (c *cursor) take(n int) []byte {
	if n > len(c.b) {
		c.broken = true
		c.b = nil
		return make([]byte, min(n, 8))
	}
	v := c.b[:n]
	c.b = c.b[n:]
	return v
}

func (c *cursor) uint(n int) uint64 {
	var v uint64
	for _, x := range c.take(n) {
		v = v<<8 | uint64(x)
	}
	return v
}

func (c *cursor) longstr() []byte  { return c.take(int(c.uint(4))) }
func (c *cursor) shortstr() []byte { return c.take(int(c.uint(1))) }

func formatTable(body []byte) string {
	c := &cursor{b: body}
	var items []string
	for len(c.b) > 0 {
		key := c.shortstr()
		items = append(items, formatString(key)+"="+formatValue(c))
	}
	return "{" + strings.Join(items, ", ") + "}"
}

func formatValue(c *cursor) string {
	tag := byte(c.uint(1))
	prefix := string(tag) + ":"
	switch tag {
	case 't', 'B':
		return prefix + strconv.FormatUint(c.uint(1), 10)
	case 'b':
		return prefix + strconv.FormatInt(int64(int8(c.uint(1))), 10)
	case 's':
		return prefix + strconv.FormatInt(int64(int16(c.uint(2))), 10)
	case 'u':
		return prefix + strconv.FormatUint(c.uint(2), 10)
	case 'I':
		return prefix + strconv.FormatInt(int64(int32(c.uint(4))), 10)
	case 'i':
		return prefix + strconv.FormatUint(c.uint(4), 10)
	case 'l', 'L':
		return prefix + strconv.FormatInt(int64(c.uint(8)), 10)
	case 'T':
		return prefix + strconv.FormatUint(c.uint(8), 10)
	case 'f':
		return prefix + strconv.FormatFloat(float64(math.Float32frombits(uint32(c.uint(4)))), 'g', -1, 32)
	case 'd':
		return prefix + strconv.FormatFloat(math.Float64frombits(c.uint(8)), 'g', -1, 64)
	case 'D':
		scale := c.uint(1)
		return fmt.Sprintf("D:%d/%d", scale, c.uint(4))
	case 'S':
		return prefix + formatString(c.longstr())
	case 'x':
		return prefix + hex.EncodeToString(c.longstr())
	case 'F':
		return prefix + formatTable(c.longstr())
	case 'V':
		return "V"
	case 'A':
		items := &cursor{b: c.longstr()}
		var out []string
		for len(items.b) > 0 {
			out = append(out, formatValue(items))
		}
		return prefix + "[" + strings.Join(out, ", ") + "]"
	}
	rest := c.take(len(c.b))
	return fmt.Sprintf("?%c:%x", tag, rest)
}

// formatString leaves simple words bare and quotes everything else.
func formatString(s []byte) string {
	if len(s) == 0 {
		return `""`
	}
	for _, c := range s {
		if c <= ' ' || c > '~' || strings.IndexByte("\"\\,={}[]|'", c) >= 0 {
			return strconv.Quote(string(s))
		}
	}
	return string(s)
}
