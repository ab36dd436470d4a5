package main

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// collectPercent is GOGC. What most of the memory holds, messages, has no pointers, and the path of a message makes no
	// garbage: a collection is cheap and rare, and the memory that waits for the next one is better not spent.
	// (Filling and draining with 1 KiB messages: a quarter less memory than with Go's 100, the same CPU time.)
	collectPercent = 50
	// collectLimit is the share of the memory, of the machine or of the container, above which the collector runs as
	// often as it takes: GOMEMLIMIT. It is above the watermark at which publishers are held.
	collectLimit = 0.75
	// releaseInterval is how often a broker that has become quiet looks whether it holds memory for nothing.
	releaseInterval = 15 * time.Second
	// releaseLeast is how much that must be, in bytes.
	releaseLeast = 32 << 20
)

// tuneCollector sets the garbage collector up, but for what GOGC and GOMEMLIMIT have set. memory is 0 where it is
// unknown.
func tuneCollector(memory uint64) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" && memory > 0 {
		debug.SetMemoryLimit(int64(collectLimit * float64(memory)))
	}
}

// quiet is what the last look at a quiet broker has seen.
type quiet struct {
	collections uint64
	kept        uint64 // bytes in use after the last release, or less since
}

// releaseMemory gives back to the system what a burst has left in pools and as garbage: a broker that does not allocate does
// not collect either. It does so once after a burst, when the collector has not run by itself since the last look.
func (w *watch) releaseMemory() {
	used, ran := w.memoryUsed(), w.collections()
	w.quiet.kept = min(w.quiet.kept, used)
	if ran != w.quiet.collections {
		w.quiet.collections = ran
		return
	}
	if used < w.quiet.kept+max(releaseLeast, w.quiet.kept/8) {
		return
	}
	w.collect()
	w.collect() // pools are empty after the second collection
	w.quiet = quiet{w.collections(), w.memoryUsed()}
}

func collections() uint64 {
	samples := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64()
}
