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

// Binding is a rule that leads from a source to a destination; immutable. Its identity is all four fields, where
// arguments are compared sorted by key and including the tags of their values (RabbitMQ 3.10.8: {a: int32 1} and
// {a: int64 1} make two bindings).
type Binding struct {
	Source      *Exchange
	Destination Destination
	RoutingKey  string
	Arguments   amqp.Table // sorted by key

	arguments string // wire bytes of Arguments
	at        int    // place in bindings.all; guarded by the topology lock, as is atPeer
	atPeer    int    // place in bindings.byDestination of its destination
}

// PropertiesKey names the binding among those between its two ends, as RabbitMQ's management API does: the escaped
// routing key, "~" for an empty one, and behind a further "~" four bytes of hash when there are arguments. Clients
// take it as opaque; it is stable over restarts.
func (b *Binding) PropertiesKey() string {
	if b.RoutingKey == "" && b.arguments == "" {
		return "~"
	}
	key := strings.ReplaceAll(url.QueryEscape(b.RoutingKey), "~", "%7E")
	if b.arguments == "" {
		return key
	}
	hash := fnv.New32a()
	hash.Write([]byte(b.arguments))
	return key + "~" + base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, hash.Sum32()))
}

func newBinding(source *Exchange, d Destination, key string, args amqp.Table) *Binding {
	b := &Binding{Source: source, Destination: d, RoutingKey: key}
	b.Arguments, b.arguments = canonical(args)
	return b
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

// identity is what makes a binding the same as another of the same source.
type identity struct {
	destination Destination
	key         string
	arguments   string
}

func (b *Binding) identity() identity { return identity{b.Destination, b.RoutingKey, b.arguments} }
