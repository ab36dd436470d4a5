package storage

import (
	"math/rand/v2"
	"testing"
)

// TestAFreshRecordIsDeliverableAtOnce: publish and deliver before the commit, for more records than the mark runs ahead.
func TestAFreshRecordIsDeliverableAtOnce(t *testing.T) {
	s := openManual(t, t.TempDir(), newFaultFS(rand.New(rand.NewPCG(1, 1))), Options{})
	s.Enter()
	l := s.CreateLog(nil, true)
	for range 5 * deliveredStride {
		seq, _ := l.Append(10, true)
		if !l.Deliver(seq) {
			t.Fatalf("record %d has to wait", seq)
		}
	}
	s.Leave()
	s.commitPending()
	if got := l.state.mark; got < 5*deliveredStride || got > 6*deliveredStride {
		t.Fatalf("the mark is at %d", got)
	}
}

// TestAnOldRecordWaitsForItsMark: it was durable before anybody could have seen it, so it may only be handed out once
// the mark is durable too.
func TestAnOldRecordWaitsForItsMark(t *testing.T) {
	s := openManual(t, t.TempDir(), newFaultFS(rand.New(rand.NewPCG(1, 1))), Options{})
	called := 0
	s.Enter()
	l := s.CreateLog(nil, true)
	l.OnReady(func() { called++ })
	for range 3 * deliveredStride {
		l.Append(10, true)
	}
	s.Leave()
	s.commitPending()
	s.Enter()
	if l.Deliver(0) {
		t.Error("delivered although a stop would bring it back as new")
	}
	s.Leave()
	s.readOnce()
	if called != 0 {
		t.Error("called before the mark was durable")
	}
	s.commitPending()
	s.readOnce()
	if called != 1 {
		t.Errorf("called %d times", called)
	}
	// From here on the mark runs ahead, if a group is written now and then.
	for seq := range uint64(3 * deliveredStride) {
		s.Enter()
		if !l.Deliver(seq) {
			t.Fatalf("the drain waits at %d", seq)
		}
		s.Leave()
		if seq%100 == 0 {
			s.commitPending()
		}
	}
	s.Enter()
	l.DeliveredTo(7)
	s.Leave()
	s.commitPending()
	if l.state.mark != 7 {
		t.Errorf("the mark fell back to %d", l.state.mark)
	}
}
