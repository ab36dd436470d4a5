package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestGeneratedFilesAreUpToDate(t *testing.T) {
	text, err := os.ReadFile("../../spec/amqp0-9-1.txt")
	if err != nil {
		t.Fatal(err)
	}
	files, err := generate(string(text))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		if got, err := os.ReadFile(filepath.Join("../..", name)); err != nil || string(got) != string(want) {
			t.Errorf("%s is not what the definition file says (error %v): run `go generate ./amqp`", name, err)
		}
	}
	committed, _ := filepath.Glob("../../*_gen.go")
	for _, path := range committed {
		if files[filepath.Base(path)] == nil {
			t.Errorf("%s is generated no more: delete it", path)
		}
	}
}

func TestConsecutiveBitsShareAnOctet(t *testing.T) {
	const spec = "class c 1\nmethod m 1 client does\n"
	bits := func(n int) string { return strings.Repeat("bit b\n", n) }
	number := func(s string) string { // gives each field a name of its own
		for i := range strings.Count(s, " b\n") {
			s = strings.Replace(s, " b\n", " "+string(rune('c'+i))+"x\n", 1)
		}
		return s
	}
	for _, c := range []struct {
		fields string
		octets int
	}{
		{bits(1), 1}, {bits(8), 1}, {bits(9), 2}, {bits(2) + "octet o\n" + bits(2), 3},
	} {
		s, err := parse(spec + number(c.fields))
		if err != nil {
			t.Fatal(err)
		}
		if got := len(runs(s.Classes[0].Methods[0].Fields)); got != c.octets {
			t.Errorf("%q: %d octets, want %d", c.fields, got, c.octets)
		}
	}
}

func TestBadDefinitionsAreRefused(t *testing.T) {
	for _, c := range []struct{ spec, want string }{
		{"octet o", "line 1: want, within a method"},
		{"class c", "line 1: want: class NAME ID"},
		{"class c x", "line 1: strconv"},
		{"class c 70000", "line 1: strconv"},
		{"class c 1\nclass c 2", "line 2: class c 2: id or name used twice"},
		{"class c 1\nclass d 1", "line 2: class d 1: id or name used twice"},
		{"method m 1 client does", "line 1: want, within a class"},
		{"class c 1\nmethod m 1 nobody does", "line 2: want, within a class"},
		{"class c 1\nmethod m 1 both does\nmethod n 1 both does", "line 3: method c.n 1: id or name used twice"},
		{"class c 1\nmethod m 1 both does\n  word w", `line 3: unknown type "word"`},
		{"class c 1\nmethod m 1 both does\n  octet o\n  octet o", `line 4: field "o" used twice`},
		{"reply-code 200 ok fine", "line 1: want: reply-code"},
	} {
		if _, err := generate(c.spec); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %q", c.spec, err, c.want)
		}
	}
}
