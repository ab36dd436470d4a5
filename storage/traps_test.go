package storage

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

func TestZeroLengthFilesOfAKilledDatabaseAreSwept(t *testing.T) {
	fs, dir := newFaultFS(rand.New(rand.NewPCG(1, 1))), t.TempDir()
	s := openManual(t, dir, fs, Options{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"000099.vlog", "00099.mem"} {
		if err := os.WriteFile(filepath.Join(dir, "badger", name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	openManual(t, dir, fs, Options{})
}

func TestAFailingSyncOfTheValueLogPoisonsTheStore(t *testing.T) {
	s := openManual(t, t.TempDir(), newFaultFS(rand.New(rand.NewPCG(1, 1))), Options{})
	(&badgerLogger{s}).Errorf("Error while curlf sync: %v\n", errSync)
	if s.Err() == nil {
		t.Fatal("the store goes on")
	}
}

// TestEveryTransactionIsSynced holds the settings that the journal's retirement relies on, and those that keep all but
// bodies inline, out of reach of value-log GC.
func TestEveryTransactionIsSynced(t *testing.T) {
	s := openManual(t, t.TempDir(), newFaultFS(rand.New(rand.NewPCG(1, 1))), Options{})
	o := s.db.Opts()
	if !o.SyncWrites || o.ValueThreshold <= maxInlineBytes || o.NumVersionsToKeep != 1 {
		t.Fatalf("sync %v, threshold %d, versions %d", o.SyncWrites, o.ValueThreshold, o.NumVersionsToKeep)
	}
	full := chunkMeta{count: maxChunkRecords, kept: make([]uint64, maxChunkRecords/64), live: make([]uint64, maxChunkRecords/64)}
	setBits(full.kept, 1, maxChunkRecords-1)
	if n := len(full.encode(metaKey(1, 1))); n > maxInlineBytes {
		t.Fatalf("a meta takes up to %d bytes", n)
	}
	d := descriptor{tag: make([]byte, maxTagBytes)}
	if n := len(d.encode(logKey(prefixDescriptor, 1))); n > maxInlineBytes {
		t.Fatalf("a descriptor takes up to %d bytes", n)
	}
}

// TestAnUnreadableChunkIsLostAndTheRestServed cuts the value log under a store, as a truncation at opening would.
func TestAnUnreadableChunkIsLostAndTheRestServed(t *testing.T) {
	s := openManual(t, t.TempDir(), newFaultFS(rand.New(rand.NewPCG(1, 1))), Options{MemoryBytes: 1, ChunkBytes: 16 << 10})
	s.Enter()
	l := s.CreateLog(nil, true)
	for i := range 500 {
		_, record := l.Append(100, true)
		copy(record, fmt.Sprint(i))
	}
	s.Leave()
	s.commitPending()
	l.paging.readingAt = l.Next() // nothing is being read
	if _, err := s.move(func(*durableChunk) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if err := s.evict(); err != nil {
		t.Fatal(err)
	}
	damaged, _ := l.state.chunks.find(200)
	w := s.newWriter()
	if err := errors.Join(w.set(chunkKey(prefixChunk, l.id, damaged.first, 0), []byte("other")), w.flush()); err != nil {
		t.Fatal(err)
	}
	named := 0
	if n := s.Check(func(id LogID, from, to uint64, err error) {
		if named++; id != l.id || from != damaged.first || to != damaged.next() || err == nil {
			t.Errorf("log %d, %d to %d: %v", id, from, to, err)
		}
	}); n < 2 || named != 1 {
		t.Errorf("%d chunks checked, %d named", n, named)
	}
	h := &history{t: t, s: s}
	lost := 0
	for seq := range l.Next() {
		record, ok := h.read(l, seq)
		inDamaged := seq >= damaged.first && seq < damaged.next()
		if ok == inDamaged || ok && string(record[:len(fmt.Sprint(seq))]) != fmt.Sprint(seq) {
			t.Fatalf("record %d: %v; the damaged chunk has %d to %d", seq, ok, damaged.first, damaged.next())
		}
		if !ok {
			lost++
		}
	}
	if _, chunks := s.Lost(); chunks != 1 || lost == 0 || lost == 500 {
		t.Fatalf("%d chunks reported, %d records lost", chunks, lost)
	}
}

// TestAValueLogNeverOutgrowsItsMapping: Badger maps a value log at twice its size, and maps it anew where a transaction
// reaches beyond. A reader that is at work in the old mapping then ends the process with a fault.
func TestAValueLogNeverOutgrowsItsMapping(t *testing.T) {
	s := openManual(t, t.TempDir(), newFaultFS(rand.New(rand.NewPCG(1, 1))), Options{
		ValueLogBytes: 1, SegmentBytes: 1 << 20, MemoryBytes: 64 << 20, JournalMemory: 64 << 20, LiveSegments: 100,
	})
	s.Enter()
	l := s.CreateLog(nil, true)
	s.Leave()
	for size := 200 << 10; size < 4<<20; size += 900 << 10 {
		s.Enter()
		for range (16 << 20) / size {
			l.Append(size, true)
		}
		s.Leave()
		s.commitPending()
		for moved := 1; moved > 0; {
			var err error
			if moved, err = s.move(func(*durableChunk) bool { return true }); err != nil {
				t.Fatal(err)
			}
			logs, err := filepath.Glob(filepath.Join(s.dir, "badger", "*.vlog"))
			if err != nil || len(logs) == 0 {
				t.Fatal(logs, err)
			}
			for _, name := range logs {
				if info, err := os.Stat(name); err != nil || info.Size() > 2*s.options.ValueLogBytes {
					t.Fatalf("%s has %d bytes, mapped are %d (%v)", filepath.Base(name), info.Size(), 2*s.options.ValueLogBytes, err)
				}
			}
		}
	}
}
