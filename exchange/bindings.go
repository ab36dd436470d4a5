package exchange

import (
	"iter"
	"slices"

	"github.com/warren-mq/warren/amqp"
)

// bindings are the books of one exchange: who is bound how. Only changes and listings read them, never routing; all of
// it is guarded by the vhost's topology lock.
type bindings struct {
	byIdentity    map[identity]*Binding
	byDestination map[Destination][]*Binding
	all           []*Binding // for listings: stable while nothing changes

	// withArguments counts, for destination and key (identity without arguments), the bindings that have arguments.
	// Hardly any do, so that finding out whether a binding is the first or last of its key costs nothing usually.
	withArguments map[identity]int
}

// add reports false when there was such a binding already.
func (s *bindings) add(b *Binding) bool {
	if s.byIdentity == nil {
		s.byIdentity = make(map[identity]*Binding)
		s.byDestination = make(map[Destination][]*Binding)
		s.withArguments = make(map[identity]int)
	}
	id := b.identity()
	if s.byIdentity[id] != nil {
		return false
	}
	s.byIdentity[id] = b
	b.at = len(s.all)
	s.all = append(s.all, b)
	peers := s.byDestination[b.Destination]
	b.atPeer = len(peers)
	s.byDestination[b.Destination] = append(peers, b)
	if id.arguments != "" {
		id.arguments = ""
		s.withArguments[id]++
	}
	return true
}

// remove takes b out, which is there.
func (s *bindings) remove(b *Binding) {
	id := b.identity()
	delete(s.byIdentity, id)

	last := len(s.all) - 1
	s.all[b.at] = s.all[last]
	s.all[b.at].at = b.at
	s.all[last] = nil
	s.all = s.all[:last]

	peers := s.byDestination[b.Destination]
	last = len(peers) - 1
	peers[b.atPeer] = peers[last]
	peers[b.atPeer].atPeer = b.atPeer
	peers[last] = nil
	if last == 0 {
		delete(s.byDestination, b.Destination)
	} else {
		s.byDestination[b.Destination] = peers[:last]
	}

	if id.arguments != "" {
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
		return len(s.byDestination[b.Destination])
	case perKey:
		id.arguments = ""
		n := s.withArguments[id]
		if s.byIdentity[id] != nil {
			n++
		}
		return n
	}
	if s.byIdentity[id] != nil {
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
	b := newBinding(x, d, key, args)
	if !x.bindings.add(b) {
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
	_, wire := canonical(args)
	b := x.bindings.byIdentity[identity{d, key, wire}]
	if b == nil {
		return false
	}
	x.unbind(b)
	return true
}

// UnbindAll removes all bindings to d, which is being deleted, and returns how many there were. It costs what these
// bindings cost, however many others there are.
func (x *Exchange) UnbindAll(d Destination) int {
	peers := x.bindings.byDestination[d]
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
	return slices.Values(x.bindings.byDestination[d])
}

// BindingCount returns how many bindings x is the source of. An auto-delete exchange goes when it falls to 0.
func (x *Exchange) BindingCount() int { return len(x.bindings.all) }

// Find returns the binding with exactly these attributes, nil if there is none.
func (x *Exchange) Find(d Destination, key string, args amqp.Table) *Binding {
	_, wire := canonical(args)
	return x.bindings.byIdentity[identity{d, key, wire}]
}
