package compat

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	frameMethod    = 1
	frameHeader    = 2
	frameBody      = 3
	frameHeartbeat = 8
	frameEnd       = 0xCE
)

func appendFrame(dst []byte, typ byte, channel uint16, payload []byte) []byte {
	dst = append(dst, typ)
	dst = binary.BigEndian.AppendUint16(dst, channel)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(payload)))
	return append(append(dst, payload...), frameEnd)
}

// tokens splits a step at spaces outside of quotes, braces and brackets.
func tokens(line string) ([]string, error) {
	var out []string
	depth, start, quoted := 0, -1, false
	for i := 0; i < len(line); i++ {
		c := line[i]
		if start < 0 && c != ' ' {
			start = i
		}
		switch {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[' || c == '(':
			depth++
		case c == '}' || c == ']' || c == ')':
			depth--
		case c == ' ' && depth == 0 && start >= 0:
			out = append(out, line[start:i])
			start = -1
		}
	}
	if quoted || depth != 0 {
		return nil, fmt.Errorf("open quote or bracket in %q", line)
	}
	if start >= 0 {
		out = append(out, line[start:])
	}
	return out, nil
}

var repeated = regexp.MustCompile(`^repeat\((.*),(\d+)\)$`)

// literal is the text that a token stands for: "quoted", repeat(text,n) or itself.
func literal(token string) (string, error) {
	if m := repeated.FindStringSubmatch(token); m != nil {
		n, _ := strconv.Atoi(m[2])
		s, err := literal(m[1])
		return strings.Repeat(s, n), err
	}
	if strings.HasPrefix(token, `"`) {
		return strconv.Unquote(token)
	}
	return token, nil
}

// call is a method with its arguments and, for a publish, its content.
type call struct {
	method *method
	args   []byte
	nowait bool

	properties []byte // flags and values
	body       []byte
}

var named = regexp.MustCompile(`^([a-z][a-z0-9-]*)=(.*)$`)

// parseCall reads "METHOD ARG…". A bare word sets the bit of that name, or else
// is the next field that is neither bit, table nor ticket; name=value sets a
// field or property; the word after the last field of basic.publish is the body.
func parseCall(words []string) (*call, error) {
	m := methodsByName[words[0]]
	if m == nil {
		return nil, fmt.Errorf("unknown method %q", words[0])
	}
	values := map[string]string{}
	properties := map[string]string{}
	free := slices.DeleteFunc(slices.Clone(m.fields), func(f field) bool {
		return f.typ == 'b' || f.typ == 'F' || f.name == "ticket"
	})
	if m.name == "basic.publish" {
		free = append(free, field{"body", 'S'})
	}
	for _, w := range words[1:] {
		if n := named.FindStringSubmatch(w); n != nil {
			switch {
			case slices.ContainsFunc(m.fields, func(f field) bool { return f.name == n[1] }):
				values[n[1]] = n[2]
			case m.name == "basic.publish":
				properties[n[1]] = n[2]
			default:
				return nil, fmt.Errorf("%s has no %q", m.name, n[1])
			}
			continue
		}
		if slices.Contains(m.fields, field{w, 'b'}) {
			values[w] = "1"
			continue
		}
		free = slices.DeleteFunc(free, func(f field) bool { return values[f.name] != "" || properties[f.name] != "" })
		if len(free) == 0 {
			return nil, fmt.Errorf("%s: what is %q?", m.name, w)
		}
		if free[0].name == "body" {
			properties["body"] = w
		} else {
			values[free[0].name] = w
			if w == "" {
				values[free[0].name] = `""`
			}
		}
		free = free[1:]
	}
	c := &call{method: m, nowait: values["nowait"] == "1"}
	var err error
	if c.args, err = encodeFields(m.fields, values); err != nil {
		return nil, fmt.Errorf("%s: %w", m.name, err)
	}
	if m.name == "basic.publish" {
		if c.body, err = takeBody(properties); err == nil {
			c.properties, err = encodeProperties(properties)
		}
	}
	return c, err
}

func takeBody(p map[string]string) ([]byte, error) {
	defer delete(p, "body")
	defer delete(p, "size")
	if s, ok := p["size"]; ok {
		n, err := strconv.Atoi(s)
		return pattern(n), err
	}
	s, err := literal(p["body"])
	return []byte(s), err
}

// pattern is a body that shows a lost or doubled piece in its checksum.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i % 251)
	}
	return b
}

