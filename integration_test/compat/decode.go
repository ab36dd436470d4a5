package compat

import (
	"bufio"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strconv"
	"strings"
)

// event is one thing that a broker sent: a method with its whole content, or
// the end of the connection (name "closed").
type event struct {
	channel uint16
	name    string
	text    string // as it stands in a transcript
	tag     uint64 // delivery tag of basic.ack, basic.nack
	multi   bool
}

func (e *event) confirm() bool { return e.name == "basic.ack" || e.name == "basic.nack" }

// content is what is still missing of a basic.deliver, basic.return or basic.get-ok.
type content struct {
	event      event
	header     bool // the header frame has come
	missing    uint64
	properties string
	body       []byte
	frames     []int // payload sizes of the body frames
}

// decoder assembles events from frames. Anything that AMQP does not allow a
// server to send becomes an event that says so, and so a difference.
type decoder struct {
	r       *bufio.Reader
	pending map[uint16]*content
}

func newDecoder(r io.Reader) *decoder {
	return &decoder{r: bufio.NewReaderSize(r, 64<<10), pending: map[uint16]*content{}}
}

// next returns the next event; ok is false when a frame did not complete one.
func (d *decoder) next() (e event, ok bool, err error) {
	first, err := d.r.Peek(1)
	if err != nil {
		return e, false, err
	}
	if first[0] == 'A' {
		var h [8]byte
		if _, err := io.ReadFull(d.r, h[:]); err != nil {
			return e, false, err
		}
		return event{name: "protocol-header", text: fmt.Sprintf("protocol header %q %d %d %d %d", h[:4], h[4], h[5], h[6], h[7])}, true, nil
	}
	var h [7]byte
	if _, err := io.ReadFull(d.r, h[:]); err != nil {
		return e, false, err
	}
	head := &cursor{b: h[:]}
	typ, channel, size := head.uint(1), uint16(head.uint(2)), head.uint(4)
	payload := make([]byte, size+1)
	if _, err := io.ReadFull(d.r, payload); err != nil {
		return e, false, err
	}
	if payload[size] != frameEnd {
		return event{channel: channel, name: "garbage", text: fmt.Sprintf("frame of type %d ends with %#x", typ, payload[size])}, true, nil
	}
	e, ok = d.frame(byte(typ), channel, payload[:size])
	return e, ok, nil
}

func (d *decoder) frame(typ byte, channel uint16, payload []byte) (event, bool) {
	pending := d.pending[channel]
	switch {
	case typ == frameHeartbeat:
		return event{channel: channel, name: "heartbeat", text: "heartbeat"}, true
	case typ == frameMethod && pending == nil:
		return d.method(channel, payload)
	case typ == frameHeader && pending != nil && !pending.header:
		c := &cursor{b: payload}
		class, weight := c.uint(2), c.uint(2)
		pending.header, pending.missing = true, c.uint(8)
		pending.properties = formatProperties(c)
		if class != 60 || weight != 0 || c.broken {
			pending.properties += fmt.Sprintf(" !header(class=%d weight=%d broken=%t)", class, weight, c.broken)
		}
		return d.complete(channel, pending)
	case typ == frameBody && pending != nil && pending.header && uint64(len(payload)) <= pending.missing:
		pending.body = append(pending.body, payload...)
		pending.frames = append(pending.frames, len(payload))
		pending.missing -= uint64(len(payload))
		return d.complete(channel, pending)
	}
	return event{channel: channel, name: "garbage", text: fmt.Sprintf("frame of type %d out of place", typ)}, true
}

func (d *decoder) method(channel uint16, payload []byte) (event, bool) {
	c := &cursor{b: payload}
	id := uint32(c.uint(4))
	m := methodsByID[id]
	if m == nil {
		return event{channel: channel, name: "garbage", text: fmt.Sprintf("method %d.%d", id>>16, id&0xffff)}, true
	}
	e := event{channel: channel, name: m.name}
	e.text = m.name + formatFields(m, c, &e)
	if c.broken || len(c.b) > 0 {
		e.text += fmt.Sprintf(" !%d bytes left", len(c.b))
	}
	if m.content() {
		d.pending[channel] = &content{event: e}
		return e, false
	}
	return e, true
}

func (d *decoder) complete(channel uint16, p *content) (event, bool) {
	if p.missing > 0 {
		return event{}, false
	}
	delete(d.pending, channel)
	p.event.text += p.properties + " body=" + formatBody(p.body)
	if len(p.frames) > 1 || len(p.body) == 0 && len(p.frames) > 0 {
		p.event.text += " frames=" + strings.ReplaceAll(fmt.Sprint(p.frames), " ", "+")
	}
	return p.event, true
}

func formatBody(b []byte) string {
	if len(b) <= 64 {
		return strconv.Quote(string(b))
	}
	return fmt.Sprintf("<%d bytes, crc %08x>", len(b), crc32.ChecksumIEEE(b))
}

// formatFields writes the arguments as name=value, bits as bare words when set.
// Close methods are shortened to CODE "TEXT" (CLASS,METHOD).
func formatFields(m *method, c *cursor, e *event) string {
	var out []string
	bit := 0
	var octet uint64
	for _, f := range m.fields {
		if f.typ != 'b' {
			bit = 0
			v := readField(f, c)
			if f.name == "delivery-tag" {
				e.tag, _ = strconv.ParseUint(v, 10, 64)
			}
			out = append(out, f.name+"="+v)
			continue
		}
		if bit%8 == 0 {
			octet = c.uint(1)
		}
		if octet>>(bit%8)&1 == 1 {
			out = append(out, f.name)
		}
		bit++
	}
	e.multi = slices.Contains(out, "multiple")
	if strings.HasSuffix(m.name, ".close") && len(out) == 4 {
		value := func(i int) string { _, v, _ := strings.Cut(out[i], "="); return v }
		return fmt.Sprintf(" %s %s (%s,%s)", value(0), value(1), value(2), value(3))
	}
	if len(out) == 0 {
		return ""
	}
	return " " + strings.Join(out, " ")
}

func readField(f field, c *cursor) string {
	switch f.typ {
	case 'o':
		return strconv.FormatUint(c.uint(1), 10)
	case 'h':
		return strconv.FormatUint(c.uint(2), 10)
	case 'l':
		return strconv.FormatUint(c.uint(4), 10)
	case 'L', 'T':
		return strconv.FormatUint(c.uint(8), 10)
	case 's':
		return formatString(c.shortstr())
	case 'S':
		return formatString(c.longstr())
	default:
		return formatTable(c.longstr())
	}
}

func formatProperties(c *cursor) string {
	flags := c.uint(2)
	var out strings.Builder
	for i, f := range propertyFields {
		if flags>>(15-i)&1 == 1 {
			out.WriteString(" " + f.name + "=" + readField(f, c))
		}
	}
	if flags&3 != 0 {
		fmt.Fprintf(&out, " flags=%#x", flags&3)
	}
	if len(c.b) > 0 {
		fmt.Fprintf(&out, " raw=%x", c.b)
	}
	return out.String()
}
