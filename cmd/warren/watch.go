package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/warren-mq/warren/broker"
)

// resourceLimits are the amounts in bytes at which publishers are held. 0 means that nobody looks.
type resourceLimits struct {
	memory   uint64 // most memory in use
	diskFree uint64 // least space left for the data folder
}

// watch raises and clears the alarms of a broker. Its fields belong to the goroutine of run, but for what is atomic.
type watch struct {
	limits resourceLimits
	alarms *broker.Alarms
	log    zerolog.Logger

	// How to ask; tests answer for them.
	memoryUsed func() uint64
	collect    func() // gives memory that is only garbage back to the system
	diskFree   func() (uint64, error)
	// collections counts how often the garbage collector has run.
	collections func() uint64

	quiet        quiet
	lastCollect  time.Time
	diskUnknown  bool          // it was logged that diskFree fails
	lastDiskFree atomic.Uint64 // bytes at the last look, for the management API
}

const (
	// memoryInterval is short, since a publisher on loopback can fill hundreds of MiB in a second. The question costs
	// microseconds.
	memoryInterval = 250 * time.Millisecond
	// diskInterval is short for the same reason: a small volume is full within a second.
	diskInterval = 250 * time.Millisecond
	// collectInterval bounds what the watch itself costs while memory is short.
	collectInterval = 2 * time.Second
)

func newWatch(dir string, limits resourceLimits, alarms *broker.Alarms, log zerolog.Logger) *watch {
	return &watch{
		limits: limits, alarms: alarms, log: log,
		memoryUsed: memoryUsed, collect: debug.FreeOSMemory,
		diskFree:    func() (uint64, error) { return diskFree(dir) },
		collections: collections,
	}
}

// run looks after memory and disk until ctx ends.
func (w *watch) run(ctx context.Context) {
	memory, disk, release := time.NewTicker(memoryInterval), time.NewTicker(diskInterval), time.NewTicker(releaseInterval)
	defer memory.Stop()
	defer disk.Stop()
	defer release.Stop()
	w.checkDisk()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-memory.C:
			w.checkMemory(now)
		case <-disk.C:
			w.checkDisk()
		case <-release.C:
			w.releaseMemory()
		}
	}
}

// checkMemory compares what is in use with the watermark. Memory that only waits for the garbage collector must neither
// raise the alarm nor keep it: with publishers held, nothing else would make the collector run for minutes.
func (w *watch) checkMemory(now time.Time) {
	if w.limits.memory == 0 {
		return
	}
	used := w.memoryUsed()
	if used > w.limits.memory && now.Sub(w.lastCollect) >= collectInterval {
		w.lastCollect = now
		w.collect()
		used = w.memoryUsed()
	} else if used > w.limits.memory && !w.alarms.Raised() {
		return // it was under the mark after the last collection, a moment ago
	}
	w.set(broker.Memory, used > w.limits.memory, used, w.limits.memory)
}

func (w *watch) checkDisk() {
	free, err := w.diskFree()
	if err != nil {
		if !w.diskUnknown {
			w.diskUnknown = true
			w.log.Warn().Err(err).Msg("cannot tell the free disk space; no disk alarm will be raised")
		}
		return
	}
	w.diskUnknown = false
	w.lastDiskFree.Store(free)
	w.set(broker.Disk, free < w.limits.diskFree, free, w.limits.diskFree)
}

// set raises or clears an alarm, and logs when that changes something.
func (w *watch) set(resource string, on bool, bytes, limit uint64) {
	was := false
	for _, r := range w.alarms.Resources() {
		was = was || r == resource
	}
	w.alarms.Set(resource, on)
	switch {
	case on && !was:
		w.log.Warn().Uint64("bytes", bytes).Uint64("limit", limit).
			Msg(resource + " resource limit alarm set; publishers are blocked until it clears")
	case was && !on:
		w.log.Info().Uint64("bytes", bytes).Uint64("limit", limit).Msg(resource + " resource limit alarm cleared")
	}
}

// memoryUsed is what the Go runtime has from the system and has not given back, in bytes. Files that are mapped do not
// count: the system takes their pages back when it needs them.
func memoryUsed() uint64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64() - samples[1].Value.Uint64()
}
