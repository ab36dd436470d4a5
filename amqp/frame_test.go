package amqp_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/warren-mq/warren/amqp"
)

// wantError fails the test unless err is an *amqp.Error with this reply text.
func wantError(t *testing.T, err error, text string) {
	t.Helper()
	e, ok := errors.AsType[*amqp.Error](err)
	if !ok {
		t.Fatalf("got %v, want %q", err, text)
	}
	if got := e.ReplyText(); got != text {
		t.Errorf("got  %q\nwant %q", got, text)
	}
}

func TestFramesAreWrittenAsTheSpecificationSays(t *testing.T) {
	begun := func(dst []byte) []byte {
		dst, mark := amqp.BeginFrame(dst, amqp.FrameMethod, 0x0102)
		return amqp.EndFrame(append(dst, "abc"...), mark)
	}
	for _, c := range []struct {
		name string
		got  []byte
		want []byte
	}{
		{"method", begun(nil), []byte("\x01\x01\x02\x00\x00\x00\x03abc\xCE")},
		{"after another", begun([]byte("x")), []byte("x\x01\x01\x02\x00\x00\x00\x03abc\xCE")},
		{"heartbeat", amqp.AppendHeartbeat(nil), []byte("\x08\x00\x00\x00\x00\x00\x00\xCE")},
		{"header", amqp.AppendContentHeader(nil, 0x0102, 60, 0x0102030405060708, []byte("\x10\x00\x02")),
			[]byte("\x02\x01\x02\x00\x00\x00\x0F\x00\x3C\x00\x00\x01\x02\x03\x04\x05\x06\x07\x08\x10\x00\x02\xCE")},
		{"no body", amqp.AppendBody([]byte("x"), 1, nil, 4096), []byte("x")},
		{"body", amqp.AppendBody(nil, 1, []byte("ab"), 4096), []byte("\x03\x00\x01\x00\x00\x00\x02ab\xCE")},
		{"method frame", amqp.AppendMethod(nil, 1, &amqp.TxCommit{}), []byte("\x01\x00\x01\x00\x00\x00\x04\x00\x5A\x00\x14\xCE")},
	} {
		if !bytes.Equal(c.got, c.want) {
			t.Errorf("%s: got % x, want % x", c.name, c.got, c.want)
		}
	}
}

func TestBodyIsSplitAtFrameMaxLessOverhead(t *testing.T) {
	for _, c := range []struct {
		size     int
		frameMax uint32
		want     []int
	}{
		{4088, 4096, []int{4088}},
		{4089, 4096, []int{4088, 1}},
		{8176, 4096, []int{4088, 4088}},
		{10000, 4096, []int{4088, 4088, 1824}},
		{200000, 131072, []int{131064, 68936}},
		{200000, 0, []int{200000}},
	} {
		body := bytes.Repeat([]byte("0123456789"), c.size/10+1)[:c.size]
		frames, _ := readAll(t, amqp.AppendBody(nil, 7, body, c.frameMax), 0)
		var sizes []int
		var joined []byte
		for _, f := range frames {
			if f.Type != amqp.FrameBody || f.Channel != 7 {
				t.Fatalf("got a frame of type %d on channel %d", f.Type, f.Channel)
			}
			sizes = append(sizes, len(f.Payload))
			joined = append(joined, f.Payload...)
		}
		if !equal(sizes, c.want) || !bytes.Equal(joined, body) {
			t.Errorf("%d bytes with frame_max %d: got frames of %v, want %v", c.size, c.frameMax, sizes, c.want)
		}
	}
}

func equal(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestCheckRefusesWhatNoFrameMayBe(t *testing.T) {
	for _, c := range []struct {
		name  string
		frame amqp.Frame
		want  string // "" if the frame is fine
	}{
		{"method", amqp.Frame{Type: 1, Payload: []byte{0, 60, 0, 40}}, ""},
		{"short method", amqp.Frame{Type: 1, Channel: 1, Payload: []byte{0, 60, 0}},
			"FRAME_ERROR - type 1, all octets = <<0,60,0>>: unknown_frame"},
		{"header", amqp.Frame{Type: 2, Channel: 1, Payload: make([]byte, 12)}, ""},
		{"short header", amqp.Frame{Type: 2, Channel: 1, Payload: make([]byte, 11)},
			"FRAME_ERROR - type 2, all octets = <<0,0,0,0,0,0,0,0,0,0,0>>: unknown_frame"},
		{"header on channel 0", amqp.Frame{Type: 2, Payload: make([]byte, 14)},
			"UNEXPECTED_FRAME - type 2, all octets = <<0,0,0,0,0,0,0,0,0,0,0,0,0,0>>"},
		{"body", amqp.Frame{Type: 3, Channel: 1}, ""},
		{"body on channel 0", amqp.Frame{Type: 3, Payload: []byte("hello")},
			`UNEXPECTED_FRAME - type 3, all octets = <<"hello">>`},
		{"heartbeat", amqp.Frame{Type: 8}, ""},
		{"heartbeat on a channel", amqp.Frame{Type: 8, Channel: 1}, "UNEXPECTED_FRAME - type 8, all octets = <<>>"},
		{"heartbeat with payload", amqp.Frame{Type: 8, Payload: []byte{1}},
			"FRAME_ERROR - type 8, all octets = <<1>>: unknown_frame"},
		{"unknown type", amqp.Frame{Type: 9, Channel: 1, Payload: []byte("abc")},
			`FRAME_ERROR - type 9, all octets = <<"abc">>: unknown_frame`},
		{"unknown type, long", amqp.Frame{Type: 4, Payload: []byte("an octet more than 16")},
			`FRAME_ERROR - type 4, first 16 octets = <<"an octet more th">>: unknown_frame`},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.frame.Check()
			if c.want != "" {
				wantError(t, err, c.want)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestContentHeaderRoundTrips(t *testing.T) {
	frames, _ := readAll(t, amqp.AppendContentHeader(nil, 1, 60, 1<<40, []byte("\x10\x00\x02")), 0)
	h, err := amqp.DecodeContentHeader(frames[0].Payload)
	if err != nil {
		t.Fatal(err)
	}
	if h.Class != 60 || h.Weight != 0 || h.BodySize != 1<<40 || string(h.Properties) != "\x10\x00\x02" {
		t.Errorf("got %+v", h)
	}
	_, err = amqp.DecodeContentHeader(make([]byte, 11))
	wantError(t, err, "FRAME_ERROR - type 2, all octets = <<0,0,0,0,0,0,0,0,0,0,0>>: unknown_frame")
}
