package storage

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
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

// TestALongEntryIsWholeWhereverThePagerIsStopped stops it before each of its transactions: the parts of an entry that is
// replaced are in one with the entry or, where they are too many, what the journal has of it counts.
func TestALongEntryIsWholeWhereverThePagerIsStopped(t *testing.T) {
	long := func(c string, bytes int) []byte { return []byte(strings.Repeat(c, bytes)) }
	for stop := range 8 {
		fs, dir := newFaultFS(rand.New(rand.NewPCG(1, 1))), t.TempDir()
		s, err := open(dir, Options{}, runFS{fs, ""})
		if err != nil {
			t.Fatal(err)
		}
		put := func(c string) {
			s.Enter()
			for i := range 10 {
				s.Put([]byte{byte(i)}, long(c, 200_000))
			}
			s.Put([]byte("huge"), long(c, 3<<20))
			s.Leave()
			s.commitPending()
		}
		put("a")
		if err := s.flushTable(); err != nil {
			t.Fatal(err)
		}
		put("b")
		txns := 0
		s.beforeTxn = func() error {
			if txns++; txns > stop {
				return errCrash
			}
			return nil
		}
		check := func(s *Store) {
			t.Helper()
			n := 0
			if err := s.Table(nil, func(k, v []byte) error {
				if n++; v[0] != 'b' || bytes.Count(v, v[:1]) != len(v) {
					t.Errorf("stopped at transaction %d: %x is %.3q", stop, k, v)
				}
				return nil
			}); err != nil || n != 11 {
				t.Errorf("stopped at transaction %d: %d entries, %v", stop, n, err)
			}
		}
		if err := s.flushTable(); err != nil && !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
		check(s)
		s.beforeTxn = nil
		s.fail(errCrash)
		_ = s.Close()
		again := openManual(t, dir, fs.crash(false), Options{})
		check(again)
		if err := again.flushTable(); err != nil {
			t.Fatal(err)
		}
		check(again)
	}
}
