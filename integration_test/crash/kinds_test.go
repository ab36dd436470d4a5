package crash_test

import (
	"strings"

	"github.com/warren-mq/warren/amqp"
)

// queueKind is what the number at the end of a script's queue stands for.
type queueKind struct {
	synced      bool // a confirm means that the disk has it, not only the operating system
	quorum      bool // keeps transient messages too
	priorities  bool
	deadLetters bool // what is rejected goes to the queue for dead letters
	forDead     bool // gets nothing else
}

var queueKinds = []queueKind{
	{synced: true},
	{},
	{synced: true, quorum: true},
	{synced: true, priorities: true},
	{synced: true, deadLetters: true},
	{synced: true, forDead: true},
}

// kindOfQueue tells it from the name; other queues than those of scripts are of the first kind.
func kindOfQueue(name string) *queueKind {
	n := 0
	if strings.HasPrefix(name, "script") {
		n = int(name[len(name)-1] - '0')
	}
	return &queueKinds[n]
}

// deadLetterQueue is where the dead letters of a queue go.
func deadLetterQueue(name string) string { return name[:len(name)-1] + "5" }

func (k *queueKind) arguments(name string) amqp.Table {
	switch {
	case k.quorum:
		return amqp.Table{{Name: "x-queue-type", Value: "quorum"}}
	case k.priorities:
		return amqp.Table{{Name: "x-max-priority", Value: int32(3)}}
	case k.deadLetters:
		return amqp.Table{{Name: "x-dead-letter-exchange", Value: ""}, {Name: "x-dead-letter-routing-key", Value: deadLetterQueue(name)}}
	case !k.synced:
		return amqp.Table{{Name: "x-durability", Value: "os"}}
	}
	return nil
}
