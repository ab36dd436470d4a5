package queue

import (
	"fmt"

	"github.com/warren-mq/warren/amqp"
)

// Equivalent compares the queue with what a re-declare asks for: durable, auto-delete, then each argument that the
// queue's type knows. An exclusive declare is transient whatever it says. Whose the queue is, is checked before,
// by the caller.
//
// Errors are 406 'inequivalent arg', with RabbitMQ 3.10.8's texts.
func (q *Queue) Equivalent(c Config) error {
	if err := q.equivalentBool("durable", c.Durable && !c.Exclusive, q.durable); err != nil {
		return err
	}
	if err := q.equivalentBool("auto_delete", c.AutoDelete, q.autoDelete); err != nil {
		return err
	}
	for _, name := range q.kind.arguments() {
		if err := q.equivalentArgument(name, c.Arguments); err != nil {
			return err
		}
	}
	return nil
}

func (q *Queue) equivalentBool(name string, received, current bool) error {
	if received == current {
		return nil
	}
	return q.inequivalent(name, fmt.Sprintf("'%t'", received), fmt.Sprintf("'%t'", current))
}

func (q *Queue) equivalentArgument(name string, args amqp.Table) error {
	received, given := args.Get(name)
	current, stored := q.arguments.Get(name)
	if name == argQueueType {
		// No type is the default type.
		if !given {
			received, given = string(kindClassic), true
		}
		if !stored {
			current, stored = string(kindClassic), true
		}
	}
	switch {
	case !given && !stored, given && stored && amqp.Equivalent(received, current):
		return nil
	case !given:
		return q.inequivalent(name, "none", withType(current))
	case !stored:
		return q.inequivalent(name, withType(received), "none")
	}
	return q.inequivalent(name, withType(received), withType(current))
}

func (q *Queue) inequivalent(name, received, current string) error {
	return amqp.Errorf(amqp.PreconditionFailed, "inequivalent arg '%s' for %s: received %s but current is %s",
		name, q.resource(), received, current)
}

// withType prints a value as RabbitMQ does where the types differ.
func withType(v any) string {
	return fmt.Sprintf("the value '%v' of type '%s'", v, amqp.TypeName(v))
}
