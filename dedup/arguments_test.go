package dedup_test

import (
	"strings"
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/dedup"
)

func TestWindowArgument(t *testing.T) {
	for _, c := range []struct {
		value any
		span  int64
		count int
		ok    bool
	}{
		{"10m", 600_000, 0, true},
		{"1500ms", 1500, 0, true},
		{"2s", 2000, 0, true},
		{"1h", 3_600_000, 0, true},
		{"3650d", 315_360_000_000, 0, true},
		{"100000", 0, 100_000, true},
		{"10m,100000", 600_000, 100_000, true},
		{"3651d", 0, 0, false},
		{"100000001", 0, 0, false},
		{"0s", 0, 0, false},
		{"0", 0, 0, false},
		{"", 0, 0, false},
		{",", 0, 0, false},
		{"10m,", 0, 0, false},
		{",5", 0, 0, false},
		{"5,10m", 0, 0, false},
		{"10m,10m", 0, 0, false},
		{"5,5", 0, 0, false},
		{"10 m", 0, 0, false},
		{"-5s", 0, 0, false},
		{"+5s", 0, 0, false},
		{"1.5s", 0, 0, false},
		{"1h30m", 0, 0, false},
		{"99999999999999999999s", 0, 0, false},
		{int64(5), 0, 0, false},
		{true, 0, 0, false},
		{nil, 0, 0, false},
	} {
		args := amqp.Table{{Name: dedup.ArgWindow, Value: c.value}}
		if reason := dedup.CheckWindow(c.value, args); (reason == "") != c.ok {
			t.Errorf("%v: %q", c.value, reason)
		}
		if o, ok := dedup.Parse(args); ok != c.ok || ok && (o.Span != c.span || o.Count != c.count) {
			t.Errorf("%v is %+v, %t", c.value, o, ok)
		}
	}
}

func TestOtherArguments(t *testing.T) {
	window := amqp.Table{{Name: dedup.ArgWindow, Value: "5"}}
	letters := window.With("x-dead-letter-exchange", "")
	for _, c := range []struct {
		reason, want string
	}{
		{dedup.CheckHeader("h", window), ""},
		{dedup.CheckHeader("h", nil), "no_dedup_window_defined"},
		{dedup.CheckHeader("", window), `"expected the name of a header"`},
		{dedup.CheckHeader(strings.Repeat("h", 256), window), `"expected the name of a header"`},
		{dedup.CheckHeader(int32(5), window), "{unacceptable_type,signedint}"},
		{dedup.CheckDeadLetter(true, letters), ""},
		{dedup.CheckDeadLetter(false, window), ""},
		{dedup.CheckDeadLetter(true, window), "dedup_dead_letter_but_no_dlx_defined"},
		{dedup.CheckDeadLetter(false, nil), "no_dedup_window_defined"},
		{dedup.CheckDeadLetter("true", letters), "{unacceptable_type,longstr}"},
	} {
		if c.reason != c.want {
			t.Errorf("%q, want %q", c.reason, c.want)
		}
	}
}

func TestIdentity(t *testing.T) {
	of := func(value any) (dedup.ID, bool) {
		p := amqp.Properties{Flags: amqp.FlagHeaders}
		p.Headers, _, _ = amqp.DecodeRawTable(amqp.AppendTable(nil, amqp.Table{{Name: "h", Value: value}}))
		return dedup.Identify(&p, "h")
	}
	for _, group := range [][]any{
		{int8(5), int16(5), int32(5), int64(5), uint8(5), uint16(5), amqp.Timestamp(5)},
		{"5", amqp.Binary("5")},
		{"", amqp.Binary("")},
		{true},
		{false},
		{5.0},
		{amqp.Array{int32(5)}},
		{amqp.Table{{Name: "a", Value: int32(5)}}},
		{strings.Repeat("long", 1000)},
		{strings.Repeat("long", 1000) + "er"},
	} {
		first, ok := of(group[0])
		for _, v := range group {
			if got, has := of(v); !ok || !has || got != first {
				t.Errorf("%T %v is not as %T", v, v, group[0])
			}
		}
		if other, _ := of("something else"); other == first {
			t.Errorf("%v is as something else", group[0])
		}
	}
	if _, ok := of(nil); ok {
		t.Error("a void header names a message")
	}
	p := amqp.Properties{}
	if _, ok := dedup.Identify(&p, ""); ok {
		t.Error("a message without an id has an identity")
	}
	if _, ok := dedup.Identify(&p, "h"); ok {
		t.Error("a message without headers has an identity")
	}
	p = amqp.Properties{Flags: amqp.FlagMessageID, MessageID: []byte("5")}
	if got, ok := dedup.Identify(&p, ""); !ok || got == (dedup.ID{}) {
		t.Error("a message id is no identity")
	}
}

func BenchmarkIdentify(b *testing.B) {
	p := amqp.Properties{Flags: amqp.FlagMessageID, MessageID: []byte("2b1d2f1e-6d2c-4a0e-9d5c-3f0b8f0f6a11")}
	b.ReportAllocs()
	for b.Loop() {
		dedup.Identify(&p, "")
	}
}

func FuzzWindow(f *testing.F) {
	for _, s := range []string{"10m,100000", "5", "1ms", ",", "99999999999999999999d,1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		args := amqp.Table{{Name: dedup.ArgWindow, Value: s}}
		o, ok := dedup.Parse(args)
		if ok != (dedup.CheckWindow(s, args) == "") {
			t.Errorf("%q is read as %+v, %t, and checked otherwise", s, o, ok)
		}
		if ok && (o.Span == 0 && o.Count == 0 || o.Span < 0 || o.Span > 315_360_000_000 || o.Count < 0 || o.Count > 100_000_000) {
			t.Errorf("%q is %+v", s, o)
		}
	})
}
