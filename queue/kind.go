package queue

import (
	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/dedup"
)

// kind is a queue type, as x-queue-type names it.
type kind string

const (
	kindClassic kind = "classic"
	kindQuorum  kind = "quorum"
	// kindStream is known for its arguments only: they are refused where another type is asked for. To declare a
	// stream is refused.
	kindStream kind = "stream"
)

const argQueueType = "x-queue-type"

// kindOf returns the queue type that checked arguments ask for.
func kindOf(args amqp.Table) kind {
	if v, ok := args.Get(argQueueType); ok {
		if name, ok := v.(string); ok {
			return kind(name)
		}
	}
	return kindClassic
}

// module is how RabbitMQ names the type in error texts.
func (k kind) module() string { return "rabbit_" + string(k) + "_queue" }

// arguments lists the arguments of queue.declare that the type knows, in the order in which RabbitMQ 3.10.8 compares
// them at a re-declare.
func (k kind) arguments() []string {
	switch k {
	case kindClassic:
		return classicArguments
	case kindQuorum:
		return quorumArguments
	case kindStream:
		return streamArguments
	}
	return nil
}

var (
	classicArguments = []string{
		"x-expires", "x-message-ttl", "x-dead-letter-exchange", "x-dead-letter-routing-key", "x-max-length",
		"x-max-length-bytes", "x-max-priority", "x-overflow", "x-queue-mode", "x-queue-version",
		"x-single-active-consumer", "x-queue-type", "x-queue-master-locator", argDurability, argRateLimit, argRetry,
		argOrderingKey, argExactTTL,
		argDeduplication, dedup.ArgWindow, dedup.ArgHeader, dedup.ArgDeadLetter,
	}
	quorumArguments = []string{
		"x-dead-letter-exchange", "x-dead-letter-routing-key", "x-dead-letter-strategy", "x-expires", "x-max-length",
		"x-max-length-bytes", "x-max-in-memory-length", "x-max-in-memory-bytes", "x-overflow",
		"x-single-active-consumer", "x-queue-type", "x-quorum-initial-group-size", "x-delivery-limit",
		"x-message-ttl", "x-queue-leader-locator", argDurability, argRateLimit, argRetry, argDelayedRetry, argDelayedRetryMin,
		argDelayedRetryMax, argOrderingKey, argExactTTL, dedup.ArgWindow, dedup.ArgHeader, dedup.ArgDeadLetter,
	}
	streamArguments = []string{
		"x-max-length-bytes", "x-queue-type", "x-max-age", "x-stream-max-segment-size-bytes",
		"x-initial-cluster-size", "x-queue-leader-locator",
	}
)
