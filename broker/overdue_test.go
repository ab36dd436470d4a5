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
		return reopen(t, dir, smallStore, func() time.Time { return time.UnixMilli(clock.Load()) })
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

// TestWhatWasCancelledOrRescheduledIsSoAfterACrash: the answer promises it.
func TestWhatWasCancelledOrRescheduledIsSoAfterACrash(t *testing.T) {
	dir := t.TempDir()
	var clock atomic.Int64 // unix milliseconds
	clock.Store(1_700_000_000_000)
	b, stop := newStored(t, dir, &clock)
	c := delayedDirect("x")
	c.Durable = true
	b.delayed(c, "k")
	for _, body := range []string{"stays", "cancelled", "later", "sooner"} {
		b.later("x", "k", body, Message{}, "x-delay", int32(1_000_000))
	}
	page, err := b.session.Delayed("x", "", 10, nil)
	if err != nil || len(page) != 4 {
		t.Fatal(page, err)
	}
	var images []string
	if err := b.session.CancelDelayed("x", page[1].ID, nil); err != nil {
		t.Fatal(err)
	}
	images = append(images, copyOf(t, dir))
	ids := make([]string, 4)
	for i, after := range map[int]int64{2: 3_000_000, 3: 10_000} {
		if ids[i], err = b.session.RescheduleDelayed("x", page[i].ID, time.UnixMilli(clock.Load()+after), nil); err != nil {
			t.Fatal(err)
		}
	}
	images = append(images, copyOf(t, dir))
	stop()
	for i, want := range [][]string{{"stays", "later", "sooner"}, {"sooner", "stays", "later"}} {
		clock.Store(1_700_000_000_000)
		b, stop := newStored(t, images[i], &clock)
		if i == 1 {
			if again, err := b.session.Delayed("x", "", 10, nil); err != nil || len(again) != 3 || again[0].ID != ids[3] || again[1].ID != page[0].ID || again[2].ID != ids[2] {
				t.Errorf("ids are not what they were: %+v %v", again, err)
			}
			if err := b.session.CancelDelayed("x", page[2].ID, nil); err == nil {
				t.Error("what was rescheduled has its old id still")
			}
		}
		x, _ := b.session.VHost().Exchange("x")
		clock.Add(5_000_000)
		b.broker.timers.set(b.session.VHost().delaysOf(x), clock.Load())
		eventually(t, func() bool { n, _ := b.session.VHost().MessagesDelayed(x); return n == 0 })
		if got := b.all(b.queue("k")); !slices.Equal(got, want) {
			t.Errorf("crash %d: %q came, want %q", i, got, want)
		}
		stop()
	}
}

// TestWhatIsDueGoesBeforePublishersWhenTheDiskIsBehind: publishers wait, and what was promised for a time does not.
func TestWhatIsDueGoesBeforePublishersWhenTheDiskIsBehind(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	const pending = 4 << 20
	b, stop := reopen(t, t.TempDir(), storage.Options{SegmentBytes: 1 << 20, ValueLogBytes: 1 << 20, PendingBytes: pending}, func() time.Time { return now })
	defer stop()
	c := delayedDirect("x")
	c.Durable = true
	x := b.delayed(c, "k")
	b.later("x", "k", "due", Message{}, "x-deliver-at", now.UnixMilli()+1000)

	core, d := b.broker, b.session.VHost().delaysOf(x)
	core.Enter() // and so nothing is written
	defer core.Leave()
	fill := func(percent int) {
		for core.cfg.Store.RoomUpTo(int64(percent)) {
			if _, err := b.pub.Publish(&Message{RoutingKey: []byte("k"), Properties: []byte{0x10, 0, 2}, Body: make([]byte, 32<<10)}); err != nil {
				t.Fatal(err)
			}
			b.pub.Settle(core.nowMillis(), &b.fx)
		}
	}
	tick := func() {
		var fx Effects
		d.tick(now.UnixMilli()+1000, &fx)
	}
	fill(dueRoom)
	tick()
	b.pending(x, 1) // even this has an end
	core.Leave()
	for commit := core.Enter(); !core.cfg.Store.Room(); commit = core.Enter() {
		core.Leave()
		if err := core.WaitDurable(commit, nil); err != nil {
			t.Fatal(err)
		}
	}
	if fill(100); core.cfg.Store.Room() {
		t.Fatal("publishers do not wait")
	}
	tick()
	b.pending(x, 0)
}
