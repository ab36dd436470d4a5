package broker

import (
	"sync"

	"github.com/warren-mq/warren/schedule"
)

// Returner is somebody who gets a message back that proves unroutable only when it is due: basic.return goes to the
// channel that it came from, if that is still open. The server implements it.
type Returner interface {
	// Return is called from any goroutine. What it is given is valid during the call. It may not wait.
	Return(exchange, routingKey, properties, body []byte)
}

// returners are those who may get something back. A message carries the number of its returner, so that they cost nothing
// for each message, and numbers mean nothing after a restart, since channels do not outlive it. The zero value is ready.
type returners struct {
	mu   sync.Mutex
	all  map[uint64]Returner // guarded by mu
	last uint64              // guarded by mu
}

// originOf is the number of a returner, given when it is first asked for.
func (p *Publisher) originOf(r Returner) uint64 {
	if r == nil {
		return 0
	}
	if id, ok := p.origins[r]; ok {
		return id
	}
	b := p.session.broker
	b.returners.mu.Lock()
	b.returners.last++
	id := b.starts<<startShift | b.returners.last
	if b.returners.all == nil {
		b.returners.all = make(map[uint64]Returner)
	}
	b.returners.all[id] = r
	b.returners.mu.Unlock()
	if p.origins == nil {
		p.origins = make(map[Returner]uint64)
	}
	p.origins[r] = id
	return id
}

// Forget tells that a returner gets nothing any more: its channel is closed. A nil Publisher never had one.
func (p *Publisher) Forget(r Returner) {
	if p == nil {
		return
	}
	id, ok := p.origins[r]
	if !ok {
		return
	}
	delete(p.origins, r)
	b := p.session.broker
	b.returners.mu.Lock()
	delete(b.returners.all, id)
	b.returners.mu.Unlock()
}

// returnTo gives a message back to where it came from, if that is still there.
func (b *Broker) returnTo(origin uint64, m *schedule.Message) {
	b.returners.mu.Lock()
	r := b.returners.all[origin]
	b.returners.mu.Unlock()
	if r != nil {
		r.Return(m.Exchange, m.RoutingKey, m.Properties, m.Body)
	}
}
