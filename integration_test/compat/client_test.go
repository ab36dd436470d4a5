package compat

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The client is what everything here is judged by, so it is tested on its own.

func TestTableTextAndWireBytesAgree(t *testing.T) {
	for _, c := range []struct{ text, wire string }{
		{"{}", "\x00\x00\x00\x00"},
		{"{a=t:1}", "\x00\x00\x00\x04\x01at\x01"},
		{"{a=b:-1, a=V}", "\x00\x00\x00\x07\x01ab\xff\x01aV"},
		{"{s=s:-2, u=u:65535}", "\x00\x00\x00\x0a\x01ss\xff\xfe\x01uu\xff\xff"},
		{"{a=I:-1, b=i:4294967295}", "\x00\x00\x00\x0e\x01aI\xff\xff\xff\xff\x01bi\xff\xff\xff\xff"},
		{"{a=l:-1}", "\x00\x00\x00\x0b\x01al\xff\xff\xff\xff\xff\xff\xff\xff"},
		{"{a=T:1}", "\x00\x00\x00\x0b\x01aT\x00\x00\x00\x00\x00\x00\x00\x01"},
		{"{a=f:1.5}", "\x00\x00\x00\x07\x01af\x3f\xc0\x00\x00"},
		{"{a=d:1.5}", "\x00\x00\x00\x0b\x01ad\x3f\xf8\x00\x00\x00\x00\x00\x00"},
		{"{a=D:2/314}", "\x00\x00\x00\x08\x01aD\x02\x00\x00\x01\x3a"},
		{`{"a b"=S:"x y"}`, "\x00\x00\x00\x0c\x03a bS\x00\x00\x00\x03x y"},
		{"{a=x:00ff}", "\x00\x00\x00\x09\x01ax\x00\x00\x00\x02\x00\xff"},
		{"{a=A:[V, F:{b=B:7}]}", "\x00\x00\x00\x11\x01aA\x00\x00\x00\x0a" + "VF\x00\x00\x00\x04\x01bB\x07"},
	} {
		wire, err := parseTable(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if string(wire) != c.wire {
			t.Errorf("%s is encoded as %q, want %q", c.text, wire, c.wire)
		}
		if text := formatTable(wire[4:]); text != c.text {
			t.Errorf("%s comes back as %s", c.text, text)
		}
	}
}

func TestMethodTextAndWireBytesAgree(t *testing.T) {
	for _, c := range []struct{ text, wire string }{
		{"queue.declare q passive durable args={a=V}", "\x00\x32\x00\x0a\x00\x00\x01q\x03\x00\x00\x00\x03\x01aV"},
		{"queue.declare q nowait", "\x00\x32\x00\x0a\x00\x00\x01q\x10\x00\x00\x00\x00"},
		{"queue.bind q x key", "\x00\x32\x00\x14\x00\x00\x01q\x01x\x03key\x00\x00\x00\x00\x00"},
		{"basic.nack 3 requeue", "\x00\x3c\x00\x78\x00\x00\x00\x00\x00\x00\x00\x03\x02"},
		{"channel.close 200 bye 60 40", "\x00\x14\x00\x28\x00\xc8\x03bye\x00\x3c\x00\x28"},
		{`basic.publish "" key body mandatory`, "\x00\x3c\x00\x28\x00\x00\x00\x03key\x01"},
	} {
		words, err := tokens(c.text)
		if err != nil {
			t.Fatal(err)
		}
		call, err := parseCall(words)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if got := string(call.methodPayload()); got != c.wire {
			t.Errorf("%s is encoded as %q, want %q", c.text, got, c.wire)
		}
	}
}

func TestDecoderAssemblesContent(t *testing.T) {
	publish, err := parseCall([]string{"basic.publish", "x", "k", "size=10000", "priority=7", "message-id=m"})
	if err != nil {
		t.Fatal(err)
	}
	publish.method = methodsByName["basic.return"]
	publish.args = []byte("\x01\x38\x08NO_ROUTE\x01x\x01k")
	d := newDecoder(bytes.NewReader(publish.appendTo(nil, 3, 4096)))
	for {
		e, ok, err := d.next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			continue
		}
		want := "basic.return reply-code=312 reply-text=NO_ROUTE exchange=x routing-key=k priority=7 message-id=m body=<10000 bytes, crc "
		if e.channel != 3 || !strings.HasPrefix(e.text, want) || !strings.HasSuffix(e.text, "frames=[4088+4088+1824]") {
			t.Errorf("decoded as channel %d: %s", e.channel, e.text)
		}
		return
	}
}

