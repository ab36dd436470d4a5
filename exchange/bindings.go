package exchange

import (
	"hash/maphash"
	"iter"
	"math/bits"
	"slices"

	"github.com/warren-mq/warren/amqp"
)

// bindings are the books of one exchange: who is bound how. Only changes and listings read them, never routing; all of
// it is guarded by the vhost's topology lock.
type bindings struct {
	byIdentity    pointers[Binding]
	byDestination pointers[end]
	all           []*Binding // for listings: stable while nothing changes

	// withArguments counts, for destination and key (identity without arguments), the bindings that have arguments.
	// Hardly any do, so that finding out whether a binding is the first or last of its key costs nothing usually.
	withArguments map[identity]int
}

// end is where bindings of one exchange lead to, and which they are. There is none without bindings.
type end struct {
	target
	bindings []*Binding
}

// identity is what makes a binding the same as another of the same source.
type identity struct {
	destination Destination
	key         string
	arguments   string // as on the wire, sorted
}

func (b *Binding) identity() identity { return identity{b.end.Destination, b.RoutingKey, b.wire()} }

// place is where a set of pointers looks for what is the same.
func (id *identity) place() uint64 {
	h := maphash.String(seed, id.key) ^ bits.RotateLeft64(placeOfName(id.destination), 16)
	if id.arguments != "" {
		h ^= bits.RotateLeft64(maphash.String(seed, id.arguments), 32)
	}
	return h
}

func placeOfName(d Destination) uint64 { return maphash.String(seed, d.Name()) }

func placeOfBinding(b *Binding) uint64 {
	id := b.identity()
	return id.place()
}

func placeOfEnd(e *end) uint64 { return placeOfName(e.Destination) }

// find returns the binding of an identity, nil if there is none.
func (s *bindings) find(id identity) *Binding {
	for b := range s.byIdentity.at(id.place()) {
		if b.identity() == id {
			return b
		}
	}
	return nil
}

// to returns what is bound to d, nil if nothing is.
func (s *bindings) to(d Destination) *end {
	for e := range s.byDestination.at(placeOfName(d)) {
		if e.Destination == d {
			return e
		}
	}
	return nil
}

// boundTo lists the bindings to d.
func (s *bindings) boundTo(d Destination) []*Binding {
	if e := s.to(d); e != nil {
		return e.bindings
	}
	return nil
}

// add makes a binding; it returns nil when there was such a binding already.
func (s *bindings) add(source *Exchange, id identity, args amqp.Table) *Binding {
	if s.find(id) != nil {
		return nil
	}
	e := s.to(id.destination)
	if e == nil {
		e = &end{target: target{Destination: id.destination}}
		s.byDestination.add(e, placeOfEnd)
	}
	b := &Binding{Source: source, RoutingKey: id.key, end: e, at: len(s.all), atEnd: len(e.bindings)}
	if id.arguments != "" {
		b.arguments = &bindingArguments{args, id.arguments}
		if s.withArguments == nil {
			s.withArguments = make(map[identity]int)
		}
		id.arguments = ""
		s.withArguments[id]++
	}
	e.bindings = append(e.bindings, b)
	s.all = append(s.all, b)
	s.byIdentity.add(b, placeOfBinding)
	return b
}

// remove takes b out, which is there.
func (s *bindings) remove(b *Binding) {
	s.byIdentity.remove(b, placeOfBinding)

	last := len(s.all) - 1
	s.all[b.at] = s.all[last]
	s.all[b.at].at = b.at
	s.all[last] = nil
	s.all = s.all[:last]

	e := b.end
	last = len(e.bindings) - 1
	e.bindings[b.atEnd] = e.bindings[last]
	e.bindings[b.atEnd].atEnd = b.atEnd
	e.bindings[last] = nil
	e.bindings = e.bindings[:last]
	if last == 0 {
		s.byDestination.remove(e, placeOfEnd)
	}

	if id := b.identity(); id.arguments != "" {
		id.arguments = ""
		if s.withArguments[id]--; s.withArguments[id] == 0 {
			delete(s.withArguments, id)
		}
	}
}

// alike counts the bindings that a type of the given grain cannot tell from b, b included if it is in the books.
func (s *bindings) alike(b *Binding, g grain) int {
	id := b.identity()
	switch g {
	case perDestination:
		return len(s.boundTo(id.destination))
	case perKey:
		id.arguments = ""
		n := s.withArguments[id]
		if s.find(id) != nil {
			n++
		}
		return n
	}
	if s.find(id) != nil {
		return 1
	}
	return 0
}

// ValidateBinding refuses a destination, key or arguments that the type of the exchange cannot use, with RabbitMQ's 406.
func (x *Exchange) ValidateBinding(d Destination, key string, args amqp.Table) error {
	if x.kind.checkBinding == nil {
		return nil
	}
	return x.kind.checkBinding(d, key, args)
}

// Bind adds a binding, which ValidateBinding has passed, and reports whether it is a new one. The arguments must not
// change any more.
func (x *Exchange) Bind(d Destination, key string, args amqp.Table) (added bool) {
	sorted, wire := canonical(args)
	b := x.bindings.add(x, identity{d, key, wire}, sorted)
	if b == nil {
		return false
	}
	if x.bindings.alike(b, x.kind.grain) == 1 {
		x.routes.bind(b)
	}
	return true
}

// Unbind removes the binding with exactly these attributes and reports whether there was one. When it returns, no
// Route that begins later uses the binding.
func (x *Exchange) Unbind(d Destination, key string, args amqp.Table) (removed bool) {
	b := x.Find(d, key, args)
	if b == nil {
		return false
	}
	x.unbind(b)
	return true
}

// UnbindAll removes all bindings to d, which is being deleted, and returns how many there were. It costs what these
// bindings cost, however many others there are.
func (x *Exchange) UnbindAll(d Destination) int {
	peers := x.bindings.boundTo(d)
	n := len(peers)
	for i := n - 1; i >= 0; i-- {
		x.unbind(peers[i])
	}
	return n
}

func (x *Exchange) unbind(b *Binding) {
	x.bindings.remove(b)
	if x.bindings.alike(b, x.kind.grain) == 0 {
		x.routes.unbind(b)
	}
}

// Bindings yields all bindings that x is the source of, in an order that stays while nothing changes. The loop's body
// must not change them.
func (x *Exchange) Bindings() iter.Seq[*Binding] { return slices.Values(x.bindings.all) }

// BindingsTo yields the bindings from x to d. The loop's body must not change them.
func (x *Exchange) BindingsTo(d Destination) iter.Seq[*Binding] {
	return slices.Values(x.bindings.boundTo(d))
}

// BindingCount returns how many bindings x is the source of. An auto-delete exchange goes when it falls to 0.
func (x *Exchange) BindingCount() int { return len(x.bindings.all) }

// Find returns the binding with exactly these attributes, nil if there is none.
func (x *Exchange) Find(d Destination, key string, args amqp.Table) *Binding {
	_, wire := canonical(args)
	return x.bindings.find(identity{d, key, wire})
}
