package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/warren-mq/warren/integration_test/bench/internal/hist"
	"github.com/warren-mq/warren/integration_test/bench/internal/load"
)

// column is one figure of a result table.
type column struct {
	title string
	value func(r *load.Result) float64 // 0: the run has no such figure
	print func(v float64) string
	ratio bool // show it relative to the baseline as well
}

func plain(v float64) string { return load.Thousands(v) }
func two(v float64) string   { return fmt.Sprintf("%.2f", v) }
func mib(v float64) string   { return fmt.Sprintf("%.0f", v/(1<<20)) }

// micros prints microseconds with three significant digits or so.
func micros(v float64) string {
	switch {
	case v < 1:
		return fmt.Sprintf("%.3f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return plain(v)
}

func broker(f func(b *load.BrokerUsage) float64) func(*load.Result) float64 {
	return func(r *load.Result) float64 {
		if r.Broker == nil {
			return 0
		}
		return f(r.Broker)
	}
}

func quantile(which func(*load.Result) *hist.Summary, f func(*hist.Summary) float64) func(*load.Result) float64 {
	return func(r *load.Result) float64 {
		if s := which(r); s != nil {
			return f(s)
		}
		return 0
	}
}

func extra(name string) func(*load.Result) float64 {
	return func(r *load.Result) float64 { return r.Extra[name] }
}

var (
	delivery  = func(r *load.Result) *hist.Summary { return r.Latency }
	confirm   = func(r *load.Result) *hist.Summary { return r.ConfirmLatency }
	operation = func(r *load.Result) *hist.Summary { return r.OperationLatency }
)

// columns of the tables. One that is empty for a case is left out.
var columns = []column{
	{"published/s", func(r *load.Result) float64 { return r.PublishedPerSec }, plain, true},
	{"consumed/s", func(r *load.Result) float64 { return r.ConsumedPerSec }, plain, true},
	{"operations/s", func(r *load.Result) float64 { return r.OperationsPerSec }, plain, true},
	{"declares/s", extra("declares_per_s"), plain, false},
	{"binds/s", extra("binds_per_s"), plain, false},
	{"deletes/s", extra("deletes_per_s"), plain, false},
	{"connects/s", extra("connects_per_s"), plain, false},
	{"KiB RSS/connection", extra("rss_kib_per_connection"), plain, true},
	{"KiB RSS/queue", extra("rss_kib_per_queue"), two, true},
	{"KiB RSS/bound queue", extra("rss_kib_per_bound_queue"), two, false},
	{"connect s", extra("connect_s"), two, false},
	{"waiting", extra("waiting"), plain, false},
	{"ready s", extra("ready_s"), two, true},
	{"p50 µs", quantile(delivery, func(s *hist.Summary) float64 { return s.P50 }), micros, true},
	{"p95", quantile(delivery, func(s *hist.Summary) float64 { return s.P95 }), micros, false},
	{"p99", quantile(delivery, func(s *hist.Summary) float64 { return s.P99 }), micros, true},
	{"p99.9", quantile(delivery, func(s *hist.Summary) float64 { return s.P999 }), micros, false},
	{"max", quantile(delivery, func(s *hist.Summary) float64 { return s.Max }), micros, false},
	{"confirm p50 µs", quantile(confirm, func(s *hist.Summary) float64 { return s.P50 }), micros, false},
	{"confirm p99", quantile(confirm, func(s *hist.Summary) float64 { return s.P99 }), micros, false},
	{"op p50 µs", quantile(operation, func(s *hist.Summary) float64 { return s.P50 }), micros, false},
	{"op p99", quantile(operation, func(s *hist.Summary) float64 { return s.P99 }), micros, false},
	{"CPU µs/msg", broker(func(b *load.BrokerUsage) float64 { return b.CPUMicros }), micros, true},
	{"cores", broker(func(b *load.BrokerUsage) float64 { return b.Cores }), two, false},
	{"peak RSS MiB", broker(func(b *load.BrokerUsage) float64 { return float64(b.PeakRSS) }), mib, false},
	{"end RSS MiB", broker(func(b *load.BrokerUsage) float64 { return float64(b.RSS) }), mib, false},
	{"disk w MiB", broker(func(b *load.BrokerUsage) float64 { return float64(b.WriteBytes) }), mib, false},
	{"generator cores", func(r *load.Result) float64 { return r.Generator.Cores }, two, false},
}

// mainColumn picks the column whose spread is shown: deliveries, where there are
// any, because a broker may take messages faster than it hands them on.
func mainColumn(cols []column) column {
	for _, c := range cols {
		if c.title == "consumed/s" {
			return c
		}
	}
	return cols[0]
}

// report prints one Markdown table for each case: the median of each figure
// for each target, in brackets its ratio to the baseline's median, then the
// smallest and largest value of the main figure, and the noise.
func report(w io.Writer, results []*load.Result, baseline string) error {
	for _, label := range distinct(results, func(r *load.Result) string { return r.Label }) {
		of := func(target string) []*load.Result {
			return filter(results, func(r *load.Result) bool { return r.Label == label && r.Target == target })
		}
		targets := distinct(filter(results, func(r *load.Result) bool { return r.Label == label }),
			func(r *load.Result) string { return r.Target })
		cols := slices.DeleteFunc(slices.Clone(columns), func(c column) bool {
			return !slices.ContainsFunc(targets, func(t string) bool { return slices.Max(values(of(t), c)) > 0 })
		})
		if len(cols) == 0 {
			cols = columns[:1]
		}
		main := mainColumn(cols)
		fmt.Fprintf(w, "\n### %s\n\n| broker |", label)
		for _, c := range cols {
			fmt.Fprintf(w, " %s |", c.title)
		}
		fmt.Fprintf(w, " spread of %s | others |\n|---|%s---:|---:|\n", main.title, strings.Repeat("---:|", len(cols)))
		for _, t := range targets {
			all := of(t)
			good := filter(all, func(r *load.Result) bool { return r.Error == "" })
			fmt.Fprintf(w, "| %s |", t)
			if len(good) == 0 {
				text := all[0].Error
				if len(text) > 120 {
					text = text[:120] + "…"
				}
				fmt.Fprintf(w, " failed: %s |%s\n", strings.ReplaceAll(text, "|", "/"), strings.Repeat(" |", len(cols)+1))
				continue
			}
			for _, c := range cols {
				v := median(values(good, c))
				if v == 0 {
					fmt.Fprint(w, " |")
					continue
				}
				fmt.Fprintf(w, " %s", c.print(v))
				base := median(values(filter(of(baseline), func(r *load.Result) bool { return r.Error == "" }), c))
				if c.ratio && t != baseline && base > 0 {
					fmt.Fprintf(w, " (×%.2f)", v/base)
				}
				fmt.Fprint(w, " |")
			}
			v := values(good, main)
			others := median(values(good, column{value: func(r *load.Result) float64 { return r.Machine.OtherCores }}))
			fmt.Fprintf(w, " %s..%s", main.print(slices.Min(v)), main.print(slices.Max(v)))
			if bad := len(all) - len(good); bad > 0 {
				fmt.Fprintf(w, " (%d of %d runs failed)", bad, len(all))
			}
			fmt.Fprintf(w, " | %.2f |\n", others)
		}
	}
	return nil
}

func values(rs []*load.Result, c column) []float64 {
	v := []float64{}
	for _, r := range rs {
		v = append(v, c.value(r))
	}
	if len(v) == 0 {
		v = append(v, 0)
	}
	return v
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

func distinct(rs []*load.Result, key func(*load.Result) string) (keys []string) {
	for _, r := range rs {
		if k := key(r); !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	return keys
}

func filter(rs []*load.Result, keep func(*load.Result) bool) (kept []*load.Result) {
	for _, r := range rs {
		if keep(r) {
			kept = append(kept, r)
		}
	}
	return kept
}
