package load

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Rates are per second.
type Rates struct {
	Published float64 `json:"published"`
	Confirmed float64 `json:"confirmed"`
	Received  float64 `json:"received"`
}

// Interval is what happened between two reports of progress.
type Interval struct {
	Seconds float64  `json:"seconds"` // its end, since the beginning of the run
	WarmUp  bool     `json:"warmup,omitempty"`
	Counts  Counts   `json:"counts"`
	Rates   Rates    `json:"rates"`
	Latency *Latency `json:"latency_us"`         // from publish to delivery; nil if nothing was measured
	Confirm *Latency `json:"confirm_latency_us"` // from publish to confirm; likewise
	Blocked int      `json:"blocked"`            // connections that the broker held back at its end
}

// Result is what a run has measured. Its warm-up is only in the intervals.
type Result struct {
	Started   time.Time  `json:"started"`
	Settings  Settings   `json:"settings"`
	Seconds   float64    `json:"seconds"` // measured
	Counts    Counts     `json:"counts"`
	Rates     Rates      `json:"rates"`
	Latency   *Latency   `json:"latency_us"`
	Confirm   *Latency   `json:"confirm_latency_us"`
	Intervals []Interval `json:"intervals"`

	warmUp, from, last time.Duration // from: when the measurement began; last: the end of the last interval
	latency, confirm   *hdrhistogram.Histogram
}

// Settings are the part of the options that explain the figures.
type Settings struct {
	Producers  int            `json:"producers"`
	Consumers  int            `json:"consumers"`
	Queues     int            `json:"queues"`
	Exchange   string         `json:"exchange"`
	Arguments  map[string]any `json:"arguments,omitempty"`
	Size       int            `json:"size"`
	Rate       float64        `json:"rate"`
	TakeRate   float64        `json:"consumer_rate"`
	Persistent bool           `json:"persistent"`
	Confirm    int            `json:"confirm"`
	AutoAck    bool           `json:"auto_ack"`
	Prefetch   int            `json:"prefetch"`
	AckEvery   int            `json:"ack_every"`
}

func newResult(o *Options, start time.Time) *Result {
	return &Result{
		Started: start,
		Settings: Settings{
			Producers: o.Producers, Consumers: o.Consumers, Queues: o.Queues, Exchange: o.Exchange, Arguments: o.Arguments,
			Size: o.Size, Rate: o.Rate, TakeRate: o.TakeRate, Persistent: o.Persistent, Confirm: o.Window,
			AutoAck: o.AutoAck, Prefetch: o.Prefetch, AckEvery: o.AckEvery,
		},
		warmUp:  o.WarmUp,
		latency: newHistogram(), confirm: newHistogram(),
	}
}

// sample is what was noted in an interval.
type sample struct {
	at               time.Duration // its end
	counts           Counts
	latency, confirm *hdrhistogram.Histogram
	blocked          int
}

// add takes an interval into the result. One that began in the warm-up is not measured.
func (r *Result) add(s sample) Interval {
	span := s.at - r.last
	i := Interval{
		Seconds: s.at.Seconds(), WarmUp: r.last < r.warmUp,
		Counts: s.counts, Rates: s.counts.per(span, span),
		Latency: latencyOf(s.latency), Confirm: latencyOf(s.confirm), Blocked: s.blocked,
	}
	if i.WarmUp {
		r.from = s.at
	} else {
		r.Counts.add(s.counts)
		r.latency.Merge(s.latency)
		r.confirm.Merge(s.confirm)
	}
	r.last = s.at
	r.Intervals = append(r.Intervals, i)
	return i
}

// end takes the last interval and sums up. published and received are when the last message was; 0 if they are not
// known, since the run was cut short.
func (r *Result) end(s sample, published, received time.Duration) {
	if s.counts != (Counts{}) || len(r.Intervals) == 0 {
		r.add(s)
	}
	if published <= r.from {
		published = s.at
	}
	if received <= r.from {
		received = s.at
	}
	r.Seconds = (max(published, received) - r.from).Seconds()
	r.Rates = r.Counts.per(published-r.from, received-r.from)
	r.Latency, r.Confirm = latencyOf(r.latency), latencyOf(r.confirm)
}

// per divides the counts by the time that publishing and receiving took.
func (c *Counts) per(publishing, receiving time.Duration) Rates {
	rate := func(n int64, d time.Duration) float64 {
		if d <= 0 {
			return 0
		}
		return float64(n) / d.Seconds()
	}
	return Rates{rate(c.Published, publishing), rate(c.Confirmed, publishing), rate(c.Received, receiving)}
}
