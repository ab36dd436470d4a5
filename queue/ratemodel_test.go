package queue_test

import (
	"fmt"
	"math/rand/v2"
)

// modelRate is a token bucket that is filled each millisecond.
type modelRate struct {
	rate, period, burst int64 // rate in period milliseconds
	tokens, filled      int64 // period make a token
}

func newModelRate(rng *rand.Rand) *modelRate {
	r := &modelRate{rate: 1 + rng.Int64N(4), period: []int64{1000, 60_000}[rng.IntN(2)], burst: 1 + rng.Int64N(4)}
	if r.period == 60_000 {
		r.rate *= 60
	}
	r.fill()
	return r
}

func (r *modelRate) String() string {
	unit := map[int64]string{1000: "s", 60_000: "m"}[r.period]
	return fmt.Sprintf("%d/%s burst %d", r.rate, unit, r.burst)
}

func (r *modelRate) fill() { r.tokens, r.filled = r.burst*r.period, 0 }

// capacity has room for what comes in the millisecond in which a token is complete.
func (r *modelRate) capacity() int64 { return max(r.burst*r.period, r.period+r.rate) }

func (r *modelRate) has(now int64) bool {
	if r.filled == 0 {
		r.filled = now
	}
	for ; r.filled < now; r.filled++ {
		r.tokens = min(r.tokens+r.rate, r.capacity())
	}
	return r.tokens >= r.period
}

// next is when there is a token.
func (r *modelRate) next(now int64) int64 {
	later := *r
	for now--; !later.has(now); now++ {
	}
	return max(now, r.filled+1)
}
