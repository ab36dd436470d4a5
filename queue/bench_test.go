package queue_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/queue"
)

// sink is the least a consumer can do: it locks, counts, and notes the seq of what has to be acked.
type sink struct {
	mu      sync.Mutex
	credit  int
	count   int
	bytes   int
	unacked []uint64
	noAck   bool
}

func (s *sink) Acquire() { s.mu.Lock() }
func (s *sink) Release() { s.mu.Unlock() }
func (s *sink) Wake()    {}

func (s *sink) Deliver(d *queue.Delivery) bool {
	if s.noAck {
		s.count++
		s.bytes += len(d.Message.Body)
		return true
	}
	if s.credit == 0 {
		return false
	}
	s.credit--
	s.unacked = append(s.unacked, d.Seq)
	return true
}

const benchBatch = 100 // messages that one read brings

func benchMessages(size int) ([]queue.Message, []int32) {
	msgs := make([]queue.Message, benchBatch)
	idx := make([]int32, benchBatch)
	for i := range msgs {
		msgs[i] = queue.Message{
			RoutingKey: []byte("orders"),
			Properties: []byte{0, 0},
			Body:       make([]byte, size),
		}
		idx[i] = int32(i)
	}
	return msgs, idx
}

func benchQueue(b testing.TB, sinks ...*sink) (*queue.Queue, []*queue.Subscription) {
	return benchQueueOf(b, nil, sinks...)
}

func benchQueueOf(b testing.TB, args amqp.Table, sinks ...*sink) (*queue.Queue, []*queue.Subscription) {
	q := queue.New(queue.Config{Name: "q", VHost: "/", Arguments: args}, newMemoryLog)
	fx := new(queue.Effects)
	var subs []*queue.Subscription
	for i, s := range sinks {
		sub, err := q.Subscribe(s, queue.SubscribeOptions{Tag: fmt.Sprint(i), NoAck: s.noAck}, fx)
		if err != nil {
			b.Fatal(err)
		}
		q.Resume(0, sub, fx)
		subs = append(subs, sub)
	}
	return q, subs
}

// perMessage reports the cost of one message of the batches that b has run.
func perMessage(b *testing.B, batch int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(batch), "ns/msg")
}

func BenchmarkPublishDeliverNoAck(b *testing.B) {
	for _, consumers := range []int{1, 4} {
		b.Run(fmt.Sprintf("consumers=%d", consumers), func(b *testing.B) {
			sinks := make([]*sink, consumers)
			for i := range sinks {
				sinks[i] = &sink{noAck: true}
			}
			q, _ := benchQueue(b, sinks...)
			msgs, idx := benchMessages(16)
			fx := new(queue.Effects)
			b.ReportAllocs()
			for b.Loop() {
				q.Publish(0, msgs, idx, fx)
				fx.Reset()
			}
			perMessage(b, benchBatch)
		})
	}
}

// BenchmarkPublishDeliverOne has batches of one message: what a lone message costs, lock and effects included.
func BenchmarkPublishDeliverOne(b *testing.B) {
	s := &sink{noAck: true}
	q, _ := benchQueue(b, s)
	msgs, idx := benchMessages(16)
	fx := new(queue.Effects)
	b.ReportAllocs()
	for b.Loop() {
		q.Publish(0, msgs, idx[:1], fx)
		fx.Reset()
	}
}

func BenchmarkPublishDeliverAck(b *testing.B) {
	for _, size := range []int{16, 1024} {
		for _, consumers := range []int{1, 4} {
			b.Run(fmt.Sprintf("size=%d/consumers=%d", size, consumers), func(b *testing.B) {
				sinks := make([]*sink, consumers)
				for i := range sinks {
					sinks[i] = &sink{credit: 1000}
				}
				q, _ := benchQueue(b, sinks...)
				msgs, idx := benchMessages(size)
				fx := new(queue.Effects)
				settlement := new(queue.Settlement)
				b.ReportAllocs()
				for b.Loop() {
					q.Publish(0, msgs, idx, fx)
					for _, s := range sinks {
						settlement.Acked = append(settlement.Acked, s.unacked...)
						s.credit += len(s.unacked)
						s.unacked = s.unacked[:0]
					}
					q.Settle(0, settlement, fx)
					settlement.Reset()
					fx.Reset()
				}
				perMessage(b, benchBatch)
			})
		}
	}
}

// BenchmarkBacklogDrain publishes while the consumer has no credit, then drains.
func BenchmarkBacklogDrain(b *testing.B) {
	s := &sink{}
	q, subs := benchQueue(b, s)
	msgs, idx := benchMessages(16)
	fx := new(queue.Effects)
	settlement := new(queue.Settlement)
	b.ReportAllocs()
	for b.Loop() {
		q.Publish(0, msgs, idx, fx)
		s.credit = benchBatch
		q.Resume(0, subs[0], fx)
		settlement.Acked = append(settlement.Acked, s.unacked...)
		s.unacked = s.unacked[:0]
		q.Settle(0, settlement, fx)
		settlement.Reset()
		fx.Reset()
	}
	perMessage(b, benchBatch)
}

// BenchmarkRequeue gives a whole window back and gets it again.
func BenchmarkRequeue(b *testing.B) {
	for _, window := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("window=%d", window), func(b *testing.B) {
			s := &sink{credit: window}
			q, subs := benchQueue(b, s)
			msgs, idx := benchMessages(16)
			fx := new(queue.Effects)
			for range window / benchBatch {
				q.Publish(0, msgs, idx, fx)
			}
			settlement := new(queue.Settlement)
			b.ReportAllocs()
			for b.Loop() {
				settlement.Requeued = append(settlement.Requeued, s.unacked...)
				s.credit += len(s.unacked)
				s.unacked = s.unacked[:0]
				settlement.Resume = append(settlement.Resume, subs[0])
				q.Settle(0, settlement, fx)
				settlement.Reset()
				fx.Reset()
			}
			perMessage(b, window)
		})
	}
}
