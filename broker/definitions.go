package broker

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/auth"
	"github.com/warren-mq/warren/exchange"
	"github.com/warren-mq/warren/queue"
)

// What is durable is kept in the store's ordered table (docs/formats/definitions.md). A key begins with a letter for
// the kind; names are length-prefixed, so that none can be mistaken for another. A value begins with its version.
const (
	kindVHost      = 'v' // name
	kindUser       = 'u' // name
	kindPermission = 'p' // user, vhost
	kindOfExchange = 'x' // vhost, name
	kindOfQueue    = 'q' // vhost, name
	// kindOfStarts is 't', see starts.go.
	kindOfBinding = 'b' // SHA-256 of vhost, source, destination, routing key and arguments
)

const definitionVersion = 1

// Flags of exchanges and queues.
const (
	flagDurable = 1 << iota
	flagAutoDelete
	flagInternal
)

// Flags of vhosts.
const flagTracing = 1

var errDefinition = errors.New("malformed definition")

// appendName appends a name behind its length.
func appendName(b []byte, name string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(name)))
	return append(b, name...)
}

func cutName(b []byte) (name string, rest []byte, err error) {
	if len(b) < 2 || len(b)-2 < int(binary.BigEndian.Uint16(b)) {
		return "", nil, errDefinition
	}
	n := int(binary.BigEndian.Uint16(b))
	return string(b[2 : 2+n]), b[2+n:], nil
}

func definitionKey(kind byte, names ...string) []byte {
	b := []byte{kind}
	for _, n := range names {
		b = appendName(b, n)
	}
	return b
}

// cutNames takes so many names off a key, behind its kind.
func cutNames(key []byte, n int) (names []string, err error) {
	key = key[1:]
	for range n {
		var name string
		if name, key, err = cutName(key); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	if len(key) != 0 {
		return nil, errDefinition
	}
	return names, nil
}

// put and unput keep a definition, or take it away. They are called between Enter and Leave.
func (b *Broker) put(key, value []byte) {
	if b.cfg.Store != nil {
		b.cfg.Store.Put(key, append([]byte{definitionVersion}, value...))
	}
}

func (b *Broker) unput(key []byte) {
	if b.cfg.Store != nil {
		b.cfg.Store.Delete(key)
	}
}

// putVHost keeps what is set for a vhost. vh.mu is held.
func (vh *VHost) putVHost() {
	var set byte
	if vh.Tracing() {
		set |= flagTracing
	}
	vh.broker.put(definitionKey(kindVHost, vh.name), []byte{set})
}

func (vh *VHost) putExchange(x *exchange.Exchange) {
	if !x.Durable() {
		return
	}
	v := []byte{flags(true, x.AutoDelete(), x.Internal())}
	v = appendName(v, x.Type())
	vh.broker.put(definitionKey(kindOfExchange, vh.name, x.Name()), amqp.AppendTable(v, x.Arguments()))
}

func (vh *VHost) unputExchange(x *exchange.Exchange) {
	if x.Durable() {
		vh.broker.unput(definitionKey(kindOfExchange, vh.name, x.Name()))
	}
}

func decodeExchange(name string, v []byte) (c exchange.Config, err error) {
	if len(v) < 1 {
		return c, errDefinition
	}
	c = exchange.Config{Name: name, Durable: true, AutoDelete: v[0]&flagAutoDelete != 0, Internal: v[0]&flagInternal != 0}
	if c.Type, v, err = cutName(v[1:]); err != nil {
		return c, err
	}
	c.Arguments, v, err = amqp.DecodeTable(v)
	if err == nil && len(v) != 0 {
		err = errDefinition
	}
	return c, err
}

func (vh *VHost) putQueue(q *Queue) {
	if q.Durable() {
		v := []byte{flags(true, q.AutoDelete(), false)}
		vh.broker.put(definitionKey(kindOfQueue, vh.name, q.Name()), amqp.AppendTable(v, q.Arguments()))
	}
}

func (vh *VHost) unputQueue(q *Queue) {
	if q.Durable() {
		vh.broker.unput(definitionKey(kindOfQueue, vh.name, q.Name()))
	}
}

func decodeQueue(vhost, name string, v []byte) (c queue.Config, err error) {
	if len(v) < 1 {
		return c, errDefinition
	}
	c = queue.Config{Name: name, VHost: vhost, Durable: true, AutoDelete: v[0]&flagAutoDelete != 0}
	c.Arguments, v, err = amqp.DecodeTable(v[1:])
	if err == nil && len(v) != 0 {
		err = errDefinition
	}
	return c, err
}

// binding is what makes a binding the same as another.
type binding struct {
	source      string
	kind        string // of the destination
	destination string
	key         string
	arguments   amqp.Table // sorted
}

// durableBinding says whether a binding outlives the broker: if both of its ends do.
func durableBinding(b *exchange.Binding) bool {
	if b.Destination().Exchange != nil {
		return b.Source.Durable() && b.Destination().Exchange.Durable()
	}
	q, ok := b.Destination().Queue.(*Queue)
	return ok && b.Source.Durable() && q.Durable()
}

func bindingOf(b *exchange.Binding) binding {
	kind := kindQueue
	if b.Destination().Exchange != nil {
		kind = kindExchange
	}
	return binding{b.Source.Name(), kind, b.Destination().Name(), b.RoutingKey, b.Arguments()}
}

func (vh *VHost) putBinding(b *exchange.Binding) {
	if durableBinding(b) {
		v := bindingOf(b).append(vh.name)
		vh.broker.put(bindingKey(v), v)
	}
}

func (vh *VHost) unputBinding(b *exchange.Binding) {
	if durableBinding(b) {
		vh.broker.unput(bindingKey(bindingOf(b).append(vh.name)))
	}
}

func (b binding) append(vhost string) []byte {
	v := appendName(nil, vhost)
	for _, n := range []string{b.source, b.kind, b.destination, b.key} {
		v = appendName(v, n)
	}
	return amqp.AppendTable(v, b.arguments)
}

// bindingKey hashes the value, since arguments may be longer than a key.
func bindingKey(value []byte) []byte {
	sum := sha256.Sum256(value)
	return append([]byte{kindOfBinding}, sum[:]...)
}

func decodeBinding(v []byte) (vhost string, b binding, err error) {
	for _, s := range []*string{&vhost, &b.source, &b.kind, &b.destination, &b.key} {
		if *s, v, err = cutName(v); err != nil {
			return "", b, err
		}
	}
	b.arguments, v, err = amqp.DecodeTable(v)
	if err == nil && len(v) != 0 {
		err = errDefinition
	}
	return vhost, b, err
}

func (b *Broker) putUser(u *auth.User) error {
	v, err := json.Marshal(u)
	if err != nil {
		return fmt.Errorf("encode user %q: %w", u.Name, err)
	}
	b.put(definitionKey(kindUser, u.Name), v)
	return nil
}

func (b *Broker) putPermission(row auth.PermissionRow) error {
	v, err := json.Marshal(row.Permission)
	if err != nil {
		return fmt.Errorf("encode permissions of %q: %w", row.User, err)
	}
	b.put(definitionKey(kindPermission, row.User, row.VHost), v)
	return nil
}

func flags(durable, autoDelete, internal bool) byte {
	var f byte
	if durable {
		f |= flagDurable
	}
	if autoDelete {
		f |= flagAutoDelete
	}
	if internal {
		f |= flagInternal
	}
	return f
}
