package load

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Counts are what happened in a span of time.
type Counts struct {
	Published   int64 `json:"published"`
	Confirmed   int64 `json:"confirmed"`
	Refused     int64 `json:"refused"` // confirmed negatively
	Returned    int64 `json:"returned"`
	Received    int64 `json:"received"`
	Redelivered int64 `json:"redelivered"`
}

func (c *Counts) add(o Counts) {
	c.Published += o.Published
	c.Confirmed += o.Confirmed
	c.Refused += o.Refused
	c.Returned += o.Returned
	c.Received += o.Received
	c.Redelivered += o.Redelivered
}

// meter is where one producer or consumer notes what happened, until somebody takes it away.
type meter struct {
	mu      sync.Mutex
	counts  Counts
	latency *hdrhistogram.Histogram // µs; of consumers from publish to delivery, of producers from publish to confirm
}

const (
	longestLatency = int64(time.Hour / time.Microsecond) // longer ones count as this
	latencyDigits  = 3                                   // significant ones
)

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, longestLatency, latencyDigits)
}

func newMeter() *meter { return &meter{latency: newHistogram()} }

// note adds to the counts.
func (m *meter) note(c Counts) {
	m.mu.Lock()
	m.counts.add(c)
	m.mu.Unlock()
}

// timed adds to the counts, and how long each of n messages took.
func (m *meter) timed(c Counts, took time.Duration, n int64) {
	us := min(max(took.Microseconds(), 1), longestLatency)
	m.mu.Lock()
	m.counts.add(c)
	_ = m.latency.RecordValues(us, n) // it is in range
	m.mu.Unlock()
}

// take moves what was noted into c and h.
func (m *meter) take(c *Counts, h *hdrhistogram.Histogram) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c.add(m.counts)
	h.Merge(m.latency)
	m.counts = Counts{}
	m.latency.Reset()
}

// Latency is how long messages took, in µs.
type Latency struct {
	Count int64 `json:"count"`
	Min   int64 `json:"min"`
	P50   int64 `json:"p50"`
	P75   int64 `json:"p75"`
	P95   int64 `json:"p95"`
	P99   int64 `json:"p99"`
	P999  int64 `json:"p99_9"`
	Max   int64 `json:"max"`
}

// latencyOf returns nil if nothing was measured.
func latencyOf(h *hdrhistogram.Histogram) *Latency {
	if h.TotalCount() == 0 {
		return nil
	}
	at := h.ValueAtQuantile
	return &Latency{
		Count: h.TotalCount(), Min: h.Min(), Max: h.Max(),
		P50: at(50), P75: at(75), P95: at(95), P99: at(99), P999: at(99.9),
	}
}
