package broker

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/storage"
)

// TestTheJournalHasABodyOnceForAllQueues: one message to five durable queues through an exchange.
func TestTheJournalHasABodyOnceForAllQueues(t *testing.T) {
	dir := t.TempDir()
	store, err := storage.Open(dir, storage.Options{SegmentBytes: 1 << 20, ValueLogBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	b, err := New(Config{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		b.Close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	s, err := b.Open(b.Users.Lookup("guest"), "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	var fx Effects
	pub := s.NewPublisher()
	props := amqp.Properties{Flags: amqp.FlagDeliveryMode, DeliveryMode: 2}
	body := []byte(strings.Repeat("all of them ", 50))
	commit := b.Enter()
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		if _, err := s.DeclareQueue(QueueDeclaration{Name: name, Durable: true}); err != nil {
			t.Fatal(err)
		}
		if err := s.BindQueue(name, "amq.fanout", "", nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := pub.Publish(&Message{Exchange: []byte("amq.fanout"), Properties: props.Append(nil), Body: body}); err != nil {
		t.Fatal(err)
	}
	pub.Settle(b.nowMillis(), &fx)
	b.Leave()
	if err := b.WaitDurable(commit, nil); err != nil {
		t.Fatal(err)
	}
	segments, err := filepath.Glob(filepath.Join(dir, "journal", "*.seg"))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range segments {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		found += bytes.Count(content, body)
	}
	if found != 1 {
		t.Errorf("the body is there %d times", found)
	}
}
