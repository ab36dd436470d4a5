package storage_test

import (
	"io/fs"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/warren-mq/warren/storage"
)

// diskUse returns the bytes that a folder takes, holes not counted.
func diskUse(t testing.TB, dir string) (n int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil // Badger removed it meanwhile
		}
		if info, err := e.Info(); err == nil {
			n += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAnIdleNewFolderIsSmall(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, storage.Options{})
	do(t, s, func() { s.CreateLog(nil, true) })
	n := diskUse(t, dir)
	if t.Logf("%d bytes", n); n > 64<<20 {
		t.Fatalf("a new folder takes %d bytes", n)
	}
}

func TestSpaceComesBackAfterAcksAndDrops(t *testing.T) {
	for _, how := range []string{"acks", "drop"} {
		t.Run(how, func(t *testing.T) {
			dir := t.TempDir()
			s := openStore(t, dir, small)
			var l *storage.Log
			do(t, s, func() { l = s.CreateLog(nil, true) })
			for l.Next() < 20_000 {
				do(t, s, func() {
					for range 100 {
						_, record := l.Append(1_000, true)
						record[0] = 1
					}
				})
			}
			eventually(t, "the backlog is in the database", func() bool { return diskUse(t, dir) > 18<<20 })
			do(t, s, func() {
				if how == "drop" {
					l.Drop()
					return
				}
				l.GoneRange(0, l.Next())
			})
			eventually(t, "space comes back", func() bool {
				do(t, s, func() { s.Put([]byte("tick"), []byte(time.Now().String())) })
				return diskUse(t, dir) < 8<<20
			})
		})
	}
}
