package storage

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestACleanStopLeavesNothingToReplay: what was only in the journal is in Badger, with what is acked and what may have
// been delivered, and the journal is one segment of two blocks. Closing again and again changes nothing.
func TestACleanStopLeavesNothingToReplay(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.Enter()
	l := s.CreateLog([]byte("q"), true)
	for i := range 1000 {
		_, record := l.Append(100, true)
		record[0] = byte(i)
	}
	s.Put([]byte("key"), []byte("value"))
	s.Leave()
	s.Enter()
	for seq := range uint64(300) {
		l.Gone(seq)
	}
	if !l.Deliver(299) {
		t.Log("waits for its mark")
	}
	s.Leave()
	for range 3 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if size := segmentsOf(t, dir); size != segmentHeaderBytes+blockBytes {
			t.Fatalf("%d bytes of segments after the stop", size)
		}
		if s, err = Open(dir, Options{}); err != nil {
			t.Fatal(err)
		}
		if resident := s.resident.Load(); resident != 0 {
			t.Errorf("%d bytes of records are in memory at the start", resident)
		}
		logs := s.Logs()
		if len(logs) != 1 || logs[0].First() != 300 || logs[0].Next() < 1000 || logs[0].Count() != 700 || logs[0].DeliveredUpTo() < 300 {
			t.Fatalf("found %d logs: %+v", len(logs), logs)
		}
		found := ""
		if err := s.Table([]byte("key"), func(_, value []byte) error { found = string(value); return nil }); err != nil || found != "value" {
			t.Errorf("the table has %q (%v)", found, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// segmentsOf returns how many bytes the journal's segments have.
func segmentsOf(t *testing.T, dir string) (size int64) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), segmentSuffix) {
			info, err := e.Info()
			if err != nil {
				t.Fatal(err)
			}
			size += info.Size()
		}
	}
	return size
}
