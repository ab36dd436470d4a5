package exchange

import (
	"github.com/warren-mq/warren/amqp"
)

// kind describes an exchange type.
type kind struct {
	name string

	// grain tells which bindings the type wants to hear of.
	grain grain

	// cacheable: where a message goes depends on its routing key alone, not on properties, chance or history.
	cacheable bool

	// new makes the routes of one exchange. It refuses arguments of the declaration that the type cannot use.
	new func(vhost string, c Config) (routes, error)

	// checkBinding refuses a destination, routing key or arguments that the type cannot use; nil when it takes any.
	checkBinding func(d Destination, key string, args amqp.Table) error
}

// kinds are the exchange types that clients can ask for.
var kinds = kindsByName(direct, fanout, topic, headers,
	consistentHash, modulusHash, random, localRandom, recentHistory, messageDeduplication, &kind{name: delayedMessage})

func kindsByName(list ...*kind) map[string]*kind {
	byName := make(map[string]*kind, len(list))
	for _, k := range list {
		byName[k.name] = k
	}
	return byName
}

// grain is what tells two bindings of an exchange apart for its type. Of several bindings that are alike to the type,
// only the first reaches it, and only the removal of the last: types need not count.
type grain uint8

const (
	perDestination grain = iota // neither routing key nor arguments matter
	perKey                      // arguments do not matter
	perBinding                  // every binding matters
)

// routes is what an exchange type keeps of the bindings of one exchange. bind and unbind are called by one writer at a
// time; route is called by any number of goroutines meanwhile.
type routes interface {
	bind(b *Binding)
	unbind(b *Binding)

	// route hands the destinations of m to r.take or r.takeOne, in any order, duplicates allowed.
	route(r *Router, m *Message)
}

// CheckType refuses the name of an unknown exchange type with 503, as RabbitMQ 3.10.8 does before it looks at anything
// else in an exchange.declare.
func CheckType(name string) error {
	if kinds[name] == nil {
		if name == "" {
			// RabbitMQ says so of names that its runtime knows for something else; the empty one always is.
			return amqp.Errorf(amqp.CommandInvalid, "invalid exchange type ''")
		}
		return amqp.Errorf(amqp.CommandInvalid, "unknown exchange type '%s'", name)
	}
	return nil
}

// Types returns the names of all exchange types, sorted.
func Types() []string { return sortedNames(kinds) }
