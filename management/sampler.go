package management

import (
	"context"
	"sync"
	"time"

	"github.com/warren-mq/warren/broker"
	"github.com/warren-mq/warren/exchange"
	"github.com/warren-mq/warren/queue"
)

// sampler looks at all counters of the broker every sampleInterval, so that there are rates. The counters themselves
// are read by the requests, not here. A round over 100,000 queues takes about 130 ms of one core (BenchmarkSample),
// mostly waiting for memory; requests need not wait for it, since the lock is taken anew for each object.
//
// mu is a leaf in the order of locks.
type sampler struct {
	broker *broker.Broker
	count  func(*tally) []uint64 // the counters of the node

	mu          sync.RWMutex // guards all below
	round       uint64
	at          time.Time // of the last round
	seconds     float64   // between the last two rounds; 0 before the second
	connections series[broker.Connection]
	channels    series[channelKey]
	queues      series[*broker.Queue]
	exchanges   series[*exchange.Exchange]
	vhosts      series[string]
	nodes       series[struct{}]
}

// channelKey names a channel. Its number may be used again on the same connection.
type channelKey struct {
	connection broker.Connection
	number     uint16
}

func newSampler(b *broker.Broker, count func(*tally) []uint64) *sampler {
	return &sampler{
		broker:      b,
		count:       count,
		connections: newSeries[broker.Connection](connectionWidth),
		channels:    newSeries[channelKey](messageWidth),
		queues:      newSeries[*broker.Queue](queueWidth),
		exchanges:   newSeries[*exchange.Exchange](exchangeWidth),
		vhosts:      newSeries[string](vhostWidth),
		nodes:       newSeries[struct{}](nodeWidth),
	}
}

// run samples until ctx ends.
func (s *sampler) run(ctx context.Context) {
	tick := time.NewTicker(sampleInterval)
	defer tick.Stop()
	for {
		s.sample(s.broker.Now())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// sample is one round. Only one runs at a time.
func (s *sampler) sample(now time.Time) {
	s.begin(now)
	var counters [maxWidth]uint64 // scratch
	tallies := survey(s.broker, visitor{
		queue: func(q *broker.Queue, st *queue.Stats) {
			record(s, &s.queues, q, queueCounters(counters[:0], st))
		},
		exchange: func(x *exchange.Exchange) {
			record(s, &s.exchanges, x, exchangeCounters(counters[:0], x))
		},
		connection: func(c broker.Connection, i *broker.ConnectionInfo) {
			record(s, &s.connections, c, append(counters[:0], i.ReceivedBytes, i.SentBytes))
		},
		channel: func(c broker.Connection, i *broker.ChannelInfo) {
			record(s, &s.channels, channelKey{c, i.Number}, messageCounters(counters[:0], &i.Stats))
		},
	})
	for name, t := range tallies {
		record(s, &s.vhosts, name, vhostCounters(counters[:0], t))
	}
	record(s, &s.nodes, struct{}{}, s.count(sum(tallies, everywhere)))
	s.sweep()
}

func (s *sampler) begin(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.round++; s.round > 1 {
		s.seconds = now.Sub(s.at).Seconds()
	}
	s.at = now
}

func record[K comparable](s *sampler, to *series[K], key K, counters []uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	to.record(key, counters, s.round, s.at)
}

func (s *sampler) sweep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connections.sweep(s.round)
	s.channels.sweep(s.round)
	s.queues.sweep(s.round)
	s.exchanges.sweep(s.round)
	s.vhosts.sweep(s.round)
	s.nodes.sweep(s.round)
}

func (s *sampler) connection(c broker.Connection) rates {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.connections.rates(c, s.seconds)
}

// channel returns the rates of a channel and when its counters changed last, about. The time is zero while nothing is
// known of it.
func (s *sampler) channel(c broker.Connection, number uint16) (r rates, changed time.Time) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	key := channelKey{c, number}
	return s.channels.rates(key, s.seconds), s.channels.changed(key)
}

// queue does so for a queue.
func (s *sampler) queue(q *broker.Queue) (r rates, changed time.Time) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.queues.rates(q, s.seconds), s.queues.changed(q)
}

// idleSince is since when an object has done nothing, if that is some time ago: zero while the last rounds saw it work,
// or did not see it.
func idleSince(changed, now time.Time) time.Time {
	if changed.IsZero() || now.Sub(changed) < 2*sampleInterval {
		return time.Time{}
	}
	return changed
}

func (s *sampler) exchange(x *exchange.Exchange) rates {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.exchanges.rates(x, s.seconds)
}

func (s *sampler) vhost(name string) rates {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.vhosts.rates(name, s.seconds)
}

func (s *sampler) node() rates {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.nodes.rates(struct{}{}, s.seconds)
}
