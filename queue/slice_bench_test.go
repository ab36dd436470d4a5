package queue_test

import (
	"testing"
	"time"

	"github.com/warren-mq/warren/queue"
)

// BenchmarkReturnAMillion has a channel with a million unacknowledged messages end. The metric is how long the queue is
// held at a stretch.
func BenchmarkReturnAMillion(b *testing.B) {
	const unacked = 1_000_000
	s := &sink{}
	q, subs := benchQueue(b, s)
	msgs, idx := benchMessages(16)
	fx := new(queue.Effects)
	for range unacked / benchBatch {
		q.Publish(0, msgs, idx, fx)
	}
	var longest time.Duration
	settlement := new(queue.Settlement)
	for b.Loop() {
		b.StopTimer()
		s.credit = unacked
		settlement.Resume = append(settlement.Resume, subs[0])
		q.Settle(0, settlement, fx)
		settlement.Reset()
		fx.Reset()
		settlement.Returned = append([]uint64(nil), s.unacked...)
		s.unacked = s.unacked[:0]
		b.StartTimer()
		for began := time.Now(); settlement.Len() > 0; began = time.Now() {
			if settlement.Len() > queue.SettleSlice {
				q.SettleSome(0, settlement, fx)
			} else {
				q.Settle(0, settlement, fx)
				settlement.Reset()
			}
			longest = max(longest, time.Since(began))
		}
		fx.Reset()
	}
	b.ReportMetric(float64(longest.Microseconds())/1000, "longest-ms")
	perMessage(b, unacked)
}
