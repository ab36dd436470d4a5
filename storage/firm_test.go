package storage

import (
	"math/rand/v2"
	"testing"
)

func TestFirmLogsHandOutWhatIsDurable(t *testing.T) {
	s := openManual(t, t.TempDir(), newFaultFS(rand.New(rand.NewPCG(1, 1))), Options{})
	called := 0
	s.Enter()
	l := s.CreateLog(nil, true)
	l.KeepFirm()
	l.OnReady(func() { called++ })
	first, _ := l.Append(10, true)
	if l.Deliver(first) {
		t.Error("a record of the group that gathers is handed out")
	}
	s.Leave()
	s.readOnce()
	if called != 0 {
		t.Error("called before the record was durable")
	}
	s.commitPending()
	s.readOnce()
	if called != 1 {
		t.Errorf("called %d times", called)
	}
	s.Enter()
	if !l.Deliver(first) {
		t.Error("a durable record is held, or its mark came later")
	}
	second, _ := l.Append(10, true)
	if !l.Deliver(first) || l.Deliver(second) {
		t.Error("a later record says something about an earlier one")
	}
	if transient, _ := l.Append(10, false); !l.Deliver(transient) {
		t.Error("a transient record, which is never durable, is held")
	}
	s.Leave()
	s.commitPending()
	s.Enter()
	if !l.Deliver(second) {
		t.Error("the second is held after its commit")
	}
	s.Leave()
}
