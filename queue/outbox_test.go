package queue_test

import (
	"testing"

	"github.com/warren-mq/warren/queue"
)

// counter counts how often its outbox is acquired.
type counter struct {
	client
	acquired *int
}

func (c *counter) Acquire() {
	*c.acquired++
	c.client.Acquire()
}

// TestOutboxStaysAcquiredOverConsecutiveDeliveries: locking an outbox costs as much as a delivery.
func TestOutboxStaysAcquiredOverConsecutiveDeliveries(t *testing.T) {
	for _, test := range []struct{ consumers, want int }{{1, 1}, {2, 6}} {
		q := queue.New(queue.Config{}, newMemoryLog)
		var shared deliveries
		var fx queue.Effects
		acquired := 0
		for range test.consumers {
			c := &counter{client{credit: -1, shared: &shared}, &acquired}
			c.sub, _ = q.Subscribe(c, queue.SubscribeOptions{}, &fx)
			q.Resume(0, c.sub, &fx)
		}
		msgs, idx := batch("a", "b", "c", "d", "e", "f")
		q.Publish(0, msgs, idx, &fx)
		if acquired != test.want {
			t.Errorf("%d consumers, published straight to them: acquired %d times, want %d", test.consumers, acquired, test.want)
		}

		var s queue.Settlement
		for _, d := range shared.all {
			s.Requeued = append(s.Requeued, d.seq)
		}
		acquired = 0
		q.Settle(0, &s, &fx)
		if acquired != test.want {
			t.Errorf("%d consumers, from the log: acquired %d times, want %d", test.consumers, acquired, test.want)
		}
	}
}
