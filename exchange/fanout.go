package exchange

// fanout sends a message to everything that is bound, whatever the keys (spec 3.1.3.2).
var fanout = &kind{
	name:      "fanout",
	grain:     perDestination,
	cacheable: true,
	new:       func(string, Config) (routes, error) { return new(fanoutRoutes), nil },
}

type fanoutRoutes struct {
	bound targets
}

func (x *fanoutRoutes) bind(b *Binding)             { x.bound.add(&b.end.target) }
func (x *fanoutRoutes) unbind(b *Binding)           { x.bound.remove(&b.end.target) }
func (x *fanoutRoutes) route(r *Router, _ *Message) { r.take(&x.bound) }
