package storage_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/warren-mq/warren/storage"
)

// stressQueue is what a queue does with its log: publishes ahead of a consumer that takes in order and acks late.
type stressQueue struct {
	mu      sync.Mutex
	log     *storage.Log
	cursor  uint64
	unacked []uint64
	ready   chan struct{}
}

func content(queue int, seq uint64) string {
	return fmt.Sprintf("queue %d record %d %0*d", queue, seq, int(seq%300), seq)
}

// run publishes and consumes n records in bursts, with a backlog that outgrows the memory budget in between.
func (q *stressQueue) run(t *testing.T, s *storage.Store, queue int, n uint64) {
	for q.cursor < n {
		s.Enter()
		q.mu.Lock()
		ahead := uint64(3_000)
		if q.cursor%5_000 < 2_500 {
			ahead = 10
		}
		for range 50 {
			next := q.log.Next()
			if next >= n || next > q.cursor+ahead {
				break
			}
			record := content(queue, next)
			_, b := q.log.Append(len(record), next%10 != 0)
			copy(b, record)
		}
		waiting := !q.consume(t, queue)
		q.mu.Unlock()
		s.Leave()
		if waiting {
			<-q.ready
		}
	}
}

// consume delivers and acks. It returns false when it has to wait for the store.
func (q *stressQueue) consume(t *testing.T, queue int) bool {
	for range 60 {
		if q.cursor >= q.log.Next() {
			break
		}
		if !q.log.Deliver(q.cursor) {
			return false
		}
		record, ok := q.log.At(q.cursor)
		if !ok {
			if !q.log.Live(q.cursor) {
				t.Errorf("queue %d: record %d is lost", queue, q.cursor)
			}
			return false
		}
		if string(record) != content(queue, q.cursor) {
			t.Errorf("queue %d: record %d is %.40q", queue, q.cursor, record)
		}
		q.unacked = append(q.unacked, q.cursor)
		q.cursor++
	}
	if len(q.unacked) > 200 {
		for _, seq := range q.unacked[:150] {
			q.log.Gone(seq)
		}
		q.unacked = append(q.unacked[:0], q.unacked[150:]...)
	}
	return true
}

func TestQueuesAtWorkTogether(t *testing.T) {
	const queues, n = 4, 20_000
	dir := t.TempDir()
	s := openStore(t, dir, small)
	var work sync.WaitGroup
	var all []*stressQueue
	for i := range queues {
		q := &stressQueue{ready: make(chan struct{}, 1)}
		s.Enter()
		q.log = s.CreateLog(fmt.Appendf(nil, "%d", i), i > 0)
		q.log.OnReady(func() {
			select {
			case q.ready <- struct{}{}:
			default:
			}
		})
		s.Leave()
		all = append(all, q)
		work.Go(func() { q.run(t, s, i, n) })
	}
	work.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir, small)
	logs := s.Logs()
	if len(logs) != queues-1 {
		t.Fatalf("%d logs came back, want %d", len(logs), queues-1)
	}
	for i, l := range logs {
		i++
		unacked := map[uint64]bool{}
		for _, seq := range all[i].unacked {
			unacked[seq] = true
		}
		for seq := range uint64(n) {
			want := unacked[seq] && seq%10 != 0
			record, ok := read(t, s, l, seq)
			if ok != want {
				t.Fatalf("queue %d: record %d is there: %v, want %v", i, seq, ok, want)
			}
			if want && string(record) != content(i, seq) {
				t.Fatalf("queue %d: record %d is %.40q", i, seq, record)
			}
			if want && seq >= l.DeliveredUpTo() {
				t.Fatalf("queue %d: record %d was delivered, but the mark is at %d", i, seq, l.DeliveredUpTo())
			}
		}
	}
}
