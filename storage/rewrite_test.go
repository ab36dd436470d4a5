package storage

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// sparseStore is a store with little disk, and a log of n records of 1,000 bytes in its database.
func sparseStore(t *testing.T, dir string, fs *faultFS, n int) (*Store, *Log) {
	t.Helper()
	s := openManual(t, dir, fs, Options{ChunkBytes: 64 << 10, ValueLogBytes: 1 << 20, SegmentBytes: 1 << 20, JournalMemory: 1 << 20, MemoryBytes: 2 << 20, CollectBytes: 8 << 20})
	s.Enter()
	l := s.CreateLog(nil, true)
	s.Leave()
	for l.Next() < uint64(n) {
		s.Enter()
		for range 1000 {
			seq, record := l.Append(1000, true)
			copy(record, fmt.Sprintf("%d.", seq))
		}
		s.Leave()
		if !s.commitPending() {
			t.Fatal(s.Err())
		}
		if err := s.pageOnce(time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.move(func(*durableChunk) bool { return true }); err != nil {
		t.Fatal(err)
	}
	return s, l
}

// valuesOnDisk returns what the value logs and tables take.
func valuesOnDisk(t *testing.T, dir string) (n int64) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "badger"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && (strings.HasSuffix(e.Name(), ".vlog") || strings.HasSuffix(e.Name(), ".sst")) {
			n += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
	}
	return n
}

// pageFor lets two minutes of a clock that is turned by hand pass.
func pageFor(t *testing.T, s *Store, now *time.Time) {
	t.Helper()
	for range 40 {
		*now = now.Add(3 * time.Second)
		s.commitPending()
		if err := s.pageOnce(*now); err != nil {
			t.Fatal(err)
		}
	}
}

func checkRecords(t *testing.T, s *Store, l *Log, live map[uint64]bool) {
	t.Helper()
	h := &history{t: t, s: s}
	for seq := range l.Next() {
		if l.Live(seq) != live[seq] {
			t.Fatalf("record %d is live: %v", seq, !live[seq])
		}
		if !live[seq] {
			continue
		}
		want := fmt.Sprintf("%d.", seq)
		if record, ok := h.read(l, seq); !ok || len(record) != 1000 || string(record[:len(want)]) != want {
			t.Fatalf("record %d: %v, %d bytes", seq, ok, len(record))
		}
	}
}

func TestSpaceComesBackAfterScatteredAcks(t *testing.T) {
	const n = 12_000
	for _, c := range []struct {
		name string
		stay func(rng *rand.Rand, seq uint64) bool
	}{
		{"half at random", func(rng *rand.Rand, _ uint64) bool { return rng.IntN(2) == 0 }},
		{"three quarters at random", func(rng *rand.Rand, _ uint64) bool { return rng.IntN(4) > 0 }},
		{"one of ten", func(_ *rand.Rand, seq uint64) bool { return seq%10 == 0 }},
		{"one of each chunk", func(_ *rand.Rand, seq uint64) bool { return seq%65 == 0 }},
		{"runs", func(_ *rand.Rand, seq uint64) bool { return seq/100%3 == 0 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			rng, fs, dir := rand.New(rand.NewPCG(4, 4)), newFaultFS(rand.New(rand.NewPCG(1, 1))), t.TempDir()
			s, l := sparseStore(t, dir, fs, n)
			live := map[uint64]bool{}
			s.Enter()
			for seq := range l.Next() {
				if live[seq] = c.stay(rng, seq); !live[seq] {
					l.Gone(seq)
				}
			}
			s.Leave()
			now := time.Now()
			pageFor(t, s, &now)
			bytes := int64(l.Count()) * 1000
			// Fixed: the value log that is written to, and as much for tables.
			use := valuesOnDisk(t, dir)
			t.Logf("%d bytes on disk for %d live", use, bytes)
			if use > bytes*3/2+2*s.options.ValueLogBytes {
				t.Error("too much")
			}
			checkRecords(t, s, l, live)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = openManual(t, dir, fs, s.options)
			checkRecords(t, s, s.Logs()[0], live)
		})
	}
}

// TestAThinBacklogIsMergedIntoFewChunks: what a few records that stay cost does not depend on how many there were.
func TestAThinBacklogIsMergedIntoFewChunks(t *testing.T) {
	s, l := sparseStore(t, t.TempDir(), newFaultFS(rand.New(rand.NewPCG(1, 1))), 12_000)
	before := len(s.storedChunks())
	s.Enter()
	for seq := range l.Next() {
		if seq%100 != 0 {
			l.Gone(seq)
		}
	}
	s.Leave()
	now := time.Now()
	pageFor(t, s, &now)
	stubs := 0
	for range l.sealed.all() {
		stubs++
	}
	if after := len(s.storedChunks()); before < 100 || after > 20 || stubs > 40 {
		t.Errorf("%d chunks became %d; the queue knows of %d", before, after, stubs)
	}
}

// TestADrainRewritesNothing: what goes in order goes by the chunk, and costs no writing.
func TestADrainRewritesNothing(t *testing.T) {
	s, l := sparseStore(t, t.TempDir(), newFaultFS(rand.New(rand.NewPCG(1, 1))), 12_000)
	now := time.Now()
	for l.First() < l.Next() {
		s.Enter()
		l.GoneRange(0, l.First()+500)
		s.Leave()
		s.commitPending()
		if s.tooSparse() {
			t.Fatalf("at record %d chunks would be rewritten", l.First())
		}
		now = now.Add(3 * time.Second)
		if err := s.pageOnce(now); err != nil {
			t.Fatal(err)
		}
	}
}

// TestARewrittenChunkStandsElsewhere: the body of a chunk that has a meta is never written again, though it be deleted
// and come back.
func TestARewrittenChunkStandsElsewhere(t *testing.T) {
	s, l := sparseStore(t, t.TempDir(), newFaultFS(rand.New(rand.NewPCG(1, 1))), 2_000)
	for range 3 {
		old := s.storedChunks()
		s.Enter()
		for _, c := range old {
			for seq := c.first + 1; seq < c.first+uint64(c.count); seq++ { // the first one stays: the key does too
				if seq%3 == 0 && l.Live(seq) {
					l.Gone(seq)
					break
				}
			}
		}
		s.Leave()
		s.commitPending()
		s.durable.mu.Lock()
		list := []*rewriting{}
		for c := range s.durable.sparse {
			list = append(list, s.durable.neighbours(c, 0, 0, map[*durableChunk]bool{}))
		}
		s.durable.mu.Unlock()
		if len(list) == 0 {
			t.Fatal("nothing to rewrite")
		}
		for _, r := range list {
			if o := r.old[0].body; r.next.first == o.first && r.next.part < o.part+o.parts {
				t.Errorf("chunk %d: part %d was used before", o.first, r.next.part)
			}
		}
		list, err := s.writeRewritten(list)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.replaceMetas(list); err != nil {
			t.Fatal(err)
		}
		s.markRewritten(list)
	}
}
