package queue_test

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/queue"
)

// worker is a consumer with an outbox and a goroutine that takes from it, settles and resumes, as a connection does.
type worker struct {
	queue *queue.Queue
	sub   *queue.Subscription
	wake  chan struct{} // has room for one

	mu     sync.Mutex
	credit int
	outbox []workItem
	parked bool // a delivery was refused: somebody has to resume
}

type workItem struct {
	seq uint64
	id  uint32
}

func (w *worker) Acquire() { w.mu.Lock() }
func (w *worker) Release() { w.mu.Unlock() }

func (w *worker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *worker) Deliver(d *queue.Delivery) bool {
	if w.credit == 0 {
		w.parked = true
		return false
	}
	w.credit--
	w.outbox = append(w.outbox, workItem{d.Seq, binary.BigEndian.Uint32(d.Message.Body)})
	return true
}

func newWorker(t *testing.T, q *queue.Queue, credit int, noAck bool, priority int32) *worker {
	w := &worker{queue: q, credit: credit, wake: make(chan struct{}, 1)}
	sub, err := q.Subscribe(w, queue.SubscribeOptions{
		NoAck: noAck, Arguments: amqp.Table{{Name: "x-priority", Value: priority}},
	}, new(queue.Effects))
	if err != nil {
		t.Fatal(err)
	}
	w.sub = sub
	w.resume()
	return w
}

func (w *worker) resume() {
	fx := new(queue.Effects)
	w.queue.Resume(0, w.sub, fx)
	runEffects(fx)
}

func runEffects(fx *queue.Effects) {
	for _, c := range fx.Wake {
		c.Wake()
	}
	fx.Reset()
}

// run settles what comes: every eighth message is given back, the rest is acked and reported.
func (w *worker) run(stop <-chan struct{}, acked func(id uint32)) {
	var s queue.Settlement
	var fx queue.Effects
	rng := rand.New(rand.NewPCG(rand.Uint64(), 1))
	for {
		w.mu.Lock()
		items := w.outbox
		w.outbox = nil
		w.credit += len(items)
		if w.parked && w.credit > 0 {
			w.parked = false
			s.Resume = append(s.Resume, w.sub)
		}
		w.mu.Unlock()
		if len(items) == 0 && len(s.Resume) == 0 {
			select {
			case <-w.wake:
				continue
			case <-stop:
				return
			}
		}
		for _, item := range items {
			if w.sub.NoAck() {
				acked(item.id)
			} else if rng.IntN(8) == 0 {
				s.Requeued = append(s.Requeued, item.seq)
			} else {
				s.Acked = append(s.Acked, item.seq)
				acked(item.id)
			}
		}
		w.queue.Settle(0, &s, &fx)
		s.Reset()
		runEffects(&fx)
	}
}

// publishFrom publishes n messages with ids from first on, in batches of random size.
func publishFrom(q *queue.Queue, first, n uint32) {
	var fx queue.Effects
	for id := first; id < first+n; {
		var msgs []queue.Message
		var idx []int32
		for range 1 + rand.N(20) {
			if id == first+n {
				break
			}
			m := message("")
			m.Body = binary.BigEndian.AppendUint32(nil, id)
			idx = append(idx, int32(len(msgs)))
			msgs = append(msgs, m)
			id++
		}
		q.Publish(0, msgs, idx, &fx)
		runEffects(&fx)
	}
}

// TestNothingIsLostOrAckedTwiceUnderConcurrency has publishers, consumers with little credit, consumers that come and
// go and basic.gets run at once. If a wake-up is lost, it does not end.
func TestNothingIsLostOrAckedTwiceUnderConcurrency(t *testing.T) {
	const publishers, each = 4, 3000
	q := queue.New(queue.Config{Name: "q", VHost: "/"}, newMemoryLog)

	seen := make([]atomic.Uint32, publishers*each)
	var count atomic.Uint32
	all := make(chan struct{})
	acked := func(id uint32) {
		if seen[id].Add(1) != 1 {
			t.Errorf("message %d was acked twice", id)
		}
		if count.Add(1) == publishers*each {
			close(all)
		}
	}

	stop := make(chan struct{})
	var wg, clients sync.WaitGroup
	for _, w := range []*worker{
		newWorker(t, q, 1, false, 0), newWorker(t, q, 3, false, 0), newWorker(t, q, 20, false, -1),
		newWorker(t, q, 2, true, 0), newWorker(t, q, 1, false, 5),
	} {
		clients.Go(func() { w.run(stop, acked) })
	}
	clients.Go(func() { comeAndGo(t, q, stop) })
	clients.Go(func() { getAndGiveBack(q, stop) })
	for i := range uint32(publishers) {
		wg.Go(func() { publishFrom(q, i*each, each) })
	}
	wg.Wait()
	select {
	case <-all:
	case <-time.After(30 * time.Second):
		t.Errorf("%d of %d messages were acked: %+v", count.Load(), publishers*each, q.Stats())
	}
	close(stop)
	clients.Wait()
	if err := q.Check(); err != nil {
		t.Error(err)
	}
	if s := q.Stats(); s.Ready != 0 || s.Unacked != 0 {
		t.Errorf("left over: %+v", s)
	}
}

// comeAndGo subscribes, takes a few messages, cancels and gives them back, until stop is closed.
func comeAndGo(t *testing.T, q *queue.Queue, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		w := newWorker(t, q, 2, false, rand.N[int32](3)-1)
		w.resume()
		var fx queue.Effects
		q.Cancel(0, w.sub, &fx)
		s := &queue.Settlement{Resume: []*queue.Subscription{w.sub}}
		w.mu.Lock()
		for _, item := range w.outbox {
			s.Requeued = append(s.Requeued, item.seq)
		}
		w.mu.Unlock()
		q.Settle(0, s, &fx)
		runEffects(&fx)
	}
}

// getAndGiveBack takes a message by basic.get and gives it back, until stop is closed.
func getAndGiveBack(q *queue.Queue, stop <-chan struct{}) {
	var fx queue.Effects
	for {
		select {
		case <-stop:
			return
		default:
		}
		w := &worker{queue: q, credit: 1, wake: make(chan struct{}, 1)}
		if ok, _ := q.Get(w, false, 0, &fx); ok {
			q.Settle(0, &queue.Settlement{Requeued: []uint64{w.outbox[0].seq}}, &fx)
		}
		runEffects(&fx)
	}
}

// TestDeleteRacesWithEverything deletes the queue while it is in full use: its messages and consumers go, nothing
// happens to it afterwards, and every call returns.
func TestDeleteRacesWithEverything(t *testing.T) {
	for range 25 {
		log := &memoryLog{}
		q := queue.New(queue.Config{Name: "q", VHost: "/", AutoDelete: true}, func(uint8) queue.Log { return log })
		stop := make(chan struct{})
		var clients, wg sync.WaitGroup
		w := newWorker(t, q, 5, false, 0)
		clients.Go(func() { w.run(stop, func(uint32) {}) })
		clients.Go(func() { getAndGiveBack(q, stop) })
		wg.Go(func() { publishFrom(q, 0, 500) })

		for i := range 3 {
			wg.Go(func() {
				var fx queue.Effects
				if i == 0 {
					q.Cancel(0, w.sub, &fx)
				} else if _, err := q.Delete(false, false, &fx); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		close(stop)
		clients.Wait()
		if err := q.Check(); err != nil {
			t.Fatal(err)
		}
		if !log.dropped || log.live != 0 {
			t.Fatal("the log was not dropped")
		}
	}
}
