package broker

import (
	"sync/atomic"

	"github.com/warren-mq/warren/queue"
)

// Strategies of dead-lettering, as RabbitMQ's metrics spell them. Disabled are deaths without a dead-letter exchange; one
// that is missing counts as none, unless it is waited for.
const (
	Disabled    = "disabled"
	AtMostOnce  = "at_most_once"
	AtLeastOnce = "at_least_once"
)

// DeadLettered counts dead letters by queue type, strategy and reason since the node started. What dies in a queue that
// has no dead-letter exchange is counted by the queue.
type DeadLettered struct {
	byType    [2][3]deathCounts // of classic and quorum queues
	Confirmed atomic.Uint64     // at least once: those that their targets have
}

// deathCounts are in the order of queue.Reasons.
type deathCounts [len(queue.Deaths{})]atomic.Uint64

// Add counts n dead letters.
func (d *DeadLettered) Add(queueType, strategy, reason string, n uint64) {
	for i, r := range queue.Reasons() {
		if r == reason {
			d.at(queueType, strategy)[i].Add(n)
		}
	}
}

// Of returns the counts for a queue type and a strategy.
func (d *DeadLettered) Of(queueType, strategy string) (counts queue.Deaths) {
	for i := range counts {
		counts[i] = d.at(queueType, strategy)[i].Load()
	}
	return counts
}

func (d *DeadLettered) at(queueType, strategy string) *deathCounts {
	t, s := 0, 0
	if queueType == "quorum" {
		t = 1
	}
	switch strategy {
	case AtMostOnce:
		s = 1
	case AtLeastOnce:
		s = 2
	}
	return &d.byType[t][s]
}
