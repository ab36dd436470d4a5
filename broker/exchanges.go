package broker

import (
	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/auth"
	"github.com/warren-mq/warren/exchange"
)

// DeclareExchange is exchange.declare without passive: it creates the exchange, or checks that the one that exists
// is the same in type, durability, auto-delete, internal and alternate exchange.
func (s *Session) DeclareExchange(c exchange.Config) error {
	if err := exchange.CheckType(c.Type); err != nil {
		return err
	}
	c.Name, c.User = cleanName(c.Name), s.user.Name
	if err := notDefault(c.Name); err != nil {
		return err
	}
	if err := s.check(auth.Configure, "exchange", c.Name); err != nil {
		return err
	}
	vh := s.vhost
	if x, ok := vh.Exchange(c.Name); ok {
		s.found(x.Durable())
		return x.Equivalent(c)
	}
	x, err := s.newExchange(c)
	if err != nil {
		return err
	}
	vh.mu.Lock()
	defer vh.mu.Unlock()
	if rival, ok := vh.Exchange(c.Name); ok { // declared by somebody else meanwhile
		s.found(rival.Durable())
		return rival.Equivalent(c)
	}
	vh.delay(x)
	vh.exchanges.add(c.Name, x)
	vh.putExchange(x)
	vh.deduplicateExchange(x, false)
	s.changed(x.Durable())
	vh.changed()
	return nil
}

// newExchange makes the checks that are only made for an exchange that does not exist yet.
func (s *Session) newExchange(c exchange.Config) (*exchange.Exchange, error) {
	if reserved(c.Name) {
		return nil, amqp.Errorf(amqp.AccessRefused, "exchange name '%s' contains reserved prefix 'amq.*'", c.Name)
	}
	x, err := exchange.New(s.vhost.name, c)
	if err != nil {
		return nil, err
	}
	if alternate := x.AlternateExchange(); alternate != "" {
		if err := s.check(auth.Read, "exchange", c.Name); err != nil {
			return nil, err
		}
		if err := s.check(auth.Write, "exchange", alternate); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// CheckExchange is exchange.declare with passive: only existence counts, and no permission is needed.
func (s *Session) CheckExchange(name string) error {
	name = cleanName(name)
	if err := notDefault(name); err != nil {
		return err
	}
	if _, ok := s.vhost.Exchange(name); !ok {
		return s.noExchange(name)
	}
	return nil
}

// DeleteExchange is exchange.delete. An exchange that does not exist is no error.
func (s *Session) DeleteExchange(name string, ifUnused bool) error {
	name = cleanName(name)
	if err := notDefault(name); err != nil {
		return err
	}
	if reserved(name) {
		return amqp.Errorf(amqp.AccessRefused, "deletion of system %s not allowed", s.vhost.resource("exchange", name))
	}
	if err := s.check(auth.Configure, "exchange", name); err != nil {
		return err
	}
	vh := s.vhost
	vh.mu.Lock()
	defer vh.mu.Unlock()
	x, ok := vh.Exchange(name)
	if !ok {
		s.found(true)
		return nil
	}
	if ifUnused && x.BindingCount() > 0 {
		return amqp.Errorf(amqp.PreconditionFailed, "%s in use", vh.resource("exchange", name))
	}
	vh.removeExchange(x)
	s.changed(x.Durable())
	return nil
}

// removeExchange forgets an exchange and its bindings in both roles. vh.mu is held.
func (vh *VHost) removeExchange(x *exchange.Exchange) {
	vh.exchanges.remove(x.Name())
	vh.histories.Delete(x)
	vh.undelay(x)
	if d := vh.windowOfExchange(x); d != nil {
		vh.deduplications.Delete(x)
		vh.forget(kindExchange, x.Name(), d)
	}
	vh.unputExchange(x)
	for b := range x.Bindings() {
		vh.unputBinding(b)
		vh.forgetSource(b.Destination(), x, 1)
	}
	vh.removeDestination(exchange.Destination{Exchange: x})
	vh.changed()
}

func (s *Session) noExchange(name string) error {
	return amqp.Errorf(amqp.NotFound, "no %s", s.vhost.resource("exchange", name))
}

// notDefault refuses what is not possible with the default exchange.
func notDefault(name string) error {
	if name == "" {
		return amqp.Errorf(amqp.AccessRefused, "operation not permitted on the default exchange")
	}
	return nil
}
