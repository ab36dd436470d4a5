package exchange

import (
	"cmp"
	"slices"
	"sync/atomic"
)

// modulusHash sends each message to the binding whose number is the hash of its routing keys modulo the count of
// bindings; their own keys do not matter (RabbitMQ's plugin rabbitmq_sharding, 3.10.8).
var modulusHash = &kind{
	name:  "x-modulus-hash",
	grain: perBinding,
	new:   func(string, Config) (routes, error) { return new(modulusHashRoutes), nil },
}

// modulusHashRoutes keeps bindings sorted, so that a key leads to the same one whatever the order of binding was, that
// after a restart included. A change copies all of them.
type modulusHashRoutes struct {
	sorted atomic.Pointer[[]*Binding] // what it points to is immutable
}

func byKeyAndDestination(a, b *Binding) int {
	return cmp.Or(
		cmp.Compare(a.RoutingKey, b.RoutingKey),
		cmp.Compare(hashOfDestination(a.Destination()), hashOfDestination(b.Destination())),
		cmp.Compare(a.Destination().Name(), b.Destination().Name()),
		cmp.Compare(a.wire(), b.wire()),
	)
}

func (x *modulusHashRoutes) bind(b *Binding) {
	var old []*Binding
	if p := x.sorted.Load(); p != nil {
		old = *p
	}
	at, _ := slices.BinarySearchFunc(old, b, byKeyAndDestination)
	next := slices.Insert(slices.Clip(slices.Clone(old)), at, b)
	x.sorted.Store(&next)
}

func (x *modulusHashRoutes) unbind(b *Binding) {
	old := *x.sorted.Load()
	at := slices.Index(old, b)
	next := slices.Delete(slices.Clone(old), at, at+1)
	x.sorted.Store(&next)
}

func (x *modulusHashRoutes) route(r *Router, m *Message) {
	p := x.sorted.Load()
	if p == nil || len(*p) == 0 {
		return
	}
	n := emptyHash.keys(m).mix() % uint64(len(*p))
	r.takeOne((*p)[n].Destination())
}
