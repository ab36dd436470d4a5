package load

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/warren-mq/warren/integration_test/bench/internal/hist"
)

// Result is what one run found; it is printed as one JSON object.
type Result struct {
	Label    string         `json:"label,omitempty"` // name of the run within a scenario set
	Scenario string         `json:"scenario"`
	Target   string         `json:"target,omitempty"`
	Product  string         `json:"product,omitempty"` // as the broker calls itself
	Addr     string         `json:"addr"`
	Time     time.Time      `json:"time"`
	Params   map[string]any `json:"params"`
	Error    string         `json:"error,omitempty"`

	Seconds        float64 `json:"seconds"`         // the measured window
	PublishSeconds float64 `json:"publish_seconds"` // its part until the last message was written and confirmed
	Published      uint64  `json:"published"`
	Confirmed      uint64  `json:"confirmed"`
	Consumed       uint64  `json:"consumed"`
	Operations     uint64  `json:"operations,omitempty"`

	PublishedPerSec  float64 `json:"published_per_s"`
	ConfirmedPerSec  float64 `json:"confirmed_per_s"`
	ConsumedPerSec   float64 `json:"consumed_per_s"`
	OperationsPerSec float64 `json:"operations_per_s,omitempty"`

	// Latency is from publish to delivery, ConfirmLatency from publish to
	// confirm, OperationLatency that of one operation (a connection, say).
	Latency          *hist.Summary `json:"latency,omitempty"`
	ConfirmLatency   *hist.Summary `json:"confirm_latency,omitempty"`
	OperationLatency *hist.Summary `json:"operation_latency,omitempty"`

	Broker    *BrokerUsage       `json:"broker,omitempty"`
	Generator GeneratorUsage     `json:"generator"`
	Machine   MachineUsage       `json:"machine"`
	Extra     map[string]float64 `json:"extra,omitempty"`
}

// BrokerUsage is what the broker's processes used in the measured window.
type BrokerUsage struct {
	CPUSeconds    float64 `json:"cpu_s"`
	UserSeconds   float64 `json:"user_s"`
	SystemSeconds float64 `json:"system_s"`
	Cores         float64 `json:"cores"`          // CPU seconds per second
	CPUMicros     float64 `json:"cpu_us_per_msg"` // per delivery, or per publish (operation) if nothing is delivered
	RSS           uint64  `json:"rss_bytes"`      // at the end
	RSSAnon       uint64  `json:"rss_anon_bytes"` // at the end, without file mappings
	PeakRSS       uint64  `json:"rss_peak_bytes"` // within the window
	ReadBytes     uint64  `json:"read_bytes"`
	WriteBytes    uint64  `json:"write_bytes"`
}

// GeneratorUsage is what this process used in the measured window.
type GeneratorUsage struct {
	CPUSeconds float64 `json:"cpu_s"`
	Cores      float64 `json:"cores"`
	CPUMicros  float64 `json:"cpu_us_per_msg"`
}

// MachineUsage tells how noisy the machine was in the measured window.
type MachineUsage struct {
	OtherCores  float64 `json:"other_cores"` // used by neither the broker nor the generator
	StealCores  float64 `json:"steal_cores"` // kept from this virtual machine by its host
	LoadAverage float64 `json:"load_average"`
}

// rates computes the per-second figures from the counts and times.
func (r *Result) rates() {
	div := func(n uint64, s float64) float64 {
		if s <= 0 {
			return 0
		}
		return float64(n) / s
	}
	r.PublishedPerSec = div(r.Published, r.PublishSeconds)
	r.ConfirmedPerSec = div(r.Confirmed, r.PublishSeconds)
	r.ConsumedPerSec = div(r.Consumed, r.Seconds)
	r.OperationsPerSec = div(r.Operations, r.Seconds)
}

// Line is the result for people.
func (r *Result) Line() string {
	var b strings.Builder
	name := r.Scenario
	if r.Label != "" {
		name = r.Label
	}
	fmt.Fprintf(&b, "%-18s", name)
	if r.Target != "" {
		fmt.Fprintf(&b, " %-12s", r.Target)
	}
	if r.Error != "" {
		fmt.Fprintf(&b, " FAILED: %s", r.Error)
		return b.String()
	}
	rate := func(what string, v float64) {
		if v > 0 {
			fmt.Fprintf(&b, "  %s %s/s", what, Thousands(v))
		}
	}
	rate("published", r.PublishedPerSec)
	rate("confirmed", r.ConfirmedPerSec)
	rate("consumed", r.ConsumedPerSec)
	rate("operations", r.OperationsPerSec)
	for _, l := range []struct {
		name string
		s    *hist.Summary
	}{{"latency", r.Latency}, {"confirm", r.ConfirmLatency}, {"operation", r.OperationLatency}} {
		if l.s != nil {
			fmt.Fprintf(&b, "  %s p50 %.0f p95 %.0f p99 %.0f p99.9 %.0f max %.0f µs",
				l.name, l.s.P50, l.s.P95, l.s.P99, l.s.P999, l.s.Max)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(r.Extra)) {
		fmt.Fprintf(&b, "  %s %.4g", k, r.Extra[k])
	}
	if u := r.Broker; u != nil {
		const mib = 1 << 20
		fmt.Fprintf(&b, "  broker %.2f µs/msg %.2f cores rss %.0f (peak %.0f) MiB", u.CPUMicros, u.Cores,
			float64(u.RSS)/mib, float64(u.PeakRSS)/mib)
		if u.ReadBytes+u.WriteBytes > mib {
			fmt.Fprintf(&b, " disk r %.0f w %.0f MiB", float64(u.ReadBytes)/mib, float64(u.WriteBytes)/mib)
		}
	}
	fmt.Fprintf(&b, "  generator %.2f µs/msg %.2f cores", r.Generator.CPUMicros, r.Generator.Cores)
	if r.Machine.OtherCores > 0.05 || r.Machine.StealCores > 0.05 {
		fmt.Fprintf(&b, "  NOISE: others %.2f, steal %.2f cores", r.Machine.OtherCores, r.Machine.StealCores)
	}
	fmt.Fprintf(&b, "  (%.2f s)", r.Seconds)
	return b.String()
}

// Thousands formats a rate: a whole number with separators, or with decimals
// when it is small.
func Thousands(v float64) string {
	if v < 100 {
		return fmt.Sprintf("%.1f", v)
	}
	s := fmt.Sprintf("%.0f", v)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
