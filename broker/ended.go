package broker

import (
	"maps"
	"sync"

	"github.com/warren-mq/warren/queue"
)

// EndedCounts are what connections, channels and queues that are gone have counted.
type EndedCounts struct {
	Messages                   ChannelStats
	ReceivedBytes, SentBytes   uint64
	ReceivedFrames, SentFrames uint64
	Queues                     map[string]queue.Stats // by type; counters only. Not to be changed
}

// Add adds up.
func (s *ChannelStats) Add(o ChannelStats) {
	s.Published += o.Published
	s.Confirmed += o.Confirmed
	s.ReturnedUnroutable += o.ReturnedUnroutable
	s.DroppedUnroutable += o.DroppedUnroutable
	s.Delivered += o.Delivered
	s.DeliveredNoAck += o.DeliveredNoAck
	s.Got += o.Got
	s.GotNoAck += o.GotNoAck
	s.GotEmpty += o.GotEmpty
	s.Redelivered += o.Redelivered
	s.Acked += o.Acked
}

// ended keeps the counts of what is gone, so that sums over a vhost never go down. The zero value is ready.
type ended struct {
	mu     sync.Mutex
	vhosts map[string]*EndedCounts // guarded by mu
}

func (e *ended) ofLocked(vhost string) *EndedCounts {
	c := e.vhosts[vhost]
	if c == nil {
		if e.vhosts == nil {
			e.vhosts = make(map[string]*EndedCounts)
		}
		c = new(EndedCounts)
		e.vhosts[vhost] = c
	}
	return c
}

// ChannelEnded keeps the counts of a channel. The server calls it once the channel is no longer listed, so that nobody
// counts it twice.
func (b *Broker) ChannelEnded(vhost string, s ChannelStats) {
	b.ended.mu.Lock()
	defer b.ended.mu.Unlock()
	b.ended.ofLocked(vhost).Messages.Add(s)
}

// connectionEnded keeps the traffic of a connection that is no longer listed.
func (b *Broker) connectionEnded(c Connection) {
	i := c.Info()
	b.ended.mu.Lock()
	defer b.ended.mu.Unlock()
	e := b.ended.ofLocked(i.VHost)
	e.ReceivedBytes += i.ReceivedBytes
	e.SentBytes += i.SentBytes
	e.ReceivedFrames += i.ReceivedFrames
	e.SentFrames += i.SentFrames
}

// queueEnded keeps the counters of a deleted queue.
func (b *Broker) queueEnded(q *Queue) {
	s := q.Stats().Counters()
	b.ended.mu.Lock()
	defer b.ended.mu.Unlock()
	e := b.ended.ofLocked(q.vhost.name)
	e.Queues = maps.Clone(e.Queues) // Ended hands out the old one
	if e.Queues == nil {
		e.Queues = make(map[string]queue.Stats)
	}
	sum := e.Queues[q.Type()]
	sum.Add(s)
	e.Queues[q.Type()] = sum
}

// Ended returns what connections, channels and queues counted in a vhost that are gone. Whoever adds up asks for it before the
// lists of those that live: what ends in between is missing for a moment, and never counted twice.
func (b *Broker) Ended(vhost string) EndedCounts {
	b.ended.mu.Lock()
	defer b.ended.mu.Unlock()
	if c := b.ended.vhosts[vhost]; c != nil {
		return *c
	}
	return EndedCounts{}
}
