package storage

import (
	"math/rand/v2"
	"testing"
)

// TestBytesAreRightAfterReopening: exactly, for chunks of which nothing is gone, and for the others within what records
// may differ, without reading any.
func TestBytesAreRightAfterReopening(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	fs, dir := newFaultFS(rng), t.TempDir()
	s := openManual(t, dir, fs, Options{ChunkBytes: 16 << 10})
	want := int64(0)
	s.Enter()
	l := s.CreateLog(nil, true)
	for range 3000 {
		size := rng.IntN(400)
		want += int64(size)
		l.Append(size, true)
	}
	s.Leave()
	s.commitPending()
	if _, err := s.move(func(*durableChunk) bool { return true }); err != nil {
		t.Fatal(err)
	}
	reopen := func() {
		t.Helper()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openManual(t, dir, fs, Options{ChunkBytes: 16 << 10})
		l = s.Logs()[0]
	}
	reopen()
	if got := l.LiveBytes(); got != want || l.Resident() > 0 {
		t.Errorf("%d bytes, want %d; %d records were read", got, want, l.Resident())
	}
	s.Enter()
	l.GoneRange(0, 1234) // in a drain only one chunk is in part gone
	s.Leave()
	before := l.LiveBytes()
	s.commitPending()
	reopen()
	if got := l.LiveBytes(); max(got-before, before-got) > 16<<10 {
		t.Errorf("%d bytes, want about %d", got, before)
	}
}
