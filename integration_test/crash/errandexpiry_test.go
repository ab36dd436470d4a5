package crash_test

import (
	"fmt"
	"time"
)

// lateness is how long after its time an errand that has expired may still arrive at a consumer: this machine may be busy,
// and what the broker has sent is under way.
const lateness = time.Second

// briefLife is how long an errand of errandBrief lives. Some live for ever (0) and some for an hour, so that what stands
// behind them expires first.
func briefLife(number int) time.Duration {
	switch number % 8 {
	case 0:
		return 0
	case 1:
		return time.Hour
	}
	return time.Duration(1+number*7919%2500) * time.Millisecond
}

// checkExpiryLocked judges an errand that may expire: one that has expired comes to no consumer, and no other one dies.
// deliver has judged already that it did not die early.
func (e *errands) checkExpiryLocked(x *errand, queue string, at time.Time) error {
	switch {
	case queue == errandExpired && briefLife(x.number) == 0:
		return fmt.Errorf("errand %d has expired, which lives for ever", x.number)
	case queue == errandBrief && !x.lapsed.IsZero() && at.Sub(x.lapsed) > lateness:
		return fmt.Errorf("errand %d comes %s after it has expired", x.number, at.Sub(x.lapsed))
	}
	return nil
}

// late counts the errands that have expired and are not known to be dead.
func (e *errands) late() (n int, example string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	for _, x := range e.list[errandBrief] {
		if !x.done && !x.lapsed.IsZero() && now.After(x.lapsed) {
			n, example = n+1, fmt.Sprintf("%+v", *x)
		}
	}
	return n, example
}
