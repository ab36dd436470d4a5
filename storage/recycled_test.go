package storage

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestWhatARecycledSegmentHeldBeforeCostsNoTime: behind the end of the journal there may be tens of MiB of old message
// bodies, which can look like the beginning of a group at any place. The search for groups that were promised must not
// take each of them for one and read on from there.
func TestWhatARecycledSegmentHeldBeforeCostsNoTime(t *testing.T) {
	fs, dir, last := journalOf(t, rand.New(rand.NewPCG(1, 2)), 20)
	after := fs.crash(false)
	var names []string
	for name := range after.files {
		if _, ok := parseSegmentName(filepath.Base(name)); ok {
			names = append(names, name)
		}
	}
	file := after.files[slices.Max(names)]
	noise := make([]byte, 48<<20)
	if _, err := rand.NewChaCha8([32]byte{3}).Read(noise); err != nil {
		t.Fatal(err)
	}
	file.current = append(file.current, noise...)
	file.durable = file.current

	opened := make(chan *Store, 1)
	go func() {
		s, err := open(dir, Options{SegmentBytes: 16 << 10}, runFS{after, ""})
		if err != nil {
			t.Error(err)
		}
		opened <- s
	}()
	select {
	case s := <-opened:
		if s == nil {
			return
		}
		if s.Durable() < last {
			t.Errorf("came back to commit %d of %d", s.Durable(), last)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the store is still being opened")
	}
}
