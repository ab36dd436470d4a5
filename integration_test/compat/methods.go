package compat

import (
	"fmt"
	"strings"
)

// A field type is one letter: o octet, h short, l long, L longlong, b bit,
// s shortstr, S longstr, F table, T timestamp.
type field struct {
	name string
	typ  byte
}

type method struct {
	name      string
	class, id uint16
	fields    []field
	replies   []string // names of the methods that answer it, none for an asynchronous one
}

func (m *method) content() bool {
	switch m.name {
	case "basic.publish", "basic.return", "basic.deliver", "basic.get-ok":
		return true
	}
	return false
}

var (
	methodsByName = map[string]*method{}
	methodsByID   = map[uint32]*method{}
)

// One line per method: name, class, method id, fields; after "->" its answers.
// AMQP 0-9-1 (amqp0-9-1.xml) with RabbitMQ's additions.
const methodTable = `
connection.start 10 10 version-major:o version-minor:o server-properties:F mechanisms:S locales:S
connection.start-ok 10 11 client-properties:F mechanism:s response:S locale:s -> connection.tune connection.secure
connection.secure 10 20 challenge:S
connection.secure-ok 10 21 response:S -> connection.tune connection.secure
connection.tune 10 30 channel-max:h frame-max:l heartbeat:h
connection.tune-ok 10 31 channel-max:h frame-max:l heartbeat:h
connection.open 10 40 virtual-host:s reserved-1:s reserved-2:b -> connection.open-ok
connection.open-ok 10 41 known-hosts:s
connection.close 10 50 reply-code:h reply-text:s class-id:h method-id:h -> connection.close-ok
connection.close-ok 10 51
connection.blocked 10 60 reason:s
connection.unblocked 10 61
connection.update-secret 10 70 new-secret:S reason:s -> connection.update-secret-ok
connection.update-secret-ok 10 71
channel.open 20 10 out-of-band:s -> channel.open-ok
channel.open-ok 20 11 channel-id:S
channel.flow 20 20 active:b -> channel.flow-ok
channel.flow-ok 20 21 active:b
channel.close 20 40 reply-code:h reply-text:s class-id:h method-id:h -> channel.close-ok
channel.close-ok 20 41
access.request 30 10 realm:s exclusive:b passive:b active:b write:b read:b -> access.request-ok
access.request-ok 30 11 ticket:h
exchange.declare 40 10 ticket:h exchange:s type:s passive:b durable:b auto-delete:b internal:b nowait:b args:F -> exchange.declare-ok
exchange.declare-ok 40 11
exchange.delete 40 20 ticket:h exchange:s if-unused:b nowait:b -> exchange.delete-ok
exchange.delete-ok 40 21
exchange.bind 40 30 ticket:h destination:s source:s routing-key:s nowait:b args:F -> exchange.bind-ok
exchange.bind-ok 40 31
exchange.unbind 40 40 ticket:h destination:s source:s routing-key:s nowait:b args:F -> exchange.unbind-ok
exchange.unbind-ok 40 51
queue.declare 50 10 ticket:h queue:s passive:b durable:b exclusive:b auto-delete:b nowait:b args:F -> queue.declare-ok
queue.declare-ok 50 11 queue:s message-count:l consumer-count:l
queue.bind 50 20 ticket:h queue:s exchange:s routing-key:s nowait:b args:F -> queue.bind-ok
queue.bind-ok 50 21
queue.purge 50 30 ticket:h queue:s nowait:b -> queue.purge-ok
queue.purge-ok 50 31 message-count:l
queue.delete 50 40 ticket:h queue:s if-unused:b if-empty:b nowait:b -> queue.delete-ok
queue.delete-ok 50 41 message-count:l
queue.unbind 50 50 ticket:h queue:s exchange:s routing-key:s args:F -> queue.unbind-ok
queue.unbind-ok 50 51
basic.qos 60 10 prefetch-size:l prefetch-count:h global:b -> basic.qos-ok
basic.qos-ok 60 11
basic.consume 60 20 ticket:h queue:s consumer-tag:s no-local:b no-ack:b exclusive:b nowait:b args:F -> basic.consume-ok
basic.consume-ok 60 21 consumer-tag:s
basic.cancel 60 30 consumer-tag:s nowait:b -> basic.cancel-ok
basic.cancel-ok 60 31 consumer-tag:s
basic.publish 60 40 ticket:h exchange:s routing-key:s mandatory:b immediate:b
basic.return 60 50 reply-code:h reply-text:s exchange:s routing-key:s
basic.deliver 60 60 consumer-tag:s delivery-tag:L redelivered:b exchange:s routing-key:s
basic.get 60 70 ticket:h queue:s no-ack:b -> basic.get-ok basic.get-empty
basic.get-ok 60 71 delivery-tag:L redelivered:b exchange:s routing-key:s message-count:l
basic.get-empty 60 72 cluster-id:s
basic.ack 60 80 delivery-tag:L multiple:b
basic.reject 60 90 delivery-tag:L requeue:b
basic.recover-async 60 100 requeue:b
basic.recover 60 110 requeue:b -> basic.recover-ok
basic.recover-ok 60 111
basic.nack 60 120 delivery-tag:L multiple:b requeue:b
confirm.select 85 10 nowait:b -> confirm.select-ok
confirm.select-ok 85 11
tx.select 90 10 -> tx.select-ok
tx.select-ok 90 11
tx.commit 90 20 -> tx.commit-ok
tx.commit-ok 90 21
tx.rollback 90 30 -> tx.rollback-ok
tx.rollback-ok 90 31
`

func init() {
	for line := range strings.Lines(strings.TrimSpace(methodTable)) {
		spec, replies, _ := strings.Cut(strings.TrimSpace(line), " -> ")
		words := strings.Fields(spec)
		m := &method{name: words[0], replies: strings.Fields(replies)}
		if _, err := fmt.Sscan(words[1]+" "+words[2], &m.class, &m.id); err != nil {
			panic(fmt.Sprintf("method table: %q: %v", line, err))
		}
		for _, w := range words[3:] {
			name, typ, _ := strings.Cut(w, ":")
			m.fields = append(m.fields, field{name, typ[0]})
		}
		methodsByName[m.name] = m
		methodsByID[uint32(m.class)<<16|uint32(m.id)] = m
	}
}

// The properties of class basic in the order of their flags, from bit 15 down.
var propertyFields = []field{
	{"content-type", 's'},
	{"content-encoding", 's'},
	{"headers", 'F'},
	{"delivery-mode", 'o'},
	{"priority", 'o'},
	{"correlation-id", 's'},
	{"reply-to", 's'},
	{"expiration", 's'},
	{"message-id", 's'},
	{"timestamp", 'T'},
	{"type", 's'},
	{"user-id", 's'},
	{"app-id", 's'},
	{"cluster-id", 's'},
}
