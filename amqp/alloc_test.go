package amqp_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/warren-mq/warren/amqp"
)

// repeat is a reader that brings a stream over and over.
type repeat struct {
	stream []byte
	next   int
}

func (r *repeat) Read(b []byte) (n int, err error) {
	for n < len(b) {
		if r.next == len(r.stream) {
			r.next = 0
		}
		c := copy(b[n:], r.stream[r.next:])
		r.next += c
		n += c
	}
	return n, nil
}

var (
	exchangeName = []byte("events")
	routingKey   = []byte("orders.created.eu")
	consumerTag  = []byte("amq.ctag-0123456789abcdefghijkl")
)

// typicalProperties are what an application sends that marks its messages persistent and adds a few headers.
func typicalProperties(t testing.TB) []byte {
	p := amqp.Properties{
		Flags:       amqp.FlagContentType | amqp.FlagHeaders | amqp.FlagDeliveryMode | amqp.FlagMessageID | amqp.FlagTimestamp,
		ContentType: []byte("application/json"), DeliveryMode: 2, MessageID: []byte("01HZX3"), Timestamp: 1700000000,
		Headers: rawTable(t, amqp.Table{{"x-tenant", "acme"}, {"x-attempt", int32(3)}, {"CC", amqp.Array{"copy"}}}),
	}
	return p.Append(nil)
}

// publishStream returns a message as the three frames in which it is published.
func publishStream(props []byte, size int) []byte {
	dst := amqp.AppendMethod(nil, 1, &amqp.BasicPublish{Exchange: exchangeName, RoutingKey: routingKey})
	dst = amqp.AppendContentHeader(dst, 1, 60, uint64(size), props)
	return amqp.AppendBody(dst, 1, make([]byte, size), 131072)
}

// publication is what readMessage takes in, kept by the caller so that nothing is allocated.
type publication struct {
	method amqp.BasicPublish
	header amqp.ContentHeader
	props  amqp.Properties
	body   []byte
}

// readMessage reads frames until the body of a message is there, decoding all of it.
func readMessage(r *amqp.Reader, p *publication) error {
	p.body = p.body[:0]
	for {
		f, ok, err := r.Next()
		if err != nil {
			return err
		}
		if !ok {
			if err := r.Fill(); err != nil {
				return err
			}
			continue
		}
		if err := f.Check(); err != nil {
			return err
		}
		switch f.Type {
		case amqp.FrameMethod:
			id, args, err := amqp.SplitMethod(f.Payload)
			if err != nil {
				return err
			}
			if id != amqp.BasicPublishID {
				return fmt.Errorf("got %v", id)
			}
			if err := p.method.Decode(args); err != nil {
				return err
			}
		case amqp.FrameHeader:
			if p.header, err = amqp.DecodeContentHeader(f.Payload); err != nil {
				return err
			}
			if err := p.props.Decode(p.header.Properties); err != nil {
				return err
			}
		case amqp.FrameBody:
			p.body = append(p.body, f.Payload...)
			if uint64(len(p.body)) == p.header.BodySize {
				return nil
			}
		}
	}
}

// appendDelivery appends a message as the frames in which it is delivered.
func appendDelivery(dst []byte, tag uint64, props, body []byte) []byte {
	m := amqp.BasicDeliver{ConsumerTag: consumerTag, DeliveryTag: tag, Exchange: exchangeName, RoutingKey: routingKey}
	dst, mark := amqp.BeginFrame(dst, amqp.FrameMethod, 1)
	dst = amqp.EndFrame(m.Append(dst), mark)
	dst = amqp.AppendContentHeader(dst, 1, 60, uint64(len(body)), props)
	return amqp.AppendBody(dst, 1, body, 131072)
}

// TestNothingIsAllocatedPerMessage is the budget of the hot path.
func TestNothingIsAllocatedPerMessage(t *testing.T) {
	props := typicalProperties(t)
	body := make([]byte, 300_000)
	wire := make([]byte, 0, 400_000)
	raw := rawTable(t, amqp.Table{{"a", int32(1)}, {"list", amqp.Array{"x", "y"}}, {"z", amqp.Table{{"q", "r"}}}})
	ack := []byte{0, 0, 0, 0, 0, 0, 0, 1, 1}
	var p publication
	p.body = make([]byte, 0, len(body))
	small := amqp.NewReader(&repeat{stream: publishStream(props, 16)}, 131072)
	large := amqp.NewReader(&repeat{stream: publishStream(props, len(body))}, 131072)
	for _, c := range []struct {
		name string
		run  func()
	}{
		{"publish, small", func() { must(t, readMessage(small, &p)) }},
		{"publish, large", func() { must(t, readMessage(large, &p)) }},
		{"deliver", func() { wire = appendDelivery(wire[:0], 1<<40, props, body) }},
		{"properties", func() { must(t, p.props.Decode(props)); wire = p.props.Append(wire[:0]) }},
		{"ack", func() {
			var m amqp.BasicAck
			must(t, m.Decode(ack))
			wire = m.Append(wire[:0])
		}},
		{"raw table", func() {
			v, _ := raw.Get("list")
			for e := range v.Array() {
				if _, ok := e.String(); !ok {
					t.Error("not a string")
				}
			}
			for name, v := range raw.All() {
				if inner, ok := v.Table().Get("q"); ok && (string(name) != "z" || inner.Tag != 'S') {
					t.Error("wrong table")
				}
			}
		}},
		{"heartbeat", func() { wire = amqp.AppendHeartbeat(wire[:0]) }},
	} {
		if n := testing.AllocsPerRun(1000, c.run); n != 0 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
}

// waitingSource is a repeat that can wait; an idle connection brings one message a read.
type waitingSource struct{ bytes.Reader }

func (s *waitingSource) WaitReadable() error {
	_, err := s.Seek(0, io.SeekStart)
	return err
}

func TestGivingTheBufferBackDoesNotAllocate(t *testing.T) {
	src := new(waitingSource)
	src.Reset(publishStream(typicalProperties(t), 16))
	r := amqp.NewReader(src, 131072)
	var p publication
	p.body = make([]byte, 0, 100)
	// A garbage collection may empty the pool in between, which is not counted as one per message.
	if n := testing.AllocsPerRun(1000, func() { must(t, readMessage(r, &p)) }); n >= 1 {
		t.Errorf("%v allocations", n)
	}
}

func must(t testing.TB, err error) {
	if err != nil {
		t.Helper()
		t.Fatal(err)
	}
}
