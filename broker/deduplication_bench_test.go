package broker

import (
	"fmt"
	"testing"
	"time"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/storage"
)

// filled is a broker on a store with a durable queue whose window, if it has one, holds a million identities.
func filled(b *testing.B, dir string, window bool) (*Broker, *Session, func()) {
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
	args := amqp.Table{{Name: "x-max-length", Value: int32(1000)}}
	if window {
		args = args.With("x-dedup-window", "1000000")
	}
	core.Enter()
	_, err = s.DeclareQueue(QueueDeclaration{Name: "q", Durable: true, Arguments: args})
	core.Leave()
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

// publishBatch publishes new messages of 128 bytes, as a client does that does not wait for confirms.
func publishBatch(b *testing.B, core *Broker, pub *Publisher, fx *Effects, from, n int) {
	body := make([]byte, 128)
	core.Enter()
	for i := from; i < from+n; i++ {
		m := named("", "q", fmt.Sprint("message-", i))
		m.Body = body
		if _, err := pub.Publish(m); err != nil {
			b.Fatal(err)
		}
	}
	pub.Settle(core.nowMillis(), fx)
	core.Leave()
	fx.Run()
	core.WaitRoom(nil)
}

const million = 1_000_000

func BenchmarkPublishDeduplicated(b *testing.B) {
	const batch = 100
	for _, window := range []bool{false, true} {
		b.Run(fmt.Sprintf("window=%t", window), func(b *testing.B) {
			core, s, stop := filled(b, b.TempDir(), window)
			defer stop()
			pub, fx, next := s.NewPublisher(), new(Effects), 0
			for ; next < million; next += batch {
				publishBatch(b, core, pub, fx, next, batch)
			}
			b.ReportAllocs()
			for b.Loop() {
				publishBatch(b, core, pub, fx, next, batch)
				next += batch
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/message")
		})
	}
}

func BenchmarkStartWithWindow(b *testing.B) {
	for _, batch := range []int{1, 100} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			dir := b.TempDir()
			core, s, stop := filled(b, dir, true)
			pub, fx := s.NewPublisher(), new(Effects)
			for i := 0; i < million; i += batch {
				publishBatch(b, core, pub, fx, i, batch)
			}
			stop()
			b.ResetTimer()
			var windows time.Duration
			for b.Loop() {
				store, err := storage.Open(dir, storage.Options{})
				if err != nil {
					b.Fatal(err)
				}
				began := time.Now()
				core, err := New(Config{Store: store})
				if err != nil {
					b.Fatal(err)
				}
				windows += time.Since(began)
				vh, _ := core.VHost("/")
				q, _ := vh.Queue("q")
				if f, _ := q.Dedup(); f.Entries != million {
					b.Fatalf("%d entries", f.Entries)
				}
				core.Close()
				if err := store.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(windows.Seconds()/float64(b.N), "s/recover")
		})
	}
}
