package load

import (
	"cmp"
	"time"
)

// fairness is the latency of a slow publisher, the probe, while another
// connection publishes as fast as it can and a third one consumes that. The
// result is the probe's; what the others reached is among its extras.
func fairness(o *Options, res *Result) error {
	rush := *o
	rush.Scenario, rush.Rate, rush.Size, rush.Pids = o.Scenario+".rush", 0, rushSize, nil
	rush.Duration = o.Warmup + o.Duration + 2*rushEdge
	rush.Warmup = 0
	var rushed Result
	done := make(chan error)
	go func() { done <- messaging(&rush, direct(&rush), pubSub, &rushed) }()

	time.Sleep(rushEdge)
	err := messaging(o, direct(o), pubSub, res)
	rushErr := <-done // ends by its own duration, stall or timeout
	rushed.rates()
	res.extra("rush_consumed_per_s", rushed.ConsumedPerSec)
	return cmp.Or(err, rushErr)
}

const (
	rushSize = 1024
	// rushEdge is how much earlier the rush begins than the probe, and at
	// least how much later it ends.
	rushEdge = 300 * time.Millisecond
)
