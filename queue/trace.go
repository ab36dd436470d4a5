package queue

import "bytes"

// Trace is a delivery that somebody wants to see a copy of. It owns its bytes.
type Trace struct {
	Consumer    Consumer
	Message     Message
	Redelivered bool
}

// SetTraced makes the queue report its deliveries in Effects.Traces, or no longer.
func (q *Queue) SetTraced(on bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mu.traced = on
}

// trace notes that d was delivered to c.
func (fx *Effects) trace(d *Delivery, c Consumer) {
	m := *d.Message
	for _, view := range []*[]byte{&m.Exchange, &m.RoutingKey, &m.Properties, &m.Body, &m.Hidden} {
		*view = bytes.Clone(*view)
	}
	fx.Traces = append(fx.Traces, Trace{Consumer: c, Message: m, Redelivered: d.Redelivered})
}
