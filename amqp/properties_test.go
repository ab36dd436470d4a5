package amqp_test

import (
	"reflect"
	"testing"

	"github.com/warren-mq/warren/amqp"
)

// properties has one case for each property, in wire order.
var properties = []struct {
	flag  uint16
	props amqp.Properties
	wire  string
}{
	{amqp.FlagContentType, amqp.Properties{ContentType: []byte("a")}, "\x80\x00\x01a"},
	{amqp.FlagContentEncoding, amqp.Properties{ContentEncoding: []byte("b")}, "\x40\x00\x01b"},
	{amqp.FlagHeaders, amqp.Properties{Headers: amqp.RawTable("\x01kt\x01")}, "\x20\x00\x00\x00\x00\x04\x01kt\x01"},
	{amqp.FlagDeliveryMode, amqp.Properties{DeliveryMode: 2}, "\x10\x00\x02"},
	{amqp.FlagPriority, amqp.Properties{Priority: 9}, "\x08\x00\x09"},
	{amqp.FlagCorrelationID, amqp.Properties{CorrelationID: []byte("c")}, "\x04\x00\x01c"},
	{amqp.FlagReplyTo, amqp.Properties{ReplyTo: []byte("d")}, "\x02\x00\x01d"},
	{amqp.FlagExpiration, amqp.Properties{Expiration: []byte("1000")}, "\x01\x00\x041000"},
	{amqp.FlagMessageID, amqp.Properties{MessageID: []byte("e")}, "\x00\x80\x01e"},
	{amqp.FlagTimestamp, amqp.Properties{Timestamp: 0x0102030405060708}, "\x00\x40\x01\x02\x03\x04\x05\x06\x07\x08"},
	{amqp.FlagType, amqp.Properties{Type: []byte("f")}, "\x00\x20\x01f"},
	{amqp.FlagUserID, amqp.Properties{UserID: []byte("g")}, "\x00\x10\x01g"},
	{amqp.FlagAppID, amqp.Properties{AppID: []byte("h")}, "\x00\x08\x01h"},
	{amqp.FlagClusterID, amqp.Properties{ClusterID: []byte("i\xFF")}, "\x00\x04\x02i\xFF"},
}

func TestEachPropertyIsReadAndWritten(t *testing.T) {
	for _, c := range properties {
		want := c.props
		want.Flags = c.flag
		if got := want.Append(nil); string(got) != c.wire {
			t.Errorf("flag %04x: wrote %q, want %q", c.flag, got, c.wire)
		}
		got := amqp.Properties{DeliveryMode: 7, AppID: []byte("of another message")}
		if err := got.Decode([]byte(c.wire)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("flag %04x: read %+v, %v", c.flag, got, err)
		}
		if !got.Has(c.flag) || got.Has(^c.flag) {
			t.Errorf("flag %04x: Has is wrong", c.flag)
		}
	}
}

// allProperties returns a wire form in which every property is present.
func allProperties() []byte {
	wire := []byte{0xFF, 0xFC}
	for _, c := range properties {
		wire = append(wire, c.wire[2:]...)
	}
	return wire
}

func TestAllPropertiesTogether(t *testing.T) {
	wire := allProperties()
	var p amqp.Properties
	if err := p.Decode(wire); err != nil {
		t.Fatal(err)
	}
	if got := p.Append(nil); string(got) != string(wire) {
		t.Errorf("got %q, want %q", got, wire)
	}
	for n := range wire {
		wantError(t, p.Decode(wire[:n]), "INTERNAL_ERROR")
	}
	wantError(t, p.Decode(append(wire, 0)), "INTERNAL_ERROR")
}

func TestAbsentPropertiesStayAbsent(t *testing.T) {
	var p amqp.Properties
	if err := p.Decode([]byte{0, 0}); err != nil || !reflect.DeepEqual(p, amqp.Properties{}) {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestFlagsThatStandForNothingAreIgnored(t *testing.T) {
	var p amqp.Properties
	if err := p.Decode([]byte{0x10, 0x03, 2}); err != nil || p.DeliveryMode != 2 {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestUndecodableHeadersAreInternalError(t *testing.T) {
	var p amqp.Properties
	for _, headers := range []string{"\x00\x00\x00\x05\x01kU\x00\x01", "\x00\x00\x00\x09\x01kA\x00\x00\x00\x02SS", "\x00\x00\x00\x02\x01k"} {
		wantError(t, p.Decode([]byte("\x20\x00"+headers)), "INTERNAL_ERROR")
	}
}
