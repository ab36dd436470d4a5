package exchange

// direct sends a message to the queues that are bound with one of its routing keys, compared byte by byte (spec 3.1.3.1).
var direct = &kind{
	name:      "direct",
	grain:     perKey,
	cacheable: true,
	new:       func(string, Config) (routes, error) { return new(directRoutes), nil },
}

// directRoutes has a node for each key, in one word.
type directRoutes struct {
	keys index
}

func (x *directRoutes) bind(b *Binding) {
	n := x.keys.get(b.RoutingKey)
	if n == nil {
		n = &node{word: b.RoutingKey}
		n.targets.add(&b.end.target)
		x.keys.add(n)
		return
	}
	n.targets.add(&b.end.target)
}

func (x *directRoutes) unbind(b *Binding) {
	n := x.keys.get(b.RoutingKey)
	n.targets.remove(&b.end.target)
	if n.targets.empty() {
		x.keys.remove(n)
	}
}

func (x *directRoutes) route(r *Router, m *Message) {
	x.match(r, m.RoutingKey)
	for _, key := range m.ExtraKeys {
		x.match(r, key)
	}
}

func (x *directRoutes) match(r *Router, key []byte) {
	if n := x.keys.find(&word{bytes: key}); n != nil {
		r.take(&n.targets)
	}
}
