package queue

import "github.com/warren-mq/warren/amqp"

// Durability is what a confirm of a persistent message in a durable queue means. Stricter values are greater.
type Durability uint8

const (
	// NotDurable is what everything else is: nothing was promised.
	NotDurable Durability = iota
	// InMemory promises nothing either: the message is written all the same, and confirmed before.
	InMemory
	// Written promises that the operating system has the message: it survives the broker's crash, not the machine's.
	Written
	// Synced promises that the message is on disk. It is the default.
	Synced
)

const argDurability = "x-durability"

var durabilities = map[string]Durability{"memory": InMemory, "os": Written, "fsync": Synced}

// ParseDurability reads a value of x-durability. Everything unknown is NotDurable.
func ParseDurability(name string) Durability { return durabilities[name] }

// checkDurability checks x-durability, an argument of Warren's own.
func checkDurability(v any, args amqp.Table) string {
	if reason := checkString(v, args); reason != "" {
		return reason
	}
	switch name := v.(string); {
	case durabilities[name] == NotDurable:
		return erlangString("unsupported durability '" + name + "'")
	case kindOf(args) == kindQuorum && durabilities[name] != Synced:
		return erlangString("unsupported durability '" + name + "' of a quorum queue")
	}
	return ""
}

// Durability is what a confirm of a persistent message means here, if the queue is durable.
func (q *Queue) Durability() Durability { return q.durability }

// Keeps reports whether a message in this queue outlives the broker.
func (q *Queue) Keeps(m *Message) bool { return q.durable && (m.Persistent || q.kind == kindQuorum) }

// durabilityOf is what the queue's arguments say or, without a word there, what is usual. Quorum queues know one only.
func durabilityOf(k kind, args amqp.Table, usual Durability) Durability {
	if k == kindQuorum || usual == NotDurable {
		usual = Synced
	}
	if name, ok := text(args, argDurability); ok {
		return ParseDurability(name)
	}
	return usual
}
