package exchange

// direct sends a message to the queues that are bound with one of its routing keys, compared byte by byte (spec 3.1.3.1).
var direct = &kind{
	name:      "direct",
	grain:     perKey,
	cacheable: true,
	new:       func(string, Config) (routes, error) { return new(directRoutes), nil },
}

type directRoutes struct {
	keys index[*targets]
}

func (x *directRoutes) bind(b *Binding) {
	t, ok := x.keys.get(b.RoutingKey)
	if !ok {
		t = new(targets)
		t.add(b.Destination)
		x.keys.add(b.RoutingKey, t)
		return
	}
	t.add(b.Destination)
}

func (x *directRoutes) unbind(b *Binding) {
	t, _ := x.keys.get(b.RoutingKey)
	t.remove(b.Destination)
	if t.empty() {
		x.keys.remove(b.RoutingKey)
	}
}

func (x *directRoutes) route(r *Router, m *Message) {
	if t, ok := x.keys.find(hashOf(m.RoutingKey), m.RoutingKey); ok {
		r.take(t)
	}
	for _, key := range m.ExtraKeys {
		if t, ok := x.keys.find(hashOf(key), key); ok {
			r.take(t)
		}
	}
}
