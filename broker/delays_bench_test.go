package broker

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/queue"
	"github.com/warren-mq/warren/storage"
)

// delayRig is a broker with a store, a delayed exchange and a queue whose consumer measures how late messages come.
type delayRig struct {
	testing.TB
	broker *Broker
	close  func()
	pub    *Publisher
	fx     Effects
	props  amqp.Properties
	body   []byte
	wire   []byte
	mu     sync.Mutex
	late   []int64 // milliseconds; guarded by mu
	early  int     // guarded by mu
}

func newDelayRig(b testing.TB, dir string, bodyBytes int) *delayRig {
	store, err := storage.Open(dir, storage.Options{})
	if err != nil {
		b.Fatal(err)
	}
	br, err := New(Config{Store: store})
	if err != nil {
		b.Fatal(err)
	}
	s, err := br.Open(br.Users.Lookup("guest"), "/", nil)
	if err != nil {
		b.Fatal(err)
	}
	closeBoth := sync.OnceFunc(func() {
		br.Close()
		if err := store.Close(); err != nil {
			b.Error(err)
		}
	})
	b.Cleanup(closeBoth)
	r := &delayRig{TB: b, broker: br, close: closeBoth, pub: s.NewPublisher(), body: make([]byte, max(bodyBytes, 8))}
	c := delayedDirect("x")
	c.Durable = true
	br.Enter()
	defer br.Leave()
	if err := s.DeclareExchange(c); err != nil {
		b.Fatal(err)
	}
	q, err := s.DeclareQueue(QueueDeclaration{Name: "q", Durable: true})
	if err != nil {
		b.Fatal(err)
	}
	if err := s.BindQueue("q", "x", "k", nil); err != nil {
		b.Fatal(err)
	}
	sub, err := q.Subscribe(r, queue.SubscribeOptions{NoAck: true}, &r.fx.Effects)
	if err != nil {
		b.Fatal(err)
	}
	q.Resume(br.nowMillis(), sub, &r.fx)
	return r
}

// The rig is the consumer.
func (r *delayRig) Acquire()                      {}
func (r *delayRig) Release()                      {}
func (r *delayRig) Wake()                         {}
func (r *delayRig) Cancelled(*queue.Subscription) {}

func (r *delayRig) Deliver(d *queue.Delivery) bool {
	late := time.Now().UnixMilli() - int64(binary.BigEndian.Uint64(d.Message.Body))
	r.mu.Lock()
	r.late = append(r.late, late)
	if late < 0 {
		r.early++
	}
	r.mu.Unlock()
	return true
}

// publish sends a batch of messages that are due at the times that at gives, as fast as the store takes them.
func (r *delayRig) publish(n int, at func(i int) int64) {
	const batch = 100
	for i := 0; i < n; i += batch {
		for j := i; j < min(i+batch, n); j++ {
			due := at(j)
			r.props = amqp.Properties{Flags: amqp.FlagHeaders | amqp.FlagDeliveryMode, DeliveryMode: 2,
				Headers: amqp.AppendTableBody(nil, amqp.Table{{Name: "x-deliver-at", Value: due}})}
			binary.BigEndian.PutUint64(r.body, uint64(due))
			r.wire = r.props.Append(nil)
			m := Message{Exchange: []byte("x"), RoutingKey: []byte("k"), Properties: r.wire, Body: slices.Clone(r.body)}
			if _, err := r.pub.Publish(&m); err != nil {
				r.Fatal(err)
			}
		}
		r.broker.Enter()
		r.pub.Settle(r.broker.nowMillis(), &r.fx)
		r.broker.Leave()
		r.fx.Run()
		r.broker.WaitRoom(nil)
	}
}

func (r *delayRig) delivered() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.late)
}

// BenchmarkDelayedPublish is the cost of a message that is held back, and with it that of its record on disk.
func BenchmarkDelayedPublish(b *testing.B) {
	for _, size := range []int{100, 1024} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			r := newDelayRig(b, b.TempDir(), size)
			far := time.Now().Add(24 * time.Hour).UnixMilli()
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if n%100 == 0 {
					r.publish(100, func(i int) int64 { return far + int64(i) })
				}
				n++
			}
		})
	}
}

// BenchmarkDue delivers 20,000 messages per second for five seconds while a million others wait, and tells how late they
// come: published in the order in which they are due, and in any order. How late a bare timer is beside them shows what is
// the machine's.
func BenchmarkDue(b *testing.B) {
	const pending, rate, seconds = 1_000_000, 20_000, 5
	for _, order := range []string{"sorted", "random"} {
		for _, size := range []int{100, 1024} {
			b.Run(fmt.Sprintf("order=%s/size=%d", order, size), func(b *testing.B) {
				for b.Loop() {
					due(b, order == "random", size, pending, rate, seconds)
				}
			})
		}
	}
}

// bareTimer waits for every millisecond of some seconds and returns how late that was, sorted.
func bareTimer(first int64, seconds int) (late []int64) {
	for at := first; at < first+int64(seconds)*1000; at++ {
		if wait := time.Until(time.UnixMilli(at)); wait > 0 {
			<-time.After(wait)
		}
		late = append(late, time.Now().UnixMilli()-at)
	}
	slices.Sort(late)
	return late
}

func due(b *testing.B, random bool, size, pending, rate, seconds int) {
	dir := b.TempDir()
	r := newDelayRig(b, dir, size)
	hour := time.Now().Add(time.Hour).UnixMilli()
	began := time.Now()
	r.publish(pending, func(i int) int64 { return hour + rand.Int64N(3_600_000) })
	filled := time.Since(began)
	n := rate * seconds
	first := time.Now().Add(8 * time.Second).UnixMilli()
	r.publish(n, func(i int) int64 {
		if random {
			return first + rand.Int64N(int64(seconds)*1000)
		}
		return first + int64(i*1000/rate)
	})
	ahead := first - time.Now().UnixMilli()
	bare := bareTimer(first, seconds)
	eventually(b, func() bool { return r.delivered() >= n })
	var memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&memory)
	slices.Sort(r.late)
	b.ReportMetric(float64(pending)/filled.Seconds(), "published/s")
	b.ReportMetric(float64(ahead), "ms-ahead")
	b.ReportMetric(float64(r.late[n/2]), "p50-late-ms")
	b.ReportMetric(float64(r.late[n*99/100]), "p99-late-ms")
	b.ReportMetric(float64(r.late[n-1]), "max-late-ms")
	b.ReportMetric(float64(bare[len(bare)*99/100]), "bare-p99-late-ms")
	b.ReportMetric(float64(bare[len(bare)-1]), "bare-max-late-ms")
	b.ReportMetric(float64(memory.HeapAlloc)/(1<<20), "heap-MiB")
	r.close()
	began = time.Now()
	again := newDelayRig(b, dir, size)
	b.ReportMetric(float64(time.Since(began).Milliseconds()), "restart-ms")
	again.close()
	if r.early > 0 {
		b.Errorf("%d came early", r.early)
	}
}
