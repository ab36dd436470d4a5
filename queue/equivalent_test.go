package queue_test

import (
	"strings"
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/queue"
)

// TestEquivalent has re-declares and RabbitMQ 3.10.8's answers.
func TestEquivalent(t *testing.T) {
	const (
		durable    = "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': "
		autoDelete = "PRECONDITION_FAILED - inequivalent arg 'auto_delete' for queue 'q' in vhost '/': "
		ttl        = "PRECONDITION_FAILED - inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': "
		overflow   = "PRECONDITION_FAILED - inequivalent arg 'x-overflow' for queue 'q' in vhost '/': "
		confirms   = "PRECONDITION_FAILED - inequivalent arg 'x-durability' for queue 'q' in vhost '/': "
		queueType  = "PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': "
	)
	plain, lasting := queue.Config{}, queue.Config{Durable: true}
	with := func(namesAndValues ...any) queue.Config {
		return queue.Config{Arguments: table(namesAndValues...)}
	}
	for _, test := range []struct {
		name              string
		current, received queue.Config
		want              string
	}{
		{"same", lasting, lasting, ""},
		{"durable asked", plain, lasting, durable + "received 'true' but current is 'false'"},
		{"durable there", lasting, plain, durable + "received 'false' but current is 'true'"},
		{"auto-delete asked", plain, queue.Config{AutoDelete: true}, autoDelete + "received 'true' but current is 'false'"},
		{"durable comes before auto-delete", plain, queue.Config{Durable: true, AutoDelete: true}, durable + "received 'true' but current is 'false'"},
		{"auto-delete comes before arguments", plain, queue.Config{AutoDelete: true, Arguments: table("x-message-ttl", int32(5))},
			autoDelete + "received 'true' but current is 'false'"},
		{"exclusive is transient", queue.Config{Durable: true, Exclusive: true}, queue.Config{Exclusive: true}, ""},
		{"exclusive is transient, the other way", queue.Config{Exclusive: true}, queue.Config{Durable: true, Exclusive: true}, ""},

		{"equal argument", with("x-message-ttl", int32(5)), with("x-message-ttl", int32(5)), ""},
		{"integers of any size", with("x-message-ttl", int32(5)), with("x-message-ttl", uint8(5)), ""},
		{"timestamp and integer", with("x-message-ttl", int32(5)), with("x-message-ttl", amqp.Timestamp(5)), ""},
		{"string and bytes", with("x-overflow", "drop-head"), with("x-overflow", amqp.Binary("drop-head")), ""},
		{"integer and float", with("x-message-ttl", int32(5)), with("x-message-ttl", 5.0), ttl + "received '5.0' but current is '5'"},
		{"other value", with("x-message-ttl", int32(5)), with("x-message-ttl", int32(6)), ttl + "received '6' but current is '5'"},
		{"other type", with("x-message-ttl", int32(5)), with("x-message-ttl", true), ttl + "received 'true' but current is '5'"},
		{"other string", with("x-overflow", "drop-head"), with("x-overflow", "reject-publish"),
			overflow + "received 'reject-publish' but current is 'drop-head'"},
		{"void", with("x-message-ttl", int32(5)), with("x-message-ttl", nil), ttl + "received none but current is '5'"},
		{"table", with("x-message-ttl", int32(5)), with("x-message-ttl", table("a", int32(1))),
			ttl + `received '[{<<"a">>,signedint,1}]' but current is '5'`},

		{"added", plain, with("x-message-ttl", int32(5)), ttl + "received the value '5' of type 'signedint' but current is none"},
		{"added string", plain, with("x-overflow", "drop-head"), overflow + "received the value 'drop-head' of type 'longstr' but current is none"},
		{"added void", plain, with("x-message-ttl", nil), ttl + "received the value 'undefined' of type 'void' but current is none"},
		{"missing", with("x-message-ttl", int32(5)), plain, ttl + "received none but current is the value '5' of type 'signedint'"},
		{"the first in RabbitMQ's order", plain, with("x-overflow", "drop-head", "x-message-ttl", int8(5)),
			ttl + "received the value '5' of type 'byte' but current is none"},

		{"durability", with("x-durability", "os"), with("x-durability", "os"), ""},
		{"another durability", with("x-durability", "os"), with("x-durability", "memory"), confirms + "received 'memory' but current is 'os'"},
		{"another ordering key", with("x-ordering-key", "a"), with("x-ordering-key", "b"),
			strings.Replace(confirms, "x-durability", "x-ordering-key", 1) + "received 'b' but current is 'a'"},
		{"exact expiry added", plain, with("x-exact-ttl", true),
			strings.Replace(confirms, "x-durability", "x-exact-ttl", 1) + "received the value 'true' of type 'bool' but current is none"},
		{"durability added", plain, with("x-durability", "fsync"), confirms + "received the value 'fsync' of type 'longstr' but current is none"},
		{"durability missing", with("x-queue-type", "quorum", "x-durability", "fsync"), with("x-queue-type", "quorum"),
			confirms + "received none but current is the value 'fsync' of type 'longstr'"},

		{"retry ladder missing", with("x-retry", "1s"), plain,
			"PRECONDITION_FAILED - inequivalent arg 'x-retry' for queue 'q' in vhost '/': received none but current is the value '1s' of type 'longstr'"},
		{"another rate", with("x-rate-limit", int32(5)), with("x-rate-limit", int64(6)),
			"PRECONDITION_FAILED - inequivalent arg 'x-rate-limit' for queue 'q' in vhost '/': received '6' but current is '5'"},
		{"another delayed retry", with("x-queue-type", "quorum", "x-delayed-retry-min", int32(5)), with("x-queue-type", "quorum"),
			"PRECONDITION_FAILED - inequivalent arg 'x-delayed-retry-min' for queue 'q' in vhost '/': received none but current is the value '5' of type 'signedint'"},

		{"unknown argument added", plain, with("x-foo", int32(5)), ""},
		{"unknown argument differs", with("x-foo", int32(5)), with("x-foo", "bar"), ""},
		{"argument of another type", plain, with("x-delivery-limit", int32(5)), ""},

		{"classic is the default", plain, with("x-queue-type", "classic"), ""},
		{"classic is the default, the other way", with("x-queue-type", "classic"), plain, ""},
		{"quorum asked of a default queue", plain, with("x-queue-type", "quorum"), queueType + "received the value 'quorum' of type 'longstr' but current is none"},
		{"quorum asked of a classic queue", with("x-queue-type", "classic"), with("x-queue-type", "quorum"), queueType + "received 'quorum' but current is 'classic'"},
		{"default asked of a quorum queue", with("x-queue-type", "quorum"), plain, queueType + "received none but current is the value 'quorum' of type 'longstr'"},
		{"classic asked of a quorum queue", with("x-queue-type", "quorum"), with("x-queue-type", "classic"), queueType + "received 'classic' but current is 'quorum'"},
		{"a quorum queue compares its own", with("x-queue-type", "quorum", "x-delivery-limit", int32(5)), with("x-queue-type", "quorum"),
			"PRECONDITION_FAILED - inequivalent arg 'x-delivery-limit' for queue 'q' in vhost '/': received none but current is the value '5' of type 'signedint'"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.current.Name, test.current.VHost = "q", "/"
			q := queue.New(test.current, newMemoryLog)
			if got := reply(t, q.Equivalent(test.received)); got != test.want {
				t.Errorf("\n got %q\nwant %q", got, test.want)
			}
		})
	}
}
