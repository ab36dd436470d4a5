package queue

import (
	"slices"

	"github.com/warren-mq/warren/amqp"
)

// CheckArguments checks the arguments and properties of a queue that is about to be made, with RabbitMQ 3.10.8's
// texts, in its order: a server-named queue of a type that has none, x-queue-type, the values of the arguments that
// the type knows, arguments that only other types know, and last the properties that the type refuses. What no type
// knows passes. A re-declare is not checked but compared, see Equivalent.
//
// All errors are 406.
func CheckArguments(name, vhost string, durable, exclusive, autoDelete, serverNamed bool, args amqp.Table) error {
	resource := amqp.Resource("queue", name, vhost)
	kind := kindOf(args)
	if serverNamed && (kind == kindQuorum || kind == kindStream) {
		return amqp.Errorf(amqp.PreconditionFailed, "Cannot declare a server-named queue for type %s", kind.module())
	}
	if v, ok := args.Get("x-dead-letter-exchange"); ok {
		if _, ok := v.(string); !ok {
			return amqp.Errorf(amqp.PreconditionFailed,
				"invalid type '%s' for arg 'x-dead-letter-exchange' in %s", amqp.TypeName(v), resource)
		}
	}
	if err := checkValue(resource, argQueueType, checkQueueType, args); err != nil {
		return err
	}
	known := kind.arguments()
	for _, a := range declareArguments {
		if slices.Contains(known, a.name) {
			if err := checkValue(resource, a.name, a.check, args); err != nil {
				return err
			}
		}
	}
	for _, a := range args {
		if slices.Contains(known, a.Name) {
			continue
		}
		if slices.Contains(classicArguments, a.Name) || slices.Contains(quorumArguments, a.Name) ||
			slices.Contains(streamArguments, a.Name) {
			return amqp.Errorf(amqp.PreconditionFailed,
				"invalid arg '%s' for %s of queue type %s", a.Name, resource, kind.module())
		}
	}
	return checkProperties(resource, kind, durable, exclusive, autoDelete)
}

// checkProperties refuses what a quorum queue cannot be.
func checkProperties(resource string, k kind, durable, exclusive, autoDelete bool) error {
	if k != kindQuorum {
		return nil
	}
	property := ""
	switch {
	case autoDelete:
		property = "auto-delete"
	case exclusive:
		property = "exclusive-owner"
	case !durable:
		property = "non-durable"
	default:
		return nil
	}
	return amqp.Errorf(amqp.PreconditionFailed, "invalid property '%s' for %s", property, resource)
}

// checkValue checks one argument, if it is there.
func checkValue(resource, name string, check argumentCheck, args amqp.Table) error {
	v, ok := args.Get(name)
	if !ok {
		return nil
	}
	if reason := check(v, args); reason != "" {
		return amqp.Errorf(amqp.PreconditionFailed, "invalid arg '%s' for %s: %s", name, resource, reason)
	}
	return nil
}

// checkConsumeArguments checks the arguments of basic.consume and returns the consumer's priority.
func (q *Queue) checkConsumeArguments(args amqp.Table) (priority int64, err error) {
	if err := checkValue(q.resource(), "x-priority", checkInteger, args); err != nil {
		return 0, err
	}
	if err := checkValue(q.resource(), argRateLimit, checkRateLimit, args); err != nil {
		return 0, err
	}
	if q.kind == kindClassic {
		if err := checkValue(q.resource(), "x-cancel-on-ha-failover", checkBool, args); err != nil {
			return 0, err
		}
	}
	for _, a := range args {
		if a.Name == "x-stream-offset" || a.Name == "x-cancel-on-ha-failover" && q.kind != kindClassic {
			return 0, amqp.Errorf(amqp.PreconditionFailed,
				"invalid arg '%s' for %s of queue type %s", a.Name, q.resource(), q.kind.module())
		}
	}
	v, _ := args.Get("x-priority")
	priority, _ = amqp.Integer(v)
	return priority, nil
}
