package exchange

import (
	"strconv"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/dedup"
)

// Arguments and headers of RabbitMQ's community plugin for deduplication.
const (
	cacheSizeArgument        = "x-cache-size"
	cacheTTLArgument         = "x-cache-ttl"
	cachePersistenceArgument = "x-cache-persistence"
	deduplicationHeader      = "x-deduplication-header"
)

// messageDeduplication is a fanout for messages whose header x-deduplication-header has not been seen lately (the
// community plugin rabbitmq-message-deduplication).
var messageDeduplication = &kind{
	name:  "x-message-deduplication",
	grain: perDestination,
	new:   func(string, Config) (routes, error) { return new(fanoutRoutes), nil },
}

// Deduplication is what makes an exchange pass each message on once: the arguments x-dedup-window and its like, or the
// type x-message-deduplication. Router.Duplicate keeps the books.
type Deduplication struct {
	dedup.Options
	// Plugin: as the community plugin. An identity counts from the publish on, whatever becomes of it; a duplicate is
	// unroutable, and an alternate exchange gets it; the header x-cache-ttl limits the time of a single one.
	Plugin bool
	// Volatile: a restart may forget all of it.
	Volatile bool
}

// Deduplication returns how the exchange deduplicates, if it does.
func (x *Exchange) Deduplication() (d Deduplication, ok bool) {
	if x.dedup == nil {
		return d, false
	}
	return *x.dedup, true
}

// deduplicationOf reads and checks the arguments of a declaration.
func deduplicationOf(vhost string, c Config) (*Deduplication, error) {
	for _, a := range []struct {
		name  string
		check func(any, amqp.Table) string
	}{
		{dedup.ArgWindow, dedup.CheckWindow},
		{dedup.ArgHeader, dedup.CheckHeader},
		{dedup.ArgDeadLetter, func(any, amqp.Table) string { return `"only queues dead-letter duplicates"` }},
	} {
		v, ok := c.Arguments.Get(a.name)
		if !ok {
			continue
		}
		reason := a.check(v, c.Arguments)
		if c.Type == messageDeduplication.name {
			reason = `"exchanges of this type have x-cache-size"`
		}
		if reason != "" {
			return nil, amqp.Errorf(amqp.PreconditionFailed, "invalid arg '%s' for %s: %s",
				a.name, amqp.Resource("exchange", c.Name, vhost), reason)
		}
	}
	if c.Type == messageDeduplication.name {
		return pluginDeduplication(c.Arguments)
	}
	if o, ok := dedup.Parse(c.Arguments); ok {
		return &Deduplication{Options: o}, nil
	}
	return nil, nil
}

func pluginDeduplication(args amqp.Table) (*Deduplication, error) {
	d := &Deduplication{Plugin: true, Volatile: true}
	d.Header = deduplicationHeader
	size, ok := positive(args, cacheSizeArgument)
	if !ok {
		return nil, amqp.Errorf(amqp.PreconditionFailed, "Missing or invalid argument, '%s' must be an integer greater than 0", cacheSizeArgument)
	}
	d.Count = int(size)
	if _, has := args.Get(cacheTTLArgument); has {
		if d.Span, ok = positive(args, cacheTTLArgument); !ok {
			return nil, amqp.Errorf(amqp.PreconditionFailed, "Invalid argument, '%s' must be an integer greater than 0", cacheTTLArgument)
		}
	}
	if v, has := args.Get(cachePersistenceArgument); has {
		if v != "disk" && v != "memory" {
			return nil, amqp.Errorf(amqp.PreconditionFailed, "Invalid argument, '%s' must be either 'disk' or 'memory'", cachePersistenceArgument)
		}
		d.Volatile = v != "disk"
	}
	return d, nil
}

// positive reads an integer above 0, which may be text.
func positive(args amqp.Table, name string) (n int64, ok bool) {
	v, _ := args.Get(name)
	if s, isString := v.(string); isString {
		n, err := strconv.ParseInt(s, 10, 64)
		return n, err == nil && n > 0
	}
	n, ok = amqp.Integer(v)
	return n, ok && n > 0
}

// MessageTTL is how many milliseconds a message itself wants to be remembered by an exchange of the plugin's type; 0 for
// as long as the exchange says.
func MessageTTL(p *amqp.Properties) int64 {
	v, ok := p.Headers.Get(cacheTTLArgument)
	if !ok {
		return 0
	}
	if n, ok := v.Int(); ok {
		return max(n, 0)
	}
	s, _ := v.String()
	n, err := strconv.ParseInt(string(s), 10, 64)
	if err != nil {
		return 0
	}
	return max(n, 0)
}
