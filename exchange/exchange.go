package exchange

import (
	"maps"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/dedup"
)

// alternateArgument names the exchange that gets what this one cannot route (RabbitMQ: Alternate Exchanges).
const alternateArgument = "alternate-exchange"

// Config is what a client declares.
type Config struct {
	Name       string
	Type       string
	Durable    bool
	AutoDelete bool // goes with the last binding that it is the source of
	Internal   bool // refuses publishes: reached through bindings, as alternate or dead-letter exchange only
	Arguments  amqp.Table
	User       string // who declares it; for listings, never compared
}

// Predeclared are the exchanges that exist in every vhost from its creation on. The default exchange, whose name is
// empty, is a direct exchange to which the broker binds every queue with its name as key.
func Predeclared() []Config {
	return []Config{
		{Name: "", Type: "direct", Durable: true},
		{Name: "amq.direct", Type: "direct", Durable: true},
		{Name: "amq.fanout", Type: "fanout", Durable: true},
		{Name: "amq.headers", Type: "headers", Durable: true},
		{Name: "amq.match", Type: "headers", Durable: true},
		{Name: "amq.rabbitmq.trace", Type: "topic", Durable: true, Internal: true},
		{Name: "amq.topic", Type: "topic", Durable: true},
	}
}

// Exchange is a declared exchange with the bindings that it is the source of. The package comment says who may call
// what; what has no rule there is immutable and free for all.
type Exchange struct {
	config    Config
	vhost     string
	alternate string
	dedup     *Deduplication // nil if it does not
	kind      *kind
	holding   holding
	routes    routes
	bindings  bindings // guarded by the vhost's topology lock

	_ [64]byte // keeps the counters off the cache lines that routing reads

	PublishIn  atomic.Uint64 // messages published to the exchange by clients
	PublishOut atomic.Uint64 // copies of these messages that reached a queue
}

// New makes an exchange without bindings. An unknown type is a 503, an argument of the wrong type a 406 (RabbitMQ
// 3.10.8). The configuration belongs to the exchange from now on.
func New(vhost string, c Config) (*Exchange, error) {
	if err := CheckType(c.Type); err != nil {
		return nil, err
	}
	x := &Exchange{config: c, vhost: vhost}
	if v, ok := c.Arguments.Get(alternateArgument); ok {
		name, isString := v.(string)
		if !isString {
			return nil, amqp.Errorf(amqp.PreconditionFailed, "invalid type '%s' for arg '%s' in %s",
				amqp.TypeName(v), alternateArgument, amqp.Resource("exchange", c.Name, vhost))
		}
		x.alternate = name
	}
	var err error
	if x.kind, x.holding, err = resolve(vhost, c); err != nil {
		return nil, err
	}
	if x.dedup, err = deduplicationOf(vhost, c); err != nil {
		return nil, err
	}
	if x.routes, err = x.kind.new(vhost, c); err != nil {
		return nil, err
	}
	return x, nil
}

func (x *Exchange) Name() string          { return x.config.Name }
func (x *Exchange) Type() string          { return x.config.Type }
func (x *Exchange) VHost() string         { return x.vhost }
func (x *Exchange) Durable() bool         { return x.config.Durable }
func (x *Exchange) AutoDelete() bool      { return x.config.AutoDelete }
func (x *Exchange) Internal() bool        { return x.config.Internal }
func (x *Exchange) Arguments() amqp.Table { return x.config.Arguments }

// User is who declared the exchange; "" for the predeclared ones.
func (x *Exchange) User() string { return x.config.User }

// AlternateExchange returns the argument alternate-exchange, "" when there is none. The default exchange cannot be an
// alternate: RabbitMQ accepts the empty name and routes nothing.
func (x *Exchange) AlternateExchange() string { return x.alternate }

// Cacheable reports whether this exchange alone chooses destinations by routing key only. For what a whole route
// depends on, alternates and bound exchanges included, ask Router.Cacheable after it.
func (x *Exchange) Cacheable() bool {
	return x.kind.cacheable && x.holding == holdsNothing && x.dedup == nil
}

// Equivalent checks that a declaration asks for what exists; the first difference in RabbitMQ's order is a 406.
// Of the arguments alternate-exchange is compared (RabbitMQ 3.10.8), and Warren's own.
func (x *Exchange) Equivalent(c Config) error {
	switch current := &x.config; {
	case c.Type != current.Type:
		return x.inequivalent("type", quoted(c.Type), quoted(current.Type))
	case c.Durable != current.Durable:
		return x.inequivalent("durable", quoted(c.Durable), quoted(current.Durable))
	case c.AutoDelete != current.AutoDelete:
		return x.inequivalent("auto_delete", quoted(c.AutoDelete), quoted(current.AutoDelete))
	case c.Internal != current.Internal:
		return x.inequivalent("internal", quoted(c.Internal), quoted(current.Internal))
	}
	for _, name := range [...]string{alternateArgument, delayedArgument, dedup.ArgWindow, dedup.ArgHeader} {
		if err := x.equivalentArgument(c.Arguments, name); err != nil {
			return err
		}
	}
	return nil
}

// equivalentArgument compares one argument. Two present values are shown bare, a value against none with its type.
func (x *Exchange) equivalentArgument(received amqp.Table, name string) error {
	r, isReceived := received.Get(name)
	c, isCurrent := x.config.Arguments.Get(name)
	switch {
	case !isReceived && !isCurrent:
		return nil
	case isReceived && isCurrent:
		if amqp.Equivalent(r, c) {
			return nil
		}
		return x.inequivalent(name, quoted(r), quoted(c))
	case isReceived:
		return x.inequivalent(name, typed(r), "none")
	}
	return x.inequivalent(name, "none", typed(c))
}

func (x *Exchange) inequivalent(arg, received, current string) error {
	return amqp.Errorf(amqp.PreconditionFailed, "inequivalent arg '%s' for %s: received %s but current is %s",
		arg, amqp.Resource("exchange", x.config.Name, x.vhost), received, current)
}

// quoted shows void as none.
func quoted(v any) string {
	if v == nil {
		return "none"
	}
	return "'" + plain(v) + "'"
}

func typed(v any) string { return "the value '" + plain(v) + "' of type '" + amqp.TypeName(v) + "'" }

// plain prints a value as RabbitMQ does inside quotes: strings as they are, all else as an Erlang term.
func plain(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case amqp.Binary:
		return string(v)
	case bool:
		return strconv.FormatBool(v)
	}
	return term(v)
}

func sortedNames(kinds map[string]*kind) []string { return slices.Sorted(maps.Keys(kinds)) }
