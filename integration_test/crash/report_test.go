package crash_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// report is what a run has found. Its methods may be called from any goroutine.
type report struct {
	t     *testing.T
	quiet bool // violations are expected

	mu         sync.Mutex
	round      int             // guarded by mu
	violations []string        // guarded by mu
	starts     []time.Duration // that brokers took on a folder in use; guarded by mu

	rounds, earlyKills              atomic.Int64 // kills while the broker was starting or being looked at
	confirmed, delivered, recovered atomic.Int64 // messages
	transactions, acks, definitions atomic.Int64
	flaggedUnseen, flagged          atomic.Int64
}

// mostViolations end a run: what follows from a lost store is not worth reading.
const mostViolations = 40

// violation notes that a promise was broken.
func (r *report) violation(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := fmt.Sprintf("round %d: ", r.round) + fmt.Sprintf(format, args...)
	if r.violations = append(r.violations, text); len(r.violations) <= mostViolations && !r.quiet {
		r.t.Log("VIOLATION: " + text)
	}
}

func (r *report) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.violations)
}

// first is the first violation.
func (r *report) first() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.violations) == 0 {
		return ""
	}
	return r.violations[0]
}

func (r *report) started(took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.starts = append(r.starts, took)
}

// startTimes are the median and the longest of the times until a broker was ready.
func (r *report) startTimes() (median, longest time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.starts) == 0 {
		return 0, 0
	}
	slices.Sort(r.starts)
	return r.starts[len(r.starts)/2], r.starts[len(r.starts)-1]
}

func (r *report) setRound(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.round = n
}

// figures are what a reader of the result wants to know.
func (r *report) figures() string {
	median, longest := r.startTimes()
	return fmt.Sprintf("%d rounds and %d kills while starting or checking; %d publishes confirmed, %d transactions committed, "+
		"%d definitions answered, %d deliveries, %d acks sent; %d messages found again (%d of %d flagged as redelivered had not been seen); a start took %s, at most %s; %d violations",
		r.rounds.Load(), r.earlyKills.Load(), r.confirmed.Load(), r.transactions.Load(), r.definitions.Load(), r.delivered.Load(),
		r.acks.Load(), r.recovered.Load(), r.flaggedUnseen.Load(), r.flagged.Load(),
		median.Round(time.Millisecond), longest.Round(time.Millisecond), r.count())
}
