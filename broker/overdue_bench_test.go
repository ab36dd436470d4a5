package broker

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/warren-mq/warren/amqp"
)

// BenchmarkOverdue starts a broker at which a million messages fell due while it was away: within an hour, in the order of
// publishing or in any, or all at the same millisecond. It tells when the first is delivered and how fast all are, and what
// another publisher of persistent messages notices of that, who sends one at a time.
func BenchmarkOverdue(b *testing.B) {
	const n = 1_000_000
	for _, order := range []string{"sorted", "random", "same"} {
		for _, size := range []int{100, 1024} {
			b.Run(fmt.Sprintf("order=%s/size=%d", order, size), func(b *testing.B) {
				for b.Loop() {
					overdue(b, order, size, n)
				}
			})
		}
	}
}

func overdue(b *testing.B, order string, size, n int) {
	dir := b.TempDir()
	r := newDelayRig(b, dir, size)
	// What a broker holds that was stopped an hour ago: its clock was an hour behind.
	now := time.Now()
	r.broker.cfg.Now = func() time.Time { return now.Add(-2 * time.Hour) }
	from := now.Add(-time.Hour).UnixMilli()
	r.publish(n, func(i int) int64 {
		switch order {
		case "sorted":
			return from + int64(i)*3_600_000/int64(n)
		case "random":
			return from + rand.Int64N(3_600_000)
		}
		return from
	})
	r.close()

	began := time.Now()
	again := newDelayRig(b, dir, size)
	defer again.close()
	again.broker.Enter()
	if _, err := again.pub.session.DeclareQueue(QueueDeclaration{Name: "other", Durable: true}); err != nil {
		b.Fatal(err)
	}
	again.broker.Leave()
	var first time.Duration
	var waits []time.Duration
	var most uint64
	fx, pub := Effects{}, again.pub
	for again.delivered() < n {
		if first == 0 && again.delivered() > 0 {
			first = time.Since(began)
		}
		props := amqp.Properties{Flags: amqp.FlagDeliveryMode, DeliveryMode: 2}
		sent := time.Now()
		if _, err := pub.Publish(&Message{RoutingKey: []byte("other"), Properties: props.Append(nil), Body: again.body}); err != nil {
			b.Fatal(err)
		}
		commit := again.broker.Enter()
		pub.Settle(again.broker.nowMillis(), &fx)
		again.broker.Leave()
		fx.Run()
		if err := again.broker.WaitDurable(commit, nil); err != nil {
			b.Fatal(err)
		}
		waits = append(waits, time.Since(sent))
		if len(waits)%64 == 0 {
			var memory runtime.MemStats
			runtime.ReadMemStats(&memory)
			most = max(most, memory.HeapAlloc)
		}
	}
	total := time.Since(began)
	slices.Sort(waits)
	b.ReportMetric(float64(first.Milliseconds()), "first-ms")
	b.ReportMetric(float64(n)/total.Seconds(), "delivered/s")
	b.ReportMetric(float64(waits[len(waits)/2].Microseconds()), "other-p50-us")
	b.ReportMetric(float64(waits[len(waits)*99/100].Microseconds()), "other-p99-us")
	b.ReportMetric(float64(waits[len(waits)-1].Microseconds()), "other-max-us")
	b.ReportMetric(float64(most)/(1<<20), "heap-MiB")
}
