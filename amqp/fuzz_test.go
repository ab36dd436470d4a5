package amqp_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"testing"

	"github.com/warren-mq/warren/amqp"
)

// chunks is a reader that brings at most n octets a read, n from 1 to 256 and another each time.
type chunks struct {
	data  []byte
	sizes []byte
	next  int
}

func (c *chunks) Read(b []byte) (int, error) {
	if len(c.data) == 0 {
		return 0, io.EOF
	}
	n := len(b)
	if len(c.sizes) > 0 {
		n = min(n, 1+int(c.sizes[c.next%len(c.sizes)]))
		c.next++
	}
	n = copy(b[:n], c.data)
	c.data = c.data[n:]
	return n, nil
}

// waitingChunks are chunks for which a Reader gives its buffer back.
type waitingChunks struct{ chunks }

func (*waitingChunks) WaitReadable() error { return nil }

// parseFrames is the naive Reader: the whole stream at once. bad tells whether it met something that is not a frame.
func parseFrames(stream []byte, frameMax uint32) (frames []amqp.Frame, bad bool) {
	for len(stream) >= amqp.FrameHeaderSize {
		size := uint64(binary.BigEndian.Uint32(stream[3:]))
		if frameMax > 0 && size > uint64(frameMax) {
			return frames, true
		}
		if uint64(len(stream)) < size+amqp.FrameOverhead {
			return frames, false
		}
		end := amqp.FrameHeaderSize + int(size)
		if stream[end] != amqp.FrameEnd {
			return frames, true
		}
		frames = append(frames, amqp.Frame{
			Type: stream[0], Channel: binary.BigEndian.Uint16(stream[1:]), Payload: stream[amqp.FrameHeaderSize:end],
		})
		stream = stream[end+1:]
	}
	return frames, false
}

func FuzzReader(f *testing.F) {
	stream := amqp.AppendMethod(nil, 1, &amqp.BasicPublish{RoutingKey: []byte("q")})
	stream = amqp.AppendContentHeader(stream, 1, 60, 5, []byte{0x10, 0, 2})
	stream = amqp.AppendBody(stream, 1, []byte("hello"), 4096)
	stream = amqp.AppendHeartbeat(stream)
	f.Add(stream, []byte{0}, uint32(4096))
	f.Add(stream, []byte{6, 200}, uint32(0))
	f.Add(stream[:20], []byte{}, uint32(4))
	f.Fuzz(func(t *testing.T, stream, sizes []byte, frameMax uint32) {
		want, bad := parseFrames(stream, frameMax)
		plain, _ := readFrom(&chunks{data: stream, sizes: sizes}, frameMax)
		got, err := readFrom(&waitingChunks{chunks{data: stream, sizes: sizes}}, frameMax)
		if len(plain) != len(got) {
			t.Fatalf("%d frames without waiting, %d with it", len(plain), len(got))
		}
		if len(got) != len(want) {
			t.Fatalf("got %d frames, want %d", len(got), len(want))
		}
		for i := range got {
			if got[i].Type != want[i].Type || got[i].Channel != want[i].Channel || !bytes.Equal(got[i].Payload, want[i].Payload) {
				t.Fatalf("frame %d: got %v, want %v", i, got[i], want[i])
			}
			if err := got[i].Check(); err != nil && len(err.(*amqp.Error).ReplyText()) > 255 {
				t.Fatalf("reply text too long: %v", err)
			}
		}
		if bad != errors.Is(err, &amqp.Error{Code: amqp.FrameError}) || !bad && err != io.EOF {
			t.Fatalf("bad is %v and the error %v", bad, err)
		}
	})
}

func FuzzMethod(f *testing.F) {
	for _, id := range ids() {
		m, _ := amqp.NewMethod(id)
		f.Add(m.Append(nil))
	}
	f.Add((&amqp.QueueDeclare{Queue: "q", Arguments: amqp.Table{{"x-max-length", int32(5)}, {"a", amqp.Array{"b", nil}}}}).Append(nil))
	f.Fuzz(func(t *testing.T, payload []byte) {
		id, args, err := amqp.SplitMethod(payload)
		if err != nil {
			if m, ok := amqp.NewMethod(id); ok && len(payload) >= 4 {
				t.Fatalf("%v is refused: %v", m.ID(), err)
			}
			return
		}
		m, ok := amqp.NewMethod(id)
		if !ok {
			t.Fatalf("no method %v", id)
		}
		if err := m.Decode(args); err != nil {
			if e, ok := errors.AsType[*amqp.Error](err); !ok || len(e.ReplyText()) > 255 {
				t.Fatal(err)
			}
			return
		}
		wire := m.Append(nil) // not payload: bits that stand for nothing and the tag L are written otherwise
		if len(wire) != len(payload) {
			t.Fatalf("%d octets became %d", len(payload), len(wire))
		}
		again, _ := amqp.NewMethod(id)
		if err := again.Decode(wire[4:]); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(again, m) {
			t.Fatalf("got %+v, want %+v", again, m)
		}
	})
}

