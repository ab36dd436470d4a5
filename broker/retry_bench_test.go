package broker

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/queue"
	"github.com/warren-mq/warren/storage"
)

// retryBench gives messages back in batches.
type retryBench struct {
	broker *Broker
	store  *storage.Store // nil: in memory
	synced chan struct{}  // a commit is on disk
	queue  *Queue
	sub    *queue.Subscription
	now    time.Time
	msgs   []queue.Message
	idx    []int32
	seqs   []uint64 // delivered and not given back
	getter
	fx Effects
}

func (r *retryBench) Deliver(d *queue.Delivery) bool {
	r.seqs = append(r.seqs, d.Seq)
	return true
}

// commit does something, and waits until the commit before the last is on disk: as with clients, whose returns are not
// confirmed, the next batch gathers while one is written.
func (r *retryBench) commit(work func(now int64)) {
	r.broker.Enter()
	work(r.now.UnixMilli())
	var commit storage.Commit
	if r.store != nil {
		commit = r.store.Outstanding()
	}
	r.broker.Leave()
	r.fx.Run()
	for r.store != nil && r.store.Durable()+2 < commit {
		<-r.synced
	}
}

// publish fills the consumer, which may have to wait for the mark of what was delivered.
func (r *retryBench) publish() {
	r.commit(func(now int64) { r.queue.Publish(now, r.msgs, r.idx, &r.fx) })
	for {
		r.broker.Enter()
		n := len(r.seqs)
		if n < len(r.msgs) {
			r.queue.Resume(r.now.UnixMilli(), r.sub, &r.fx)
		}
		r.broker.Leave()
		if n == len(r.msgs) {
			return
		}
		runtime.Gosched()
	}
}

func (r *retryBench) giveBack() {
	r.commit(func(now int64) { r.queue.Settle(now, &queue.Settlement{Returned: r.seqs}, &r.fx) })
	r.seqs = r.seqs[:0]
}

// BenchmarkRetry gives messages back, lets them wait, and has them delivered again: an operation is one message that does
// all of that, in batches of a thousand, with none or a million others waiting for a later time. With a store, each
// batch is written.
func BenchmarkRetry(b *testing.B) {
	for _, withStore := range []bool{false, true} {
		for _, others := range []int{0, 1_000_000} {
			b.Run(fmt.Sprintf("store=%t/waiting=%d", withStore, others), func(b *testing.B) { benchmarkRetry(b, withStore, others) })
		}
	}
}

func benchmarkRetry(b *testing.B, withStore bool, others int) {
	const batch = 1000
	start := time.UnixMilli(1_000_000)
	r := &retryBench{now: start, synced: make(chan struct{}, 1), msgs: make([]queue.Message, batch)}
	for i := range r.msgs {
		r.msgs[i] = queue.Message{RoutingKey: []byte("q"), Properties: []byte{0, 0}, Body: make([]byte, 100)}
		r.idx = append(r.idx, int32(i))
	}
	c := Config{Now: func() time.Time { return start }} // no timer fires
	if withStore {
		var err error
		if r.store, err = storage.Open(b.TempDir(), storage.Options{}); err != nil {
			b.Fatal(err)
		}
		defer func() { _ = r.store.Close() }() // it was measured, nobody reads it
		r.store.Notify(func(storage.Commit) {
			select {
			case r.synced <- struct{}{}:
			default:
			}
		})
		c.Store = r.store
	}
	var err error
	if r.broker, err = New(c); err != nil {
		b.Fatal(err)
	}
	defer r.broker.Close()
	s, err := r.broker.Open(r.broker.Users.Lookup("guest"), "/", nil)
	if err != nil {
		b.Fatal(err)
	}
	r.commit(func(int64) {
		r.queue, err = s.DeclareQueue(QueueDeclaration{Name: "q", Durable: true, Arguments: amqp.Table{
			{Name: "x-queue-type", Value: "quorum"}, {Name: "x-delayed-retry-type", Value: "all"},
			{Name: "x-delayed-retry-min", Value: int32(1000)}, {Name: "x-delayed-retry-max", Value: int32(1000)}}})
		if err == nil {
			r.sub, err = r.queue.Subscribe(r, queue.SubscribeOptions{}, &r.fx.Effects)
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	r.now = start.AddDate(1, 0, 0) // when the others come back
	for range others / batch {
		r.publish()
		r.giveBack()
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	r.now = start
	r.publish()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%batch > 0 {
			continue
		}
		r.giveBack()
		r.now = r.now.Add(time.Second)
		r.commit(func(now int64) { r.queue.tick(now, &r.fx) })
		if len(r.seqs) != batch {
			b.Fatalf("%d came back, want %d", len(r.seqs), batch)
		}
	}
	if st := r.queue.Stats(); st.Delayed != others {
		b.Errorf("%d wait, want %d", st.Delayed, others)
	}
	if others > 0 {
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(others), "B/waiting")
	}
}
