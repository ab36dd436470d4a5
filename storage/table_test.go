package storage

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// TestTheTableIsOneWhereverItStands: what is in Badger and what is only in the journal are visited together, in order.
func TestTheTableIsOneWhereverItStands(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	set := func(keys string, value string) {
		for _, k := range keys {
			if value == "" {
				s.Delete([]byte{'k', byte(k)})
			} else {
				s.Put([]byte{'k', byte(k)}, []byte(value))
			}
		}
	}
	long := string(slices.Repeat([]byte("long"), maxTablePart))
	s.Enter()
	set("bdfh", "old")
	set("g", long)
	s.Put([]byte("j"), []byte("before"))
	s.Put([]byte("l"), []byte("behind"))
	s.Leave()
	if err := s.Close(); err != nil { // all of it goes to Badger
		t.Fatal(err)
	}
	if s, err = Open(dir, Options{}); err != nil {
		t.Fatal(err)
	}
	durable := make(chan Commit, 100) // more than there are commits
	s.Notify(func(c Commit) { durable <- c })
	s.Enter()
	set("adi", "new")
	set("fcz", "") // the last two were never there
	set("e", "came and goes")
	s.Leave()
	s.Enter()
	set("e", "")
	s.Leave()
	check := func() {
		t.Helper()
		var got []string
		visit := func(k, v []byte) error { got = append(got, fmt.Sprintf("%s=%.4s", k, v)); return nil }
		if err := s.Table([]byte("k"), visit); err != nil {
			t.Fatal(err)
		}
		if want := []string{"ka=new", "kb=old", "kd=new", "kg=long", "kh=old", "ki=new"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	s.Enter()
	last := s.Outstanding()
	s.Leave()
	s.Want(last)
	for c := range durable {
		if c >= last {
			break
		}
	}
	if n := len(s.pendingTable([]byte("k"))); n != 7 {
		t.Errorf("%d entries are only in the journal, want 7", n)
	}
	check()
	for n := range 6 { // at an entry of either kind
		enough := errors.New("enough")
		seen := 0
		err := s.Table([]byte("k"), func(_, _ []byte) error {
			if seen++; seen > n {
				return enough
			}
			return nil
		})
		if err != enough || seen != n+1 {
			t.Errorf("after %d: %v, %d seen", n, err, seen)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(dir, Options{}); err != nil {
		t.Fatal(err)
	}
	check()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
