package storage_test

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/warren-mq/warren/storage"
)

// small are options for stores in tests: little memory and little disk.
var small = storage.Options{
	SegmentBytes: 256 << 10, ValueLogBytes: 1 << 20, JournalMemory: 256 << 10, MemoryBytes: 512 << 10,
	CollectBytes: 1 << 20, ReserveBytes: 256 << 10, FlushEvery: 50 * time.Millisecond,
}

func openStore(t testing.TB, dir string, o storage.Options) *storage.Store {
	t.Helper()
	if o.Log == nil {
		o.Log = t.Logf
	}
	s, err := storage.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// eventually polls until ok, for what other goroutines do.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: did not happen", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func waitDurable(t testing.TB, s *storage.Store, c storage.Commit) {
	t.Helper()
	eventually(t, fmt.Sprintf("commit %d durable", c), func() bool { return s.Durable() >= c })
}

// do runs f between Enter and Leave and waits until it is durable.
func do(t testing.TB, s *storage.Store, f func()) storage.Commit {
	t.Helper()
	c := s.Enter()
	f()
	s.Leave()
	waitDurable(t, s, c)
	return c
}

// span returns what First, Next and Bytes say, between Enter and Leave: the pager may be at work.
func span(s *storage.Store, l *storage.Log) (first, next uint64, bytes int64) {
	s.Enter()
	defer s.Leave()
	return l.First(), l.Next(), l.Bytes()
}

// read returns a record, waiting for it if it has to come from disk.
func read(t testing.TB, s *storage.Store, l *storage.Log, seq uint64) (record []byte, ok bool) {
	t.Helper()
	eventually(t, fmt.Sprintf("record %d in memory", seq), func() bool {
		s.Enter()
		defer s.Leave()
		view, there := l.At(seq)
		record, ok = append([]byte(nil), view...), there
		return there || !l.Live(seq)
	})
	return record, ok
}

func TestWhatIsDurableIsThereAfterReopening(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, small)
	var l *storage.Log
	do(t, s, func() {
		l = s.CreateLog([]byte("orders"), true)
		for i := range 10 {
			put(l, fmt.Appendf(nil, "record %d", i))
		}
		l.Append(3, false)
		s.Put([]byte("queue/orders"), []byte("durable"))
		s.Put([]byte("queue/gone"), []byte("x"))
	})
	do(t, s, func() {
		l.Gone(0)
		l.Gone(4)
		s.Delete([]byte("queue/gone"))
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir, small)
	logs := s.Logs()
	if len(logs) != 1 || string(logs[0].Tag()) != "orders" {
		t.Fatalf("found %d logs", len(logs))
	}
	l = logs[0]
	for i := range uint64(12) {
		record, ok := read(t, s, l, i)
		want := i < 10 && i != 0 && i != 4
		if ok != want || ok && string(record) != fmt.Sprintf("record %d", i) {
			t.Errorf("record %d: %q, %v", i, record, ok)
		}
	}
	if first, next, _ := span(s, l); first != 1 || next < 10 {
		t.Errorf("first %d, next %d", first, next)
	}
	var found []string
	err := s.Table([]byte("queue/"), func(key, value []byte) error {
		found = append(found, string(key)+"="+string(value))
		return nil
	})
	if err != nil || fmt.Sprint(found) != "[queue/orders=durable]" {
		t.Errorf("table: %v, %v", found, err)
	}
}

func TestABacklogMovesToTheDatabaseAndComesBackInOrder(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, small)
	var l *storage.Log
	do(t, s, func() { l = s.CreateLog([]byte("q"), true) })
	const n = 40_000
	for i := 0; i < n; i += 100 {
		do(t, s, func() {
			for k := range 100 {
				put(l, fmt.Appendf(nil, "%0200d", i+k))
			}
		})
	}
	eventually(t, "memory within its budget", func() bool { _, _, bytes := span(s, l); return bytes < 2<<20 })
	for round := range 2 {
		first, _, _ := span(s, l)
		for seq := first; seq < n/2*uint64(round+1); seq++ {
			record, ok := read(t, s, l, seq)
			if !ok || string(record) != fmt.Sprintf("%0200d", seq) {
				t.Fatalf("round %d: record %d is %.20q, %v", round, seq, record, ok)
			}
			s.Enter()
			l.Gone(seq)
			s.Leave()
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openStore(t, dir, small)
		l = s.Logs()[0]
		if first, next, _ := span(s, l); first != n/2*uint64(round+1) || next != n {
			t.Fatalf("round %d: first %d, next %d", round, first, next)
		}
	}
}

func TestASecondProcessIsToldWhoHoldsTheFolder(t *testing.T) {
	dir := t.TempDir()
	openStore(t, dir, small)
	_, err := storage.Open(dir, small)
	locked, ok := errors.AsType[*storage.LockedError](err)
	if !ok || locked.PID != os.Getpid() {
		t.Fatalf("got %v", err)
	}
}
