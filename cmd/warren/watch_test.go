package main

import (
	"bytes"
	"context"
	"errors"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/warren-mq/warren/broker"
)

// machine is a made-up one: what is in use and free is what the test says.
type machine struct {
	mu                  sync.Mutex
	live, garbage, free uint64
	diskFails           error
	collections         int
	ownCollections      uint64 // that the runtime makes by itself
	log                 bytes.Buffer
	alarms              broker.Alarms
}

func (m *machine) set(live, garbage, free uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.live, m.garbage, m.free = live, garbage, free
}

func (m *machine) watch(limits resourceLimits) *watch {
	w := newWatch("", limits, &m.alarms, zerolog.New(&m.log))
	w.memoryUsed = func() uint64 {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.live + m.garbage
	}
	w.collect = func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.garbage = 0
		m.collections++
	}
	w.collections = func() uint64 {
		m.mu.Lock()
		defer m.mu.Unlock()
		return uint64(m.collections) + m.ownCollections
	}
	w.diskFree = func() (uint64, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.free, m.diskFails
	}
	return w
}

// during runs a watch in a synctest bubble while f looks on.
func (m *machine) during(t *testing.T, limits resourceLimits, f func()) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { m.watch(limits).run(ctx) })
		f()
		cancel()
		wg.Wait()
	})
}

// pass lets fake time go on, and the watch react.
func pass(d time.Duration) {
	time.Sleep(d) // of the bubble
	synctest.Wait()
}

func TestMemoryAboveTheWatermarkRaisesTheAlarmUntilItFalls(t *testing.T) {
	m := &machine{live: 50, free: 1000}
	m.during(t, resourceLimits{memory: 100, diskFree: 10}, func() {
		pass(time.Minute)
		if m.alarms.Raised() {
			t.Error("raised below the watermark")
		}
		m.set(101, 0, 1000)
		pass(memoryInterval)
		if got := m.alarms.Resources(); !slices.Equal(got, []string{broker.Memory}) {
			t.Errorf("raised: %q", got)
		}
		m.set(100, 0, 1000)
		pass(memoryInterval)
		if m.alarms.Raised() {
			t.Error("still raised at the watermark")
		}
	})
	if n := strings.Count(m.log.String(), "\n"); n != 2 {
		t.Errorf("%d lines were logged:\n%s", n, m.log.String())
	}
}

func TestGarbageNeitherRaisesNorKeepsTheAlarm(t *testing.T) {
	m := &machine{live: 60, garbage: 60}
	m.during(t, resourceLimits{memory: 100}, func() {
		pass(memoryInterval)
		if m.alarms.Raised() || m.collections != 1 {
			t.Errorf("raised: %v, after %d collections", m.alarms.Raised(), m.collections)
		}
		m.set(60, 60, 0) // again, before the next collection is due
		pass(memoryInterval)
		if m.alarms.Raised() {
			t.Error("raised by garbage between two collections")
		}
		m.set(150, 0, 0)
		pass(collectInterval + memoryInterval)
		if !m.alarms.Raised() {
			t.Fatal("not raised")
		}
		m.set(60, 90, 0) // consumers have drained the queues; nobody publishes, so nobody makes the collector run
		pass(collectInterval + memoryInterval)
		if m.alarms.Raised() {
			t.Error("garbage keeps the alarm")
		}
	})
}

func TestCollectionsAreRareWhileMemoryIsShort(t *testing.T) {
	m := &machine{live: 200}
	m.during(t, resourceLimits{memory: 100}, func() { pass(time.Minute) })
	if most := int(time.Minute/collectInterval) + 1; m.collections > most || m.collections < most/2 {
		t.Errorf("%d collections in a minute", m.collections)
	}
}

func TestQuietBrokerGivesBackOnceWhatABurstHasLeft(t *testing.T) {
	const mib = 1 << 20
	m := &machine{live: 20 * mib}
	m.during(t, resourceLimits{}, func() {
		pass(2 * releaseInterval)
		if m.collections != 0 {
			t.Errorf("%d collections for nothing", m.collections)
		}
		m.set(20*mib, 200*mib, 0)
		pass(2 * releaseInterval)
		if m.garbage != 0 {
			t.Error("the garbage stays")
		}
		m.set(220*mib, 0, 0) // a backlog
		pass(10 * releaseInterval)
		if n := m.collections; n > 4 {
			t.Errorf("%d collections for two bursts", n)
		}
		m.set(220*mib, 20*mib, 0) // too little to be worth it
		pass(10 * releaseInterval)
		if m.garbage == 0 {
			t.Error("collected for little")
		}
	})
}

func TestBusyCollectorIsLeftAlone(t *testing.T) {
	m := &machine{live: 20 << 20, garbage: 200 << 20}
	m.during(t, resourceLimits{}, func() {
		for range 10 {
			m.mu.Lock()
			m.ownCollections++
			m.mu.Unlock()
			pass(releaseInterval)
		}
		if m.collections != 0 {
			t.Errorf("%d collections", m.collections)
		}
	})
}

func TestLowDiskRaisesTheAlarmAtOnceAndUntilThereIsSpace(t *testing.T) {
	m := &machine{free: 9}
	m.during(t, resourceLimits{diskFree: 10}, func() {
		synctest.Wait()
		if got := m.alarms.Resources(); !slices.Equal(got, []string{broker.Disk}) {
			t.Errorf("raised at the start: %q", got)
		}
		m.set(0, 0, 10)
		pass(diskInterval)
		if m.alarms.Raised() {
			t.Error("still raised")
		}
	})
}

func TestUnknownDiskSpaceIsLoggedOnceAndRaisesNothing(t *testing.T) {
	m := &machine{diskFails: errors.New("no such disk")}
	m.during(t, resourceLimits{diskFree: 10}, func() { pass(time.Minute) })
	if m.alarms.Raised() || strings.Count(m.log.String(), "no such disk") != 1 {
		t.Errorf("raised: %v, logged:\n%s", m.alarms.Raised(), m.log.String())
	}
}

func TestWatermarksThatAreOffRaiseNothing(t *testing.T) {
	m := &machine{live: 1 << 60}
	m.during(t, resourceLimits{}, func() { pass(releaseInterval - 1) })
	if m.alarms.Raised() || m.collections > 0 {
		t.Errorf("raised: %v, %d collections", m.alarms.Raised(), m.collections)
	}
}

func TestMemoryUsedGrowsWithWhatIsHeld(t *testing.T) {
	debug.FreeOSMemory() // or what other tests left would be used again
	before := memoryUsed()
	held := make([]byte, 64<<20)
	for i := 0; i < len(held); i += 4096 {
		held[i] = 1
	}
	after := memoryUsed()
	if after < before+32<<20 {
		t.Errorf("%d bytes in use before, %d after 64 MiB more", before, after)
	}
	if held[0] != 1 {
		t.Fatal()
	}
}
