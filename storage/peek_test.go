package storage_test

import (
	"bytes"
	"testing"

	"github.com/warren-mq/warren/storage"
)

func TestPeekShowsLiveRecordsOnly(t *testing.T) {
	l := storage.NewLog(storage.Options{})
	var seqs []uint64
	for _, body := range []string{"a", "b", "c"} {
		seqs = append(seqs, put(l, []byte(body)))
	}
	l.Gone(seqs[1])
	for i, want := range []string{"a", "", "c"} {
		got, ok := l.Peek(seqs[i])
		if ok != (want != "") || !bytes.Equal(got, []byte(want)) {
			t.Errorf("record %d is %q, %t, want %q", i, got, ok, want)
		}
	}
	if _, ok := l.Peek(l.Next()); ok {
		t.Error("there is a record that was never appended")
	}
	if got := l.Resident(); got != 2 {
		t.Errorf("%d records are resident, want 2", got)
	}
}

func TestPeekDoesNotAskForWhatIsOnDisk(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, storage.Options{})
	s.Enter()
	l := s.CreateLog(nil, true)
	put(l, []byte("a"))
	s.Leave()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	l = openStore(t, dir, storage.Options{}).Logs()[0]
	l.OnReady(func() { t.Error("the record was read") })
	if _, ok := l.Peek(l.First()); ok || l.Resident() != 0 || !l.Live(l.First()) {
		t.Errorf("found: %t, resident: %d, live: %t; want it on disk", ok, l.Resident(), l.Live(l.First()))
	}
}