// encodeProperties turns name=value pairs into flags and values. flags=N adds
// bits that have no property, raw=HEX appends bytes.
func encodeProperties(p map[string]string) ([]byte, error) {
	p = maps.Clone(p)
	var flags uint16
	var values []byte
	for i, f := range propertyFields {
		v, ok := p[f.name]
		if !ok {
			continue
		}
		delete(p, f.name)
		flags |= 1 << (15 - i)
		var err error
		if values, err = appendField(values, f, v); err != nil {
			return nil, err
		}
	}
	if v, ok := p["flags"]; ok {
		n, err := strconv.ParseUint(v, 0, 16)
		if err != nil {
			return nil, err
		}
		flags |= uint16(n)
		delete(p, "flags")
	}
	if v, ok := p["raw"]; ok {
		b, err := hex.DecodeString(v)
		if err != nil {
			return nil, err
		}
		values = append(values, b...)
		delete(p, "raw")
	}
	for name := range p {
		return nil, fmt.Errorf("no property %q", name)
	}
	return append(binary.BigEndian.AppendUint16(nil, flags), values...), nil
}

// encodeFields encodes a method's arguments; what is not given is zero.
func encodeFields(fields []field, values map[string]string) ([]byte, error) {
	var b []byte
	bit := 0 // bits used of the last octet, consecutive bits share one
	for _, f := range fields {
		if f.typ != 'b' {
			bit = 0
			var err error
			if b, err = appendField(b, f, values[f.name]); err != nil {
				return nil, err
			}
			continue
		}
		if bit%8 == 0 {
			b = append(b, 0)
		}
		if v := values[f.name]; v == "1" || v == "true" {
			b[len(b)-1] |= 1 << (bit % 8)
		}
		bit++
	}
	return b, nil
}

func appendField(b []byte, f field, v string) ([]byte, error) {
	switch f.typ {
	case 'F':
		if v == "" {
			v = "{}"
		}
		t, err := parseTable(v)
		return append(b, t...), err
	case 's', 'S':
		s, err := literal(v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		if f.typ == 'S' {
			return appendLongstr(b, []byte(s)), nil
		}
		if len(s) > 255 {
			return nil, fmt.Errorf("%s: %d bytes do not fit a shortstr", f.name, len(s))
		}
		return append(append(b, byte(len(s))), s...), nil
	}
	if v == "" {
		v = "0"
	}
	n, err := strconv.ParseUint(v, 0, 64)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	switch f.typ {
	case 'o':
		return append(b, byte(n)), nil
	case 'h':
		return binary.BigEndian.AppendUint16(b, uint16(n)), nil
	case 'l':
		return binary.BigEndian.AppendUint32(b, uint32(n)), nil
	default:
		return binary.BigEndian.AppendUint64(b, n), nil
	}
}

// methodPayload is the payload of the method frame.
func (c *call) methodPayload() []byte {
	b := binary.BigEndian.AppendUint16(nil, c.method.class)
	b = binary.BigEndian.AppendUint16(b, c.method.id)
	return append(b, c.args...)
}

func headerPayload(class, weight uint16, size uint64, properties []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, class)
	b = binary.BigEndian.AppendUint16(b, weight)
	b = binary.BigEndian.AppendUint64(b, size)
	return append(b, properties...)
}

// appendTo encodes the whole call, bodies split to frames of frameMax.
func (c *call) appendTo(dst []byte, channel uint16, frameMax int) []byte {
	dst = appendFrame(dst, frameMethod, channel, c.methodPayload())
	if !c.method.content() {
		return dst
	}
	dst = appendFrame(dst, frameHeader, channel, headerPayload(c.method.class, 0, uint64(len(c.body)), c.properties))
	for part := range slices.Chunk(c.body, frameMax-8) {
		dst = appendFrame(dst, frameBody, channel, part)
	}
	return dst
}

// parseBytes reads the words of a raw or frame step: "text", hex digits,
// u8:N u16:N u32:N u64:N, zeros:N, and method:NAME for its four id bytes.
func parseBytes(words []string) ([]byte, error) {
	var b []byte
	for _, w := range words {
		kind, v, ok := strings.Cut(w, ":")
		switch {
		case strings.HasPrefix(w, `"`):
			s, err := strconv.Unquote(w)
			if err != nil {
				return nil, err
			}
			b = append(b, s...)
		case !ok:
			h, err := hex.DecodeString(w)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", w, err)
			}
			b = append(b, h...)
		case kind == "method":
			m := methodsByName[v]
			if m == nil {
				return nil, fmt.Errorf("unknown method %q", v)
			}
			b = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, m.class), m.id)
		default:
			n, err := strconv.ParseUint(v, 0, 64)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", w, err)
			}
			switch kind {
			case "u8":
				b = append(b, byte(n))
			case "u16":
				b = binary.BigEndian.AppendUint16(b, uint16(n))
			case "u32":
				b = binary.BigEndian.AppendUint32(b, uint32(n))
			case "u64":
				b = binary.BigEndian.AppendUint64(b, n)
			case "zeros":
				b = append(b, make([]byte, n)...)
			default:
				return nil, fmt.Errorf("what is %q?", w)
			}
		}
	}
	return b, nil
}
