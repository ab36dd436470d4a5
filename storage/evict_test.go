package storage

import (
	"math/rand/v2"
	"testing"
)

// TestALogThatIsToBeKeptIsPagedOutLast, and only when what is in memory would make publishers wait.
func TestALogThatIsToBeKeptIsPagedOutLast(t *testing.T) {
	s := openManual(t, t.TempDir(), newFaultFS(rand.New(rand.NewPCG(1, 1))), Options{
		MemoryBytes: 64 << 10, JournalMemory: 256 << 10, ChunkBytes: 16 << 10, ValueLogBytes: 1 << 20,
	})
	fill := func(records int) *Log {
		s.Enter()
		defer s.Leave()
		l := s.CreateLog(nil, true)
		for range records {
			l.Append(1000, true)
		}
		l.paging.readingAt = l.Next() // nothing is being read
		return l
	}
	kept, other := fill(150), fill(150)
	kept.Keep()
	page := func() {
		t.Helper()
		s.commitPending()
		if _, err := s.move(func(*durableChunk) bool { return true }); err != nil {
			t.Fatal(err)
		}
		if err := s.evict(); err != nil {
			t.Fatal(err)
		}
	}
	page()
	if kept.Bytes() < 150_000 || other.Bytes() > 32<<10 {
		t.Errorf("%d bytes of the log that is to be kept are in memory, and %d of the other one", kept.Bytes(), other.Bytes())
	}
	more := fill(400)
	more.Keep()
	page()
	if !s.Room() {
		t.Errorf("publishers have to wait for the %d bytes that are kept", s.resident.Load())
	}
}
