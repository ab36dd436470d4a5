package storage

import (
	"math/rand/v2"
	"testing"
)

// TestWhoIsRefusedARecordThatArrivesJustThenIsCalled: it was read ahead, and comes between At's look and its answer.
func TestWhoIsRefusedARecordThatArrivesJustThenIsCalled(t *testing.T) {
	s := openManual(t, t.TempDir(), newFaultFS(rand.New(rand.NewPCG(1, 1))), Options{ValueLogBytes: 1 << 20})
	s.Enter()
	l := s.CreateLog(nil, true)
	l.Append(100, true)
	s.Leave()
	s.commitPending()
	if _, err := s.move(func(*durableChunk) bool { return true }); err != nil {
		t.Fatal(err)
	}
	const rounds = 40_000
	refused, spin := 0, 1000 // spin follows how long the reader takes
	for range rounds {
		s.epoch.Lock()
		for i, c := range l.sealed.all() {
			if c.resident() {
				c = l.stub(i, c)
			}
			l.request(c)
		}
		s.epoch.Unlock()
		l.paging.waiting.Store(false)
		read := make(chan struct{})
		go func() {
			s.readOnce()
			close(read)
		}()
		for range spin {
			_ = l.paging.ready.Load()
		}
		_, ok := l.At(0)
		if <-read; ok {
			spin -= spin / 64
			continue
		}
		spin += spin/64 + 1
		if refused++; l.paging.waiting.Load() {
			t.Fatalf("it has come, and its owner was not called; the %d times before it was", refused-1)
		}
	}
	if refused == 0 || refused == rounds {
		t.Errorf("%d times of %d it was refused", refused, rounds)
	}
}