func TestDecoderTellsWhatNoServerMaySend(t *testing.T) {
	for name, wire := range map[string]string{
		"bad end":                    "\x08\x00\x00\x00\x00\x00\x00\x00",
		"body without a method":      "\x03\x00\x01\x00\x00\x00\x01x\xce",
		"unknown frame type":         "\x09\x00\x01\x00\x00\x00\x00\xce",
		"unknown method":             "\x01\x00\x01\x00\x00\x00\x04\x00\x63\x00\x01\xce",
		"method instead of a header": "\x01\x00\x01\x00\x00\x00\x08\x00\x3c\x00\x32\x01\x38\x00\x00\xce\x01\x00\x01\x00\x00\x00\x04\x00\x14\x00\x29\xce",
	} {
		d := newDecoder(strings.NewReader(wire))
		for {
			e, ok, err := d.next()
			if err != nil {
				t.Errorf("%s: taken for good", name)
				break
			}
			if ok && e.name == "garbage" {
				break
			}
		}
	}
}

func TestConfirmsAreTheTagsTheySettle(t *testing.T) {
	s := &session{name: "a", confirmed: map[uint16]map[uint64]bool{}}
	n := newNames("00000000")
	ack := func(tag uint64, multi bool) event {
		return event{channel: 1, name: "basic.ack", tag: tag, multi: multi}
	}
	got := n.answers(s, []event{ack(2, false), ack(4, true), {channel: 1, name: "basic.nack", tag: 5}}, false)
	want := []string{"a.1 < basic.ack of 1 2 3 4", "a.1 < basic.nack of 5"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := n.answers(s, []event{ack(7, true)}, false); got[0] != "a.1 < basic.ack of 6 7" {
		t.Errorf("a later cumulative ack reads %q", got)
	}
}

func TestNamesOfARunAreEvenedOut(t *testing.T) {
	n := newNames("0123abcd")
	if got := n.expand(`a.1 queue.bind $q amq.direct "$k1.x"`); got != `a.1 queue.bind q-0123abcd amq.direct "k1-0123abcd.x"` {
		t.Errorf("expanded to %s", got)
	}
	first, second := "amq.gen-"+strings.Repeat("A", 22), "amq.gen-"+strings.Repeat("-", 22)
	for text, want := range map[string]string{
		"no queue 'q-0123abcd'": "no queue '$q'",
		"q-0123abce":            "q-0123abce",
		"node rabbit@some.host": "node NODE",
	} {
		if got := n.normal(text); got != want {
			t.Errorf("%s became %s, want %s", text, got, want)
		}
	}
	if got := n.normal(first + " " + second + " " + first); got != "%gen1 %gen2 %gen1" {
		t.Errorf("generated names became %s", got)
	}
	if got := n.expand("%gen2"); got != second {
		t.Errorf("%%gen2 stands for %s", got)
	}
}

func TestDiffTellsEveryKindOfDifference(t *testing.T) {
	base := []Step{{"one", []string{"x"}}, {"two", nil}}
	for name, other := range map[string][]Step{
		"another answer": {{"one", []string{"y"}}, {"two", nil}},
		"no answer":      {{"one", nil}, {"two", nil}},
		"one more":       {{"one", []string{"x"}}, {"two", []string{"z"}}},
		"step missing":   {{"one", []string{"x"}}},
	} {
		if diff(base, other, "a", "b") == "" || diff(other, base, "a", "b") == "" {
			t.Errorf("%s: no difference told", name)
		}
	}
	if d := diff(base, base, "a", "b"); d != "" {
		t.Errorf("difference to itself: %s", d)
	}
}

// A file that is recorded anew must change only in its answers.
func TestScriptFilesAreInTheFormThatUpdateWrites(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		f, err := ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if f.String() != string(text) {
			t.Errorf("%s would be rewritten in another form", path)
		}
		for _, c := range f.Cases {
			if len(c.Steps) == 0 {
				t.Errorf("%s: case %q has no steps", path, c.Name)
			}
		}
	}
}
