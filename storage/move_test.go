package storage

import (
	"math/rand/v2"
	"runtime"
	"testing"
)

// TestShortChunksTakeLittleMemoryOnTheirWayToTheDatabase: a transaction may be of thousands, and all of them are in memory at once.
func TestShortChunksTakeLittleMemoryOnTheirWayToTheDatabase(t *testing.T) {
	s := openManual(t, t.TempDir(), newFaultFS(rand.New(rand.NewPCG(1, 1))), Options{ValueLogBytes: 1 << 20})
	s.Enter()
	for range 1000 {
		s.CreateLog(nil, true).Append(100, true)
	}
	s.Leave()
	s.commitPending()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if n, err := s.move(func(*durableChunk) bool { return true }); err != nil || n != 1000 {
		t.Fatal(n, err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20 {
		t.Errorf("%d bytes were allocated for a thousand records of 100 bytes", n)
	}
}
