package main

import (
	"fmt"
	"strings"

	"github.com/warren-mq/warren/cmd/warren/load"
)

// progressLine is what is printed for an interval.
func progressLine(i *load.Interval) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%6.1f s  published %9.0f/s", i.Seconds, i.Rates.Published)
	if i.Confirm != nil || i.Counts.Confirmed > 0 {
		fmt.Fprintf(&b, "  confirmed %9.0f/s", i.Rates.Confirmed)
	}
	fmt.Fprintf(&b, "  received %9.0f/s", i.Rates.Received)
	if l := i.Latency; l != nil {
		fmt.Fprintf(&b, "  latency p50 %s p99 %s", lasting(l.P50), lasting(l.P99))
	}
	if l := i.Confirm; l != nil {
		fmt.Fprintf(&b, "  confirm p50 %s p99 %s", lasting(l.P50), lasting(l.P99))
	}
	if n := i.Counts.Refused; n > 0 {
		fmt.Fprintf(&b, "  refused %d", n)
	}
	if n := i.Counts.Returned; n > 0 {
		fmt.Fprintf(&b, "  returned %d", n)
	}
	if i.Blocked > 0 {
		fmt.Fprintf(&b, "  %d connections blocked by the broker", i.Blocked)
	}
	if i.WarmUp {
		b.WriteString("  (warm-up)")
	}
	return b.String()
}

// summary is the whole run for people.
func summary(r *load.Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nmeasured for %.1f s\n\n", benchTitle(r), r.Seconds)
	fmt.Fprintf(&b, "published %12d  %10.0f/s\n", r.Counts.Published, r.Rates.Published)
	if r.Settings.Confirm > 0 {
		fmt.Fprintf(&b, "confirmed %12d  %10.0f/s\n", r.Counts.Confirmed, r.Rates.Confirmed)
	}
	if r.Counts.Refused > 0 {
		fmt.Fprintf(&b, "refused   %12d\n", r.Counts.Refused)
	}
	if r.Counts.Returned > 0 {
		fmt.Fprintf(&b, "returned  %12d\n", r.Counts.Returned)
	}
	fmt.Fprintf(&b, "received  %12d  %10.0f/s\n", r.Counts.Received, r.Rates.Received)
	if r.Counts.Redelivered > 0 {
		fmt.Fprintf(&b, "redelivered %10d\n", r.Counts.Redelivered)
	}
	row := func(name string, l *load.Latency) {
		if l == nil {
			return
		}
		fmt.Fprintf(&b, "%-12s", name)
		for _, us := range []int64{l.Min, l.P50, l.P75, l.P95, l.P99, l.P999, l.Max} {
			fmt.Fprintf(&b, "%11s", lasting(us))
		}
		b.WriteByte('\n')
	}
	if r.Latency != nil || r.Confirm != nil {
		fmt.Fprintf(&b, "\n%-12s%11s%11s%11s%11s%11s%11s%11s\n", "", "least", "p50", "p75", "p95", "p99", "p99.9", "most")
	}
	row("to delivery", r.Latency)
	row("to confirm", r.Confirm)
	return b.String()
}

// benchTitle is a run in a few words.
func benchTitle(r *load.Result) string {
	s, words := &r.Settings, []string{}
	add := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	add("%d producers, %d consumers, %d queues, %d B", s.Producers, s.Consumers, s.Queues, s.Size)
	if s.Rate > 0 {
		add("%g/s each", s.Rate)
	}
	if s.Persistent {
		add("persistent")
	}
	if s.Confirm > 0 {
		add("confirms (window %d)", s.Confirm)
	}
	switch {
	case s.AutoAck:
		add("automatic ack")
	case s.Consumers > 0:
		add("prefetch %d, an ack for every %d", s.Prefetch, s.AckEvery)
	}
	return strings.Join(words, ", ")
}

// lasting prints µs, in ten characters or less up to an hour.
func lasting(us int64) string {
	if us >= 10_000_000 {
		return fmt.Sprintf("%.2f s", float64(us)/1e6)
	}
	return fmt.Sprintf("%.2f ms", float64(us)/1e3)
}
