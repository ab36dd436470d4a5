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
	if name == argQueueType && (!given || !stored) {
		// No type is the default type.
		given = given && received != string(kindClassic)
		stored = stored && current != string(kindClassic)
	}
	switch {
	case !given && !stored, given && stored && sameValue(received, current):
		return nil
	case !given:
		return q.inequivalent(name, "none", withType(current))
	case !stored:
		return q.inequivalent(name, withType(received), "none")
	}
	return q.inequivalent(name, quoted(received), quoted(current))
}

// sameValue compares arguments as RabbitMQ 3.10.8 does, which goes by the value and not by its tag: a string equals
// a byte array of the same octets, and a timestamp an integer.
func sameValue(a, b any) bool { return amqp.Equivalent(untag(a), untag(b)) }

func untag(v any) any {
	switch v := v.(type) {
	case amqp.Binary:
		return string(v)
	case amqp.Timestamp:
		return int64(v) // beyond 2^63 it equals what no integer tag can carry
	}
	return v
}

func (q *Queue) inequivalent(name, received, current string) error {
	return amqp.Errorf(amqp.PreconditionFailed, "inequivalent arg '%s' for %s: received %s but current is %s",
		name, q.resource(), received, current)
}

// quoted prints a value as RabbitMQ does where there is one on the other side too. Void counts as none.
func quoted(v any) string {
	if v == nil {
		return "none"
	}
	return "'" + erlangValue(v) + "'"
}

// withType prints a value as RabbitMQ does where there is none on the other side.
func withType(v any) string {
	return fmt.Sprintf("the value '%s' of type '%s'", erlangValue(v), amqp.TypeName(v))
}

// erlangValue prints strings as they are, and everything else as Erlang prints the term.
func erlangValue(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case amqp.Binary:
		return string(v)
	}
	return amqp.ErlangTerm(v)
}