func FuzzTable(f *testing.F) {
	for _, c := range values {
		f.Add(amqp.AppendTable(nil, amqp.Table{{"k", c.value}, {"k", nil}}))
	}
	f.Add(append([]byte{0, 0, 0, 26}, nested('A', 5)...))
	f.Fuzz(func(t *testing.T, wire []byte) {
		table, rest, err := amqp.DecodeTable(wire)
		raw, rawRest, rawErr := amqp.DecodeRawTable(wire)
		if (err == nil) != (rawErr == nil) || !bytes.Equal(rest, rawRest) {
			t.Fatalf("table: %v, raw table: %v", err, rawErr)
		}
		if err != nil {
			if !errors.Is(err, amqp.ErrTable) || !errors.Is(rawErr, amqp.ErrTable) || err.Error() != rawErr.Error() {
				t.Fatalf("table: %v, raw table: %v", err, rawErr)
			}
			return
		}
		again, rest, err := amqp.DecodeTable(amqp.AppendTable(nil, table))
		if err != nil || len(rest) != 0 || !reflect.DeepEqual(again, table) {
			t.Fatalf("got %v, want %v; error %v", again, table, err)
		}
		compareRaw(t, raw, table)
	})
}

// compareRaw checks that a raw table shows what the decoded one holds.
func compareRaw(t *testing.T, raw amqp.RawTable, table amqp.Table) {
	whole, err := raw.Decode()
	if err != nil || !amqp.Equivalent(whole, table) {
		t.Fatalf("raw %v, table %v; error %v", whole, table, err)
	}
	i := 0
	for name, v := range raw.All() {
		value, err := v.Decode()
		if err != nil || string(name) != table[i].Name || !amqp.Equivalent(value, table[i].Value) {
			t.Fatalf("field %d: raw %q %v, table %v; error %v", i, name, value, table[i], err)
		}
		if v.TypeName() != amqp.TypeName(table[i].Value) {
			t.Fatalf("field %d: raw type %s, table %s", i, v.TypeName(), amqp.TypeName(table[i].Value))
		}
		first, _ := table.Get(string(name))
		got, ok := raw.Get(string(name))
		if value, err := got.Decode(); !ok || err != nil || !amqp.Equivalent(value, first) {
			t.Fatalf("%q: raw %v, table %v; error %v", name, value, first, err)
		}
		i++
	}
	if i != len(table) {
		t.Fatalf("raw has %d fields, table %d", i, len(table))
	}
}

// FuzzEquivalent also renders both values, which must not fail either.
func FuzzEquivalent(f *testing.F) {
	for i, c := range values {
		f.Add([]byte(c.wire), []byte(values[len(values)-1-i].wire))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		x, _, errX := amqp.DecodeValue(a)
		y, _, errY := amqp.DecodeValue(b)
		if errX != nil || errY != nil {
			return
		}
		if !amqp.Equivalent(x, x) {
			t.Fatalf("%#v is not equivalent to itself", x)
		}
		if amqp.Equivalent(x, y) != amqp.Equivalent(y, x) {
			t.Fatalf("%#v and %#v: not symmetric", x, y)
		}
		if amqp.TypeName(x) == amqp.TypeName(y) && amqp.ErlangTerm(x) == amqp.ErlangTerm(y) && !amqp.Equivalent(x, y) {
			t.Fatalf("%#v and %#v look alike but are not equivalent", x, y)
		}
	})
}

func FuzzProperties(f *testing.F) {
	f.Add(allProperties())
	for _, c := range properties {
		f.Add([]byte(c.wire))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		var p amqp.Properties
		if err := p.Decode(wire); err != nil {
			if e, ok := errors.AsType[*amqp.Error](err); !ok || e.ReplyText() != "INTERNAL_ERROR" {
				t.Fatal(err)
			}
			return
		}
		if got := p.Append(nil); !bytes.Equal(got, wire) {
			t.Fatalf("got %q, want %q", got, wire)
		}
		if table, err := p.Headers.Decode(); err != nil {
			t.Fatal(err)
		} else {
			compareRaw(t, p.Headers, table)
		}
	})
}

func FuzzContentHeader(f *testing.F) {
	f.Add([]byte("\x00\x3C\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x10\x00\x02"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		h, err := amqp.DecodeContentHeader(payload)
		if err != nil {
			if len(payload) >= 12 || !errors.Is(err, &amqp.Error{Code: amqp.FrameError}) {
				t.Fatal(err)
			}
			return
		}
		if h.Weight != 0 {
			return // is never written
		}
		want := frame(amqp.FrameHeader, 9, payload)
		if got := amqp.AppendContentHeader(nil, 9, h.Class, h.BodySize, h.Properties); !bytes.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}
