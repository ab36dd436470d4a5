package queue_test

import (
	"fmt"
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/queue"
)

// BenchmarkOrderingKey publishes to four consumers that acknowledge, with as many keys in turn as there are: to a queue
// without an ordering key, and to one by routing key and by header. With one key, only one message at a time can go.
func BenchmarkOrderingKey(b *testing.B) {
	for _, by := range []string{"", "routing-key", "key"} {
		for _, keys := range []int{1, 100, 100_000} {
			name := by
			if by == "" {
				name = "none"
			}
			b.Run(fmt.Sprintf("by=%s/keys=%d", name, keys), func(b *testing.B) {
				benchmarkKeys(b, by, keys)
			})
		}
	}
}

func benchmarkKeys(b *testing.B, by string, keys int) {
	sinks := []*sink{{credit: 1000}, {credit: 1000}, {credit: 1000}, {credit: 1000}}
	var args amqp.Table
	if by != "" {
		args = amqp.Table{{Name: "x-ordering-key", Value: by}}
	}
	q, _ := benchQueueOf(b, args, sinks...)
	msgs, idx := benchMessages(100)
	names := make([][]byte, keys)
	properties := make([][]byte, keys)
	for i := range names {
		names[i] = fmt.Append(nil, "customer.", i)
		properties[i] = withHeaders(amqp.Table{{Name: "key", Value: string(names[i])}})
	}
	fx := new(queue.Effects)
	settlement := new(queue.Settlement)
	key := 0
	b.ReportAllocs()
	for b.Loop() {
		for i := range msgs {
			msgs[i].RoutingKey, msgs[i].Properties = names[key], properties[key]
			if key++; key == keys {
				key = 0
			}
		}
		q.Publish(0, msgs, idx, fx)
		for done := 0; done < benchBatch; {
			for _, s := range sinks {
				settlement.Acked = append(settlement.Acked, s.unacked...)
				s.credit += len(s.unacked)
				s.unacked = s.unacked[:0]
			}
			done += len(settlement.Acked)
			q.Settle(0, settlement, fx)
			settlement.Reset()
			fx.Reset()
		}
	}
	perMessage(b, benchBatch)
}

// BenchmarkExactTTL fills a queue with a million messages that expire in random order over ten seconds, and lets them
// expire, a millisecond at a time.
func BenchmarkExactTTL(b *testing.B) {
	const count = 1_000_000
	for _, order := range []string{"rising", "random"} {
		b.Run("expiry="+order, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				q, _ := benchQueueOf(b, amqp.Table{{Name: "x-exact-ttl", Value: true}})
				msgs, idx := benchMessages(16)
				fx := new(queue.Effects)
				x := uint64(1)
				for n := range count / benchBatch {
					for i := range msgs {
						x = x*6364136223846793005 + 1442695040888963407
						at := int64(x>>33) % 10_000
						if order == "rising" {
							at = int64(n)
						}
						msgs[i].HasTTL, msgs[i].TTL = true, 1+at
					}
					q.Publish(0, msgs, idx, fx)
					fx.Reset()
				}
				for now := int64(1); q.Stats().Ready > 0; now++ {
					for again := true; again; {
						q.Tick(now, fx)
						again = fx.WakeAt != 0 && fx.WakeAt <= now
						fx.Reset()
					}
				}
			}
			perMessage(b, count)
		})
	}
}
