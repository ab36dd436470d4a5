package broker_test

import (
	"testing"

	"github.com/warren-mq/warren/broker"
	"github.com/warren-mq/warren/exchange"
	"github.com/warren-mq/warren/storage"
)

// TestAnswersWaitForWhatOthersAreAboutToSave: who is told that something durable is there, or gone, can rely on it after
// any stop, even if somebody else made the change.
func TestAnswersWaitForWhatOthersAreAboutToSave(t *testing.T) {
	store, err := storage.Open(t.TempDir(), storage.Options{SegmentBytes: 1 << 20, ValueLogBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	b, err := broker.New(broker.Config{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	var sessions []*broker.Session
	for range 2 {
		s, err := b.Open(b.Users.Lookup("guest"), "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		sessions = append(sessions, s)
	}
	var fx broker.Effects
	queue := broker.QueueDeclaration{Name: "q", Durable: true}
	x := exchange.Config{Name: "x", Type: "fanout", Durable: true}
	for _, step := range []struct {
		name string
		do   func(s *broker.Session) error
	}{
		{"queue.declare", func(s *broker.Session) error { _, err := s.DeclareQueue(queue); return err }},
		{"exchange.declare", func(s *broker.Session) error { return s.DeclareExchange(x) }},
		{"queue.bind", func(s *broker.Session) error { return s.BindQueue("q", "x", "", nil) }},
		{"queue.unbind", func(s *broker.Session) error { return s.UnbindQueue("q", "x", "", nil) }},
		{"exchange.delete", func(s *broker.Session) error { return s.DeleteExchange("x", false) }},
		{"queue.delete", func(s *broker.Session) error { _, err := s.DeleteQueue("q", false, false, &fx); return err }},
	} {
		b.Enter()
		for i, s := range sessions {
			if err := step.do(s); err != nil {
				t.Errorf("%s: %v", step.name, err)
			}
			if !s.Unsaved() {
				t.Errorf("%s is answered at once to session %d", step.name, i)
			}
			s.Saved()
		}
		b.Leave()
	}
}
