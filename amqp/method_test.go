package amqp_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/warren-mq/warren/amqp"
)

// allMethods is what AMQP 0-9-1 and RabbitMQ's extensions define, written down apart from the definition file.
const allMethods = `
10.10 connection.start     10.11 connection.start-ok 10.20 connection.secure  10.21 connection.secure-ok
10.30 connection.tune      10.31 connection.tune-ok  10.40 connection.open    10.41 connection.open-ok
10.50 connection.close     10.51 connection.close-ok 10.60 connection.blocked 10.61 connection.unblocked
10.70 connection.update-secret                       10.71 connection.update-secret-ok
20.10 channel.open         20.11 channel.open-ok     20.20 channel.flow       20.21 channel.flow-ok
20.40 channel.close        20.41 channel.close-ok    30.10 access.request     30.11 access.request-ok
40.10 exchange.declare     40.11 exchange.declare-ok 40.20 exchange.delete    40.21 exchange.delete-ok
40.30 exchange.bind        40.31 exchange.bind-ok    40.40 exchange.unbind    40.51 exchange.unbind-ok
50.10 queue.declare        50.11 queue.declare-ok    50.20 queue.bind         50.21 queue.bind-ok
50.30 queue.purge          50.31 queue.purge-ok      50.40 queue.delete       50.41 queue.delete-ok
50.50 queue.unbind         50.51 queue.unbind-ok     60.10 basic.qos          60.11 basic.qos-ok
60.20 basic.consume        60.21 basic.consume-ok    60.30 basic.cancel       60.31 basic.cancel-ok
60.40 basic.publish        60.50 basic.return        60.60 basic.deliver      60.70 basic.get
60.71 basic.get-ok         60.72 basic.get-empty     60.80 basic.ack          60.90 basic.reject
60.100 basic.recover-async 60.110 basic.recover      60.111 basic.recover-ok  60.120 basic.nack
85.10 confirm.select       85.11 confirm.select-ok   90.10 tx.select          90.11 tx.select-ok
90.20 tx.commit            90.21 tx.commit-ok        90.30 tx.rollback        90.31 tx.rollback-ok`

// ids returns the ids of all methods there are, found by trying.
func ids() (all []amqp.MethodID) {
	for class := range amqp.MethodID(256) {
		for method := range amqp.MethodID(256) {
			if id := class<<16 | method; id.Known() {
				all = append(all, id)
			}
		}
	}
	return all
}

