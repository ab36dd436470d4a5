package broker

import (
	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/auth"
	"github.com/warren-mq/warren/exchange"
)

// Kinds of a binding's destination, as RabbitMQ names resources.
const (
	kindQueue    = "queue"
	kindExchange = "exchange"
)

// BindQueue is queue.bind. Binding what is bound already changes nothing.
func (s *Session) BindQueue(queue, source, key string, args amqp.Table) error {
	return s.bind(kindQueue, queue, source, key, args)
}

// BindExchange is exchange.bind: messages of source flow to destination.
func (s *Session) BindExchange(destination, source, key string, args amqp.Table) error {
	return s.bind(kindExchange, destination, source, key, args)
}

// UnbindQueue is queue.unbind. What is not bound, or does not exist, is no error.
func (s *Session) UnbindQueue(queue, source, key string, args amqp.Table) error {
	return s.unbind(kindQueue, queue, source, key, args)
}

// UnbindExchange is exchange.unbind.
func (s *Session) UnbindExchange(destination, source, key string, args amqp.Table) error {
	return s.unbind(kindExchange, destination, source, key, args)
}

// mayBind makes the checks of both bind and unbind, in RabbitMQ's order.
func (s *Session) mayBind(kind, destination, source, key string) error {
	if err := s.check(auth.Write, kind, destination); err != nil {
		return err
	}
	if kind == kindExchange {
		if err := notDefault(destination); err != nil {
			return err
		}
	}
	if err := notDefault(source); err != nil {
		return err
	}
	if err := s.check(auth.Read, kindExchange, source); err != nil {
		return err
	}
	if x, ok := s.vhost.Exchange(source); ok {
		return s.checkTopic(auth.Read, x, key)
	}
	return nil
}

func (s *Session) bind(kind, destination, source, key string, args amqp.Table) error {
	destination, source = cleanName(destination), cleanName(source)
	if err := s.mayBind(kind, destination, source, key); err != nil {
		return err
	}
	given, err := s.addBinding(kind, destination, source, key, args)
	if err == nil {
		given.run(s.broker.nowMillis())
	}
	return err
}

// addBinding makes the binding, if it is a new one, and returns what the source gives to it.
func (s *Session) addBinding(kind, destination, source, key string, args amqp.Table) (given replay, err error) {
	vh := s.vhost
	vh.mu.Lock()
	defer vh.mu.Unlock()
	x, ok := vh.Exchange(source)
	if !ok {
		return given, s.noExchange(source)
	}
	to, err := s.destination(kind, destination)
	if err != nil {
		return given, err
	}
	if err := x.ValidateBinding(to, key, args); err != nil {
		return given, err
	}
	if to.Queue != nil {
		if err := s.mayAccess(to.Queue.(*Queue)); err != nil {
			return given, err
		}
	}
	if b := x.Find(to, key, args); b != nil {
		s.found(durableBinding(b))
		return given, nil
	}
	if given, err = vh.replayTo(x, to); err != nil {
		return given, err
	}
	x.Bind(to, key, args)
	b := x.Find(to, key, args)
	vh.noteSource(to, x)
	vh.putBinding(b)
	s.changed(durableBinding(b))
	vh.changed()
	return given, nil
}

// noteSource counts a new binding. vh.mu is held, or nobody knows the vhost yet.
func (vh *VHost) noteSource(to exchange.Destination, x *exchange.Exchange) {
	vh.sources[to] = vh.sources[to].plus(x, 1)
}

func (s *Session) unbind(kind, destination, source, key string, args amqp.Table) error {
	destination, source = cleanName(destination), cleanName(source)
	if err := s.mayBind(kind, destination, source, key); err != nil {
		return err
	}
	vh := s.vhost
	vh.mu.Lock()
	defer vh.mu.Unlock()
	s.found(true) // nothing is bound to or by what does not exist
	x, ok := vh.Exchange(source)
	if !ok {
		return nil
	}
	to, err := s.destination(kind, destination)
	if err != nil {
		return nil
	}
	b := x.Find(to, key, args)
	if b == nil {
		return nil
	}
	if to.Queue != nil {
		// Only an existing binding of somebody else's exclusive queue is refused (3.10.8).
		if err := s.mayAccess(to.Queue.(*Queue)); err != nil {
			return err
		}
	}
	x.Unbind(to, key, args)
	vh.unputBinding(b)
	s.changed(durableBinding(b))
	vh.forgetSource(to, x, 1)
	vh.unused(x)
	vh.changed()
	return nil
}

// destination finds what a binding leads to. vh.mu is held.
func (s *Session) destination(kind, name string) (exchange.Destination, error) {
	if kind == kindExchange {
		x, ok := s.vhost.Exchange(name)
		if !ok {
			return exchange.Destination{}, s.noExchange(name)
		}
		return exchange.Destination{Exchange: x}, nil
	}
	q, ok := s.vhost.Queue(name)
	if !ok {
		return exchange.Destination{}, s.noQueue(name)
	}
	return exchange.Destination{Queue: q}, nil
}

// forgetSource takes n bindings from x to a destination off the count. vh.mu is held.
func (vh *VHost) forgetSource(to exchange.Destination, x *exchange.Exchange, n int) {
	if from := vh.sources[to].plus(x, -n); from.none() {
		delete(vh.sources, to)
	} else {
		vh.sources[to] = from
	}
}

// removeDestination takes away all bindings that lead to a queue or exchange which is being deleted; exchanges that
// are left without bindings and want it are deleted too. vh.mu is held.
func (vh *VHost) removeDestination(to exchange.Destination) {
	from := vh.sources[to]
	delete(vh.sources, to)
	for x := range from.all() {
		for b := range x.BindingsTo(to) {
			vh.unputBinding(b)
		}
		x.UnbindAll(to)
	}
	for x := range from.all() {
		vh.unused(x)
	}
}

// unused deletes an auto-delete exchange that has just lost its last binding as a source. vh.mu is held.
func (vh *VHost) unused(x *exchange.Exchange) {
	if !x.AutoDelete() || x.BindingCount() > 0 {
		return
	}
	if current, ok := vh.Exchange(x.Name()); ok && current == x {
		vh.removeExchange(x)
	}
}

// Bindings lists what an exchange leads to, the default exchange's implicit bindings included.
func (vh *VHost) Bindings(x *exchange.Exchange) []*exchange.Binding {
	vh.mu.Lock()
	defer vh.mu.Unlock()
	var list []*exchange.Binding
	for b := range x.Bindings() {
		list = append(list, b)
	}
	return list
}

// BindingsTo lists the bindings that lead to a queue or exchange; for a queue the implicit one of the default
// exchange comes first.
func (vh *VHost) BindingsTo(to exchange.Destination) []*exchange.Binding {
	vh.mu.Lock()
	defer vh.mu.Unlock()
	var list []*exchange.Binding
	if to.Queue != nil {
		for b := range vh.fallback.BindingsTo(to) {
			list = append(list, b)
		}
	}
	for x := range vh.sources[to].all() {
		for b := range x.BindingsTo(to) {
			list = append(list, b)
		}
	}
	return list
}
