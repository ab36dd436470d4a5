package broker

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warren-mq/warren/queue"
	"github.com/warren-mq/warren/storage"
)

// flagTaker remembers which of what it got was flagged as redelivered.
type flagTaker struct {
	seqTaker
	flagged, plain []string
}

func (f *flagTaker) Deliver(d *queue.Delivery) bool {
	if body := string(d.Message.Body); d.Redelivered {
		f.flagged = append(f.flagged, body)
	} else {
		f.plain = append(f.plain, body)
	}
	return true
}

func TestWhatWasDueBeforeTheStartMayHaveBeenDelivered(t *testing.T) {
	dir := t.TempDir()
	var clock atomic.Int64 // unix milliseconds
	clock.Store(1_700_000_000_000)
	open := func() (*bench, func()) {
		store, err := storage.Open(dir, storage.Options{SegmentBytes: 1 << 20, ValueLogBytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		b, err := New(Config{Store: store, Now: func() time.Time { return time.UnixMilli(clock.Load()) }})
		if err != nil {
			t.Fatal(err)
		}
		s, err := b.Open(b.Users.Lookup("guest"), "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		return &bench{T: t, broker: b, session: s, pub: s.NewPublisher()}, func() {
			b.Close()
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	b, stop := open()
	c := delayedDirect("x")
	c.Durable = true
	b.delayed(c, "k")
	b.later("x", "k", "due", Message{}, "x-delay", int32(1000))
	b.later("x", "k", "not yet", Message{}, "x-delay", int32(1_000_000))
	stop()

	clock.Add(10_000)
	b, stop = open()
	defer stop()
	b.later("x", "k", "new", Message{}, "x-deliver-at", int64(1)) // due at once, as if long ago
	x, _ := b.session.VHost().Exchange("x")
	eventually(t, func() bool { n, _ := b.session.VHost().MessagesDelayed(x); return n == 1 })
	clock.Add(1_000_000)
	b.broker.timers.set(b.session.VHost().delaysOf(x), clock.Load())
	q := b.queue("k")
	eventually(t, func() bool { return q.Stats().Ready == 3 })
	var taker flagTaker
	for range 3 {
		b.fetch(q, &taker, true)
	}
	slices.Sort(taker.plain)
	if !slices.Equal(taker.flagged, []string{"due"}) || !slices.Equal(taker.plain, []string{"new", "not yet"}) {
		t.Errorf("flagged are %q, and not %q", taker.flagged, taker.plain)
	}
}
