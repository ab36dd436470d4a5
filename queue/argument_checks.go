package queue

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/dedup"
)

// An argumentCheck returns why a value is refused, as RabbitMQ 3.10.8 prints it, or nothing if it is not. Quoted
// reasons and braces are Erlang terms.
type argumentCheck func(v any, args amqp.Table) (reason string)

// declareArguments are the checks in RabbitMQ's order. An argument without a check (x-delivery-limit) takes any value.
var declareArguments = []struct {
	name  string
	check argumentCheck
}{
	{"x-expires", checkExpires},
	{"x-message-ttl", checkMessageTTL},
	{"x-dead-letter-exchange", checkString},
	{"x-dead-letter-routing-key", checkDeadLetterRoutingKey},
	{"x-dead-letter-strategy", oneOf("invalid_dlx_strategy", "at-most-once", "at-least-once")},
	{"x-max-length", checkNotNegative},
	{"x-max-length-bytes", checkNotNegative},
	{"x-max-in-memory-length", checkNotNegative},
	{"x-max-in-memory-bytes", checkNotNegative},
	{"x-max-priority", checkMaxPriority},
	{"x-overflow", oneOf("invalid_overflow", "drop-head", "reject-publish", "reject-publish-dlx")},
	{"x-queue-mode", checkQueueMode},
	{"x-queue-version", checkQueueVersion},
	{"x-single-active-consumer", checkBool},
	{"x-quorum-initial-group-size", checkPositive},
	{"x-queue-master-locator", checkString}, // 3.10.8 crashes (541) over what is no string
	{"x-queue-leader-locator", oneOf("invalid_queue_locator_arg", "client-local", "balanced", "random", "least-leaders")},
	{argDurability, checkDurability},
	{argRateLimit, checkRateLimit},
	{argRetry, checkRetry},
	{argDelayedRetry, checkDelayedRetry},
	{argDelayedRetryMin, checkMessageTTL},
	{argDelayedRetryMax, checkDelayedRetryMax},
	{argOrderingKey, checkOrderingKey},
	{argExactTTL, checkBool},
	{argDeduplication, checkBool},
	{dedup.ArgWindow, dedup.CheckWindow},
	{dedup.ArgHeader, dedup.CheckHeader},
	{dedup.ArgDeadLetter, dedup.CheckDeadLetter},
}

// maxMillis is the longest time RabbitMQ takes: ten years of 365 days, in milliseconds.
const maxMillis = 315_360_000_000

func checkInteger(v any, _ amqp.Table) string {
	if _, ok := amqp.Integer(v); !ok {
		return `"expected integer, got ` + amqp.TypeName(v) + `"`
	}
	return ""
}

func checkNotNegative(v any, args amqp.Table) string {
	if reason := checkInteger(v, args); reason != "" {
		return reason
	}
	if n, _ := amqp.Integer(v); n < 0 {
		return fmt.Sprintf("{value_negative,%d}", n)
	}
	return ""
}

func checkPositive(v any, args amqp.Table) string {
	if n, ok := amqp.Integer(v); ok && n == 0 {
		return "{value_zero,0}"
	}
	return checkNotNegative(v, args)
}

func checkMessageTTL(v any, args amqp.Table) string {
	if reason := checkNotNegative(v, args); reason != "" {
		return reason
	}
	if n, _ := amqp.Integer(v); n > maxMillis {
		return fmt.Sprintf("{value_too_large,%d}", n)
	}
	return ""
}

func checkExpires(v any, args amqp.Table) string {
	if n, ok := amqp.Integer(v); ok && n == 0 {
		return "{value_zero,0}"
	}
	return checkMessageTTL(v, args)
}

func checkMaxPriority(v any, args amqp.Table) string {
	if reason := checkNotNegative(v, args); reason != "" {
		return reason
	}
	if n, _ := amqp.Integer(v); n > 255 {
		return fmt.Sprintf("{max_value_exceeded,%d}", n)
	}
	return ""
}

func checkString(v any, _ amqp.Table) string {
	if _, ok := v.(string); !ok {
		return unacceptable(v)
	}
	return ""
}

func checkBool(v any, _ amqp.Table) string {
	if _, ok := v.(bool); !ok {
		return unacceptable(v)
	}
	return ""
}

func checkDeadLetterRoutingKey(v any, args amqp.Table) string {
	if reason := checkString(v, args); reason != "" {
		return reason
	}
	if _, ok := args.Get("x-dead-letter-exchange"); !ok {
		return "routing_key_but_no_dlx_defined"
	}
	if n := len(v.(string)); n > maxRoutingKey {
		return erlangString(fmt.Sprintf("a routing key has at most %d bytes, this one %d", maxRoutingKey, n))
	}
	return ""
}

func checkQueueType(v any, args amqp.Table) string {
	if reason := checkString(v, args); reason != "" {
		return reason
	}
	if name := v.(string); kind(name) != kindClassic && kind(name) != kindQuorum {
		return erlangString("unsupported queue type '" + name + "'")
	}
	return ""
}

func checkQueueMode(v any, args amqp.Table) string {
	if reason := checkString(v, args); reason != "" {
		return reason
	}
	if mode := v.(string); mode != "default" && mode != "lazy" {
		return erlangString("unsupported queue mode '" + mode + "'")
	}
	return ""
}

func checkQueueVersion(v any, args amqp.Table) string {
	if reason := checkNotNegative(v, args); reason != "" {
		return reason
	}
	if n, _ := amqp.Integer(v); n != 1 && n != 2 {
		return erlangString("unsupported queue version '" + strconv.FormatInt(n, 10) + "'")
	}
	return ""
}

// oneOf refuses strings other than the given ones with a reason.
func oneOf(reason string, values ...string) argumentCheck {
	return func(v any, _ amqp.Table) string {
		s, ok := v.(string)
		switch {
		case !ok:
			return unacceptable(v)
		case !slices.Contains(values, s):
			return reason
		}
		return ""
	}
}

// unacceptable is the reason for a value of the wrong type where RabbitMQ wants a string or a bool.
func unacceptable(v any) string { return "{unacceptable_type," + amqp.TypeName(v) + "}" }

// erlangString prints s as Erlang prints a string.
func erlangString(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s) + `"`
}
