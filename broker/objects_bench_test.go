package broker

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/warren-mq/warren/storage"
)

// manyQueues is how many a broker shall bear easily.
const manyQueues = 100_000

// openObjects opens a broker on a folder.
func openObjects(b *testing.B, dir string) (*Broker, *Session, func()) {
	b.Helper()
	store, err := storage.Open(dir, storage.Options{})
	if err != nil {
		b.Fatal(err)
	}
	core, err := New(Config{Store: store})
	if err != nil {
		b.Fatal(err)
	}
	s, err := core.Open(core.Users.Lookup("guest"), "/", nil)
	if err != nil {
		b.Fatal(err)
	}
	return core, s, func() {
		core.Close()
		if err := store.Close(); err != nil {
			b.Error(err)
		}
	}
}

// eachObject does something for each queue, in batches of what one read might bring, and waits for the disk.
func eachObject(b *testing.B, core *Broker, do func(name string) error) {
	b.Helper()
	for i := 0; i < manyQueues; {
		commit := core.Enter()
		for range 100 {
			if err := do(fmt.Sprint("queue.", i)); err != nil {
				b.Fatal(err)
			}
			i++
		}
		core.Leave()
		if i == manyQueues {
			if err := core.WaitDurable(commit, nil); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func heapInUse() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

func BenchmarkManyQueues(b *testing.B) {
	for b.Loop() {
		dir := b.TempDir()
		core, s, stop := openObjects(b, dir)
		before := heapInUse()
		report := func(what string, since time.Time) {
			b.ReportMetric(float64(time.Since(since).Microseconds())/manyQueues, what)
		}
		began := time.Now()
		eachObject(b, core, func(name string) error {
			_, err := s.DeclareQueue(QueueDeclaration{Name: name, Durable: true})
			return err
		})
		report("declare-µs", began)
		b.ReportMetric((heapInUse()-before)/manyQueues, "B/queue")
		began = time.Now()
		eachObject(b, core, func(name string) error { return s.BindQueue(name, "amq.direct", name, nil) })
		report("bind-µs", began)
		b.ReportMetric((heapInUse()-before)/manyQueues, "B/bound-queue")
		stop()
		core, s = nil, nil

		before = heapInUse()
		began = time.Now()
		core, s, stop = openObjects(b, dir)
		report("start-µs", began)
		b.ReportMetric((heapInUse()-before)/manyQueues, "B/recovered-queue")
		began = time.Now()
		var fx Effects
		eachObject(b, core, func(name string) error {
			_, err := s.DeleteQueue(name, false, false, &fx)
			return err
		})
		fx.Run()
		report("delete-µs", began)
		stop()
	}
}
