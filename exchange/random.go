package exchange

import (
	"math/rand/v2"

	"github.com/warren-mq/warren/amqp"
)

// random sends each message to one of its bindings, each as likely as any other; keys do not matter (RabbitMQ's plugin
// rabbitmq_random_exchange, 3.10.8). What is bound twice gets twice as much.
var random = &kind{
	name:  "x-random",
	grain: perBinding,
	new:   func(string, Config) (routes, error) { return new(randomRoutes), nil },
}

// localRandom is random among the classic queues of the publisher's node, here all that are bound (RabbitMQ 4.0 on).
var localRandom = &kind{
	name:         "x-local-random",
	grain:        perBinding,
	new:          func(string, Config) (routes, error) { return new(randomRoutes), nil },
	checkBinding: checkLocalRandom,
}

func checkLocalRandom(d Destination, key string, _ amqp.Table) error {
	if key != "" {
		return amqp.Errorf(amqp.PreconditionFailed, "Non empty binding '%s' key not permitted", key)
	}
	if d.Queue == nil {
		return amqp.Errorf(amqp.PreconditionFailed, "Destination not found")
	}
	if q, ok := d.Queue.(interface{ Type() string }); ok && q.Type() != "classic" {
		return amqp.Errorf(amqp.PreconditionFailed, "Queue type rabbit_%s_queue not valid for this exchange type", q.Type())
	}
	return nil
}

type randomRoutes struct {
	bound list[*Binding]
}

func (x *randomRoutes) bind(b *Binding)   { x.bound.add(b) }
func (x *randomRoutes) unbind(b *Binding) { x.bound.remove(b) }

func (x *randomRoutes) route(r *Router, _ *Message) {
	v := x.bound.view()
	if v == nil {
		return
	}
	at := rand.IntN(v.len()) // takes no lock
	r.takeOne(v.chunk(at / chunkLength)[at%chunkLength].Destination())
}
