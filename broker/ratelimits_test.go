package broker

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warren-mq/warren/queue"
)

// counter is a consumer that counts what it gets.
type counter struct {
	getter
	n atomic.Int64
}

func (c *counter) Deliver(*queue.Delivery) bool {
	c.n.Add(1)
	return true
}

// TestManyRateLimitedQueuesShareATimer: each of 10,000 queues gets its rate, and all of them together cost one timer and no
// goroutine.
func TestManyRateLimitedQueuesShareATimer(t *testing.T) {
	const queues, rate, seconds = 10_000, 4, 5
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		consumers := make([]counter, queues)
		for i := range consumers {
			q := b.declare(fmt.Sprint("q", i), "rate-limit", fmt.Sprintf("%d/s burst 1", rate))
			for range rate * seconds {
				if _, err := b.pub.Publish(&Message{RoutingKey: []byte(q.Name()), Properties: []byte{0, 0}}); err != nil {
					t.Fatal(err)
				}
			}
			b.pub.Settle(b.broker.nowMillis(), &b.fx)
			sub, err := q.Subscribe(&consumers[i], queue.SubscribeOptions{NoAck: true}, &b.fx.Effects)
			if err != nil {
				t.Fatal(err)
			}
			q.Resume(b.broker.nowMillis(), sub, &b.fx)
			b.fx.Run()
		}
		synctest.Wait()
		if n := runtime.NumGoroutine(); n > 50 {
			t.Errorf("%d goroutines", n)
		}
		for s := range seconds {
			if s > 0 {
				after(time.Second)
			}
			for i := range consumers {
				if n, want := int(consumers[i].n.Load()), min(1+s*rate, seconds*rate); n != want {
					t.Fatalf("after %d s consumer %d has %d messages, want %d", s, i, n, want)
				}
			}
		}
		if len(b.broker.timers.due) > queues {
			t.Errorf("%d appointments", len(b.broker.timers.due))
		}
	})
}
