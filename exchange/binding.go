package exchange

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
	"net/url"
	"slices"
	"strings"

	"github.com/warren-mq/warren/amqp"
)

// Binding is a rule that leads from a source to a destination; immutable. Its identity is its ends, the routing key and the
// arguments, where arguments are compared sorted by key and including the tags of their values (RabbitMQ 3.10.8:
// {a: int32 1} and {a: int64 1} make two bindings).
type Binding struct {
	Source     *Exchange
	RoutingKey string
	arguments  *bindingArguments // nil without, as nearly all are
	end        *end
	at         int // place in bindings.all; guarded by the topology lock, as is atEnd
	atEnd      int // place in end.bindings
}

type bindingArguments struct {
	sorted amqp.Table
	wire   string
}

// Destination is where the binding leads to.
func (b *Binding) Destination() Destination { return b.end.Destination }

// Arguments returns the arguments, sorted by key. The caller may not change them.
func (b *Binding) Arguments() amqp.Table {
	if b.arguments == nil {
		return nil
	}
	return b.arguments.sorted
}

// wire returns the bytes of Arguments on the wire.
func (b *Binding) wire() string {
	if b.arguments == nil {
		return ""
	}
	return b.arguments.wire
}

// PropertiesKey names the binding among those between its two ends, as RabbitMQ's management API does: the escaped
// routing key, "~" for an empty one, and behind a further "~" four bytes of hash when there are arguments. Clients
// take it as opaque; it is stable over restarts.
func (b *Binding) PropertiesKey() string {
	if b.RoutingKey == "" && b.arguments == nil {
		return "~"
	}
	key := strings.ReplaceAll(url.QueryEscape(b.RoutingKey), "~", "%7E")
	if b.arguments == nil {
		return key
	}
	hash := fnv.New32a()
	hash.Write([]byte(b.arguments.wire))
	return key + "~" + base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, hash.Sum32()))
}

// canonical returns args sorted by key, and their wire bytes, which are equal for equal arguments only. The sort is
// stable: of duplicates the first stays the first.
func canonical(args amqp.Table) (sorted amqp.Table, wire string) {
	if len(args) == 0 {
		return nil, ""
	}
	sorted = slices.Clone(args)
	slices.SortStableFunc(sorted, func(a, b amqp.Field) int { return cmp.Compare(a.Name, b.Name) })
	return sorted, string(amqp.AppendTable(nil, sorted))
}
