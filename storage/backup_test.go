package storage_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/warren-mq/warren/storage"
)

func TestABackupTakenUnderLoadIsConsistent(t *testing.T) {
	s := openStore(t, t.TempDir(), small)
	var l, copies *storage.Log
	do(t, s, func() { l, copies = s.CreateLog([]byte("a"), true), s.CreateLog([]byte("b"), true) })
	// Every commit moves records from one log to the other: together they always hold each number once.
	write := func() {
		do(t, s, func() {
			for range 50 {
				put(l, fmt.Appendf(nil, "%0400d", l.Next()))
			}
			for range 25 {
				if seq := l.First(); l.Live(seq) {
					put(copies, fmt.Appendf(nil, "%0400d", seq))
					l.Gone(seq)
				}
			}
		})
	}
	for range 100 {
		write()
	}
	before := l.Next()
	stop := make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				write()
			}
		}
	})
	var backup bytes.Buffer
	written := int64(0)
	err := s.Backup(&backup, func(n int64) { written = n })
	close(stop)
	work.Wait()
	if err != nil || written != int64(backup.Len()) {
		t.Fatalf("backup of %d bytes, %d reported: %v", backup.Len(), written, err)
	}

	dir := filepath.Join(t.TempDir(), "restored")
	if err := storage.Restore(bytes.NewReader(backup.Bytes()), dir, small); err != nil {
		t.Fatal(err)
	}
	restored := openStore(t, dir, small)
	logs := restored.Logs()
	if len(logs) != 2 {
		t.Fatalf("%d logs", len(logs))
	}
	first, next, _ := span(restored, logs[0])
	_, copied, _ := span(restored, logs[1])
	if next < before || next%50 != 0 || first != copied {
		t.Fatalf("cut in the middle of a commit: a has %d to %d of at least %d, b has %d", first, next, before, copied)
	}
	for seq := first; seq < next; seq++ {
		if record, ok := read(t, restored, logs[0], seq); !ok || string(record) != fmt.Sprintf("%0400d", seq) {
			t.Fatalf("record %d is %.20q", seq, record)
		}
	}

	broken := bytes.Clone(backup.Bytes())
	broken[len(broken)/2] ^= 1
	for name, b := range map[string][]byte{"damaged": broken, "cut": broken[:len(broken)-5], "empty": nil} {
		dir := filepath.Join(t.TempDir(), name)
		if err := storage.Restore(bytes.NewReader(b), dir, small); err == nil {
			t.Errorf("a %s backup was restored", name)
		}
	}
	if err := storage.Restore(bytes.NewReader(backup.Bytes()), dir, small); err == nil {
		t.Error("restored over a folder that is in use")
	}
}