func TestEveryMethodOfTheProtocolIsThere(t *testing.T) {
	var got []string
	for _, id := range ids() {
		got = append(got, fmt.Sprintf("%d.%d", id.Class(), id.Method()), id.String())
		if m, ok := amqp.NewMethod(id); !ok || m.ID() != id {
			t.Errorf("NewMethod(%v): %v, %v", id, m, ok)
		}
	}
	if want := strings.Fields(allMethods); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestUnknownMethodIsCommandInvalid(t *testing.T) {
	const id = amqp.MethodID(60<<16 | 41)
	if m, ok := amqp.NewMethod(id); ok || m != nil || id.Known() || id.String() != "60.41" {
		t.Errorf("got %v, %v, %v, %q", m, ok, id.Known(), id)
	}
	_, _, err := amqp.SplitMethod([]byte{0, 60, 0, 41, 1})
	wantError(t, err, "COMMAND_INVALID - unknown method: class 60, method 41")
	_, _, err = amqp.SplitMethod([]byte{0, 60, 0})
	wantError(t, err, "FRAME_ERROR - type 1, all octets = <<0,60,0>>: unknown_frame")
}

// fill gives every field of a method a random value.
func fill(rnd *rand.Rand, m amqp.Method) {
	v := reflect.ValueOf(m).Elem()
	for i := range v.NumField() {
		f := v.Field(i)
		switch f.Interface().(type) {
		case bool:
			f.SetBool(rnd.IntN(2) == 0)
		case uint8, uint16, uint32, uint64:
			f.SetUint(rnd.Uint64() >> (64 - f.Type().Bits()))
		case string:
			f.SetString(strings.Repeat("é€", rnd.IntN(50)) + "x")
		case []byte:
			f.SetBytes(randomOctets(rnd, rnd.IntN(256)))
		case amqp.Table:
			f.Set(reflect.ValueOf(randomTable(rnd, 0)))
		default:
			panic(f.Type())
		}
	}
}

func randomOctets(rnd *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return b
}

func TestEveryMethodRoundTrips(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, id := range ids() {
		t.Run(id.String(), func(t *testing.T) {
			for range 50 {
				m, _ := amqp.NewMethod(id)
				fill(rnd, m)
				frames, err := readAll(t, amqp.AppendMethod(nil, 5, m), 0)
				if err != nil {
					t.Fatal(err)
				}
				gotID, args, err := amqp.SplitMethod(frames[0].Payload)
				if err != nil || gotID != id {
					t.Fatal(gotID, err)
				}
				got, _ := amqp.NewMethod(id)
				if err := got.Decode(args); err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(got, m) {
					t.Fatalf("got  %+v\nwant %+v", got, m)
				}
			}
		})
	}
}

func TestEveryMethodRefusesMissingAndSurplusOctets(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for _, id := range ids() {
		m, _ := amqp.NewMethod(id)
		fill(rnd, m)
		args := m.Append(nil)[4:]
		for n := range args {
			if err := m.Decode(args[:n]); err == nil {
				t.Fatalf("%v: %d of %d octets were decoded", id, n, len(args))
			}
		}
		if err := m.Decode(append(args, 0)); err == nil {
			t.Errorf("%v: a surplus octet was not noticed", id)
		}
	}
}

func TestMethodsAreWrittenAsTheSpecificationSays(t *testing.T) {
	for _, c := range []struct {
		method amqp.Method
		want   string
	}{
		{&amqp.ConnectionTune{ChannelMax: 2047, FrameMax: 131072, Heartbeat: 60}, "\x00\x0A\x00\x1E\x07\xFF\x00\x02\x00\x00\x00\x3C"},
		{&amqp.ConnectionClose{ReplyCode: 320, ReplyText: "bye", ClassID: 60, MethodID: 40},
			"\x00\x0A\x00\x32\x01\x40\x03bye\x00\x3C\x00\x28"},
		{&amqp.ChannelOpenOk{}, "\x00\x14\x00\x0B\x00\x00\x00\x00"},
		{&amqp.QueueDeclare{Queue: "q", Durable: true, NoWait: true, Arguments: amqp.Table{{"x", true}}},
			"\x00\x32\x00\x0A\x00\x00\x01q\x12\x00\x00\x00\x04\x01xt\x01"},
		{&amqp.ExchangeUnbindOk{}, "\x00\x28\x00\x33"},
		{&amqp.BasicPublish{Exchange: []byte("e"), RoutingKey: []byte("key"), Mandatory: true}, "\x00\x3C\x00\x28\x00\x00\x01e\x03key\x01"},
		{&amqp.BasicDeliver{ConsumerTag: []byte("c"), DeliveryTag: 1 << 33, Redelivered: true, RoutingKey: []byte("q")},
			"\x00\x3C\x00\x3C\x01c\x00\x00\x00\x02\x00\x00\x00\x00\x01\x00\x01q"},
		{&amqp.BasicNack{DeliveryTag: 3, Multiple: true, Requeue: true}, "\x00\x3C\x00\x78\x00\x00\x00\x00\x00\x00\x00\x03\x03"},
		{&amqp.BasicNack{Requeue: true}, "\x00\x3C\x00\x78\x00\x00\x00\x00\x00\x00\x00\x00\x02"},
		{&amqp.AccessRequest{Realm: "/", Read: true}, "\x00\x1E\x00\x0A\x01/\x10"},
	} {
		if got := c.method.Append(nil); string(got) != c.want {
			t.Errorf("%v: got % x, want % x", c.method.ID(), got, c.want)
		}
	}
}

func TestDecodeErrorsAreRabbitMQs(t *testing.T) {
	for _, c := range []struct {
		name   string
		method amqp.Method
		args   string
		want   string
		id     amqp.MethodID
	}{
		{"short", &amqp.QueueDeclare{}, "\x00\x00\x05ab", "FRAME_ERROR - cannot decode <<0,0,5,97,98>>", amqp.QueueDeclareID},
		{"printable octets are numbers too", &amqp.BasicAck{}, "abc", "FRAME_ERROR - cannot decode <<97,98,99>>", amqp.BasicAckID},
		{"surplus", &amqp.TxSelect{}, "\x01", "FRAME_ERROR - cannot decode <<1>>", amqp.TxSelectID},
		{"nothing", &amqp.ConfirmSelect{}, "", "FRAME_ERROR - cannot decode <<>>", amqp.ConfirmSelectID},
		{"long", &amqp.TxSelect{}, strings.Repeat("d", 300), "FRAME_ERROR - cannot decode <<" + strings.Repeat("100,", 55) + "10...", amqp.TxSelectID},
		{"UTF-8", &amqp.BasicCancel{}, "\x02\xC3\x28\x00", "FRAME_ERROR - Malformed UTF-8 in shortstr", 0},
		{"short and not UTF-8", &amqp.BasicCancel{}, "\x01\xFF", "FRAME_ERROR - cannot decode <<1,255>>", amqp.BasicCancelID},
		{"table", &amqp.QueueBind{}, "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x01kU\x00\x01",
			"SYNTAX_ERROR - undecodable field table: unknown tag 'U'", amqp.QueueBindID},
		{"UTF-8 before table", &amqp.QueueBind{}, "\x00\x00\x01\xFF\x00\x00\x00\x00\x00\x00\x05\x01kU\x00\x01",
			"FRAME_ERROR - Malformed UTF-8 in shortstr", 0},
		{"table before UTF-8", &amqp.ConnectionStartOk{}, "\x00\x00\x00\x05\x01kU\x00\x01\x01\xFF\x00\x00\x00\x00\x00",
			"SYNTAX_ERROR - undecodable field table: unknown tag 'U'", amqp.ConnectionStartOkID},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.method.Decode([]byte(c.args))
			wantError(t, err, c.want)
			if e := err.(*amqp.Error); e.Method != c.id {
				t.Errorf("tied to %v, want %v", e.Method, c.id)
			}
		})
	}
}

func TestMethodsWithContentTakeAnyOctets(t *testing.T) {
	var m amqp.BasicPublish
	if err := m.Decode([]byte("\x00\x00\x01\xFF\x02\xC3\x28\xFE")); err != nil {
		t.Fatal(err)
	}
	if string(m.Exchange) != "\xFF" || string(m.RoutingKey) != "\xC3\x28" || m.Mandatory || !m.Immediate {
		t.Errorf("got %+v", m)
	}
}

func TestShortStringIsCutBeforeACharacter(t *testing.T) {
	m := amqp.BasicCancel{ConsumerTag: strings.Repeat("a", 254) + "€"}
	args := m.Append(nil)[4:]
	if err := m.Decode(args); err != nil {
		t.Fatal(err)
	}
	if m.ConsumerTag != strings.Repeat("a", 254) {
		t.Errorf("got %q", m.ConsumerTag)
	}
	key := bytes.Repeat([]byte{0x80}, 300) // no character starts anywhere
	if got := (&amqp.BasicPublish{RoutingKey: key}).Append(nil); len(got) != 4+2+1+1+255+1 {
		t.Errorf("got %d octets", len(got))
	}
}
