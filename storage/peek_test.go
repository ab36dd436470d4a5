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
	s := openStore(t, t.TempDir(), small)
	var l *storage.Log
	do(t, s, func() {
		l = s.CreateLog(nil, true)
		l.OnReady(func() { t.Error("the record was read") })
		for range 2000 {
			put(l, make([]byte, 1000)) // four times as much as may stay in memory
		}
	})
	eventually(t, "the middle leaves memory", func() bool {
		s.Enter() // the store takes memory from a log when nobody is in here
		defer s.Leave()
		_, ok := l.Peek(l.Next() / 2)
		return !ok
	})
	s.Enter()
	defer s.Leave()
	if got := l.Resident(); got == 0 || got == l.Count() || !l.Live(l.Next()/2) {
		t.Errorf("%d of %d records are resident, live: %t", got, l.Count(), l.Live(l.Next()/2))
	}
}
