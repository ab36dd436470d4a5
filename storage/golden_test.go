package storage_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/warren-mq/warren/storage"
)

var updateGolden = flag.Bool("update-golden", false, "write the golden folder of the current format anew")

// goldenOptions make a folder that is small enough to be kept.
var goldenOptions = storage.Options{SegmentBytes: 16 << 10, ValueLogBytes: 1 << 20, JournalMemory: 8 << 10, MemoryBytes: 16 << 10}

// TestFoldersOfEveryFormatOpen opens a copy of each folder in testdata. One that this version cannot read would have
// to be refused with *FormatError. Format 1 has no rewritten chunks.
func TestFoldersOfEveryFormatOpen(t *testing.T) {
	if *updateGolden {
		writeGolden(t, filepath.Join("testdata", "format-2"))
		writeGoldenJournal(t, filepath.Join("testdata", "journal-2"))
	}
	folders, err := filepath.Glob(filepath.Join("testdata", "format-*"))
	if err != nil || len(folders) == 0 {
		t.Fatalf("no golden folders: %v", err)
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(folder)); err != nil {
				t.Fatal(err)
			}
			s := openStore(t, dir, goldenOptions)
			if filepath.Base(folder) != "format-1" {
				checkThin(t, s)
			}
			checkGolden(t, s)
		})
	}
}

func writeGolden(t *testing.T, dir string) {
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	s := openStore(t, dir, goldenOptions)
	var stays, goes *storage.Log
	do(t, s, func() {
		stays, goes = s.CreateLog([]byte("stays"), true), s.CreateLog([]byte("goes"), true)
		s.Put([]byte("short"), []byte("value"))
		s.Put([]byte("long"), []byte(strings.Repeat("value", 5_000)))
		s.Put([]byte("gone"), nil)
	})
	do(t, s, func() { put(s.CreateLog([]byte("value log"), true), []byte(strings.Repeat("large", 5_000))) })
	for range 10 {
		do(t, s, func() {
			for range 30 {
				put(stays, fmt.Appendf(nil, "%0100d", stays.Next()))
				put(goes, []byte("x"))
			}
		})
	}
	writeThin(t, s)
	eventually(t, "chunks in the database", func() bool { _, _, bytes := span(s, stays); return bytes < 20<<10 })
	do(t, s, func() {
		stays.GoneRange(0, 17)
		stays.Gone(20)
		stays.Gone(299)
		goes.Drop()
		s.Delete([]byte("gone"))
		if !stays.Deliver(17) {
			t.Log("the mark is on its way")
		}
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"warren.lock", filepath.Join("badger", "DISCARD")} { // made again when opened
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

// writeThin makes a log of which little is left, so that its chunks are rewritten.
func writeThin(t *testing.T, s *storage.Store) {
	var thin *storage.Log
	do(t, s, func() { thin = s.CreateLog([]byte("thin"), true) })
	for range 30 {
		do(t, s, func() {
			for range 100 {
				put(thin, fmt.Appendf(nil, "%0100d", thin.Next()))
			}
		})
	}
	eventually(t, "chunks in the database", func() bool { _, _, bytes := span(s, thin); return bytes < 20<<10 })
	chunks := s.Check(func(storage.LogID, uint64, uint64, error) {})
	do(t, s, func() {
		for seq := range thin.Next() {
			if seq%50 != 0 {
				thin.Gone(seq)
			}
		}
	})
	eventually(t, "chunks are merged", func() bool {
		return s.Check(func(storage.LogID, uint64, uint64, error) {}) < chunks/2
	})
	do(t, s, func() { thin.Gone(50) })
}

func checkThin(t *testing.T, s *storage.Store) {
	logs := s.Logs()
	thin := logs[len(logs)-1]
	for seq := range uint64(3000) {
		want := seq%50 == 0 && seq != 50
		record, ok := read(t, s, thin, seq)
		if ok != want || ok && string(record) != fmt.Sprintf("%0100d", seq) {
			t.Errorf("record %d: %.20q, %v", seq, record, ok)
		}
	}
	s.Enter()
	thin.Drop()
	s.Leave()
}

func checkGolden(t *testing.T, s *storage.Store) {
	logs := s.Logs()
	if len(logs) != 2 || string(logs[0].Tag()) != "stays" || string(logs[1].Tag()) != "value log" {
		t.Fatalf("%d logs", len(logs))
	}
	if record, ok := read(t, s, logs[1], 0); !ok || string(record) != strings.Repeat("large", 5_000) {
		t.Errorf("the record in the value log has %d bytes, %v", len(record), ok)
	}
	l := logs[0]
	if l.DeliveredUpTo() < 18 {
		t.Errorf("delivered up to %d", l.DeliveredUpTo())
	}
	for seq := range uint64(300) {
		want := seq >= 17 && seq != 20 && seq != 299
		record, ok := read(t, s, l, seq)
		if ok != want || ok && string(record) != fmt.Sprintf("%0100d", seq) {
			t.Errorf("record %d: %.20q, %v", seq, record, ok)
		}
	}
	table := map[string]string{}
	if err := s.Table(nil, func(k, v []byte) error { table[string(k)] = string(v); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(table) != 2 || table["short"] != "value" || table["long"] != strings.Repeat("value", 5_000) {
		t.Errorf("the table has %d entries", len(table))
	}
}

// TestAJournalOfFormat2IsReplayed: records with notes, and with bodies that several logs share.
func TestAJournalOfFormat2IsReplayed(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "journal-2"))); err != nil {
		t.Fatal(err)
	}
	s := openStore(t, dir, goldenOptions)
	logs := s.Logs()
	if len(logs) != 3 {
		t.Fatalf("%d logs", len(logs))
	}
	for i, l := range logs {
		for seq := range uint64(20) {
			record, ok := read(t, s, l, seq)
			want := fmt.Sprintf("%d %0200d", i, seq)
			if gone := i == 0 && seq%2 == 0; ok == gone || ok && string(record) != want {
				t.Errorf("log %d, record %d: %q, %v", i, seq, record, ok)
			}
		}
		l.EachNote(func(seq uint64, count, notBefore int64) {
			if seq != 7 || count != int64(i) || notBefore != 1234 {
				t.Errorf("log %d: note %d %d of record %d", i, count, notBefore, seq)
			}
		})
	}
}

// writeGoldenJournal keeps an empty database, and a journal that was not closed.
func writeGoldenJournal(t *testing.T, golden string) {
	if err := os.RemoveAll(golden); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := openStore(t, dir, goldenOptions).Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"warren.lock", filepath.Join("badger", "DISCARD")} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(golden, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	s := openStore(t, dir, goldenOptions)
	var logs []*storage.Log
	do(t, s, func() {
		for range 3 {
			logs = append(logs, s.CreateLog(nil, true))
		}
	})
	do(t, s, func() {
		for seq := range uint64(20) {
			number := uint32(0)
			for i, l := range logs {
				body := fmt.Sprintf("%0200d", seq)
				put(l, fmt.Appendf(nil, "%d %s", i, body))
				l.Share(seq, &number, len(body))
				if i == 0 && seq%2 == 0 {
					l.Gone(seq)
				}
			}
		}
		for i, l := range logs {
			l.Note(7, int64(i), 1234)
		}
	})
	if err := os.RemoveAll(filepath.Join(golden, "journal")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(golden, "journal"), os.DirFS(filepath.Join(dir, "journal"))); err != nil {
		t.Fatal(err)
	}
}
