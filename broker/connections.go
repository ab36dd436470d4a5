package broker

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/warren-mq/warren/amqp"
)

// Connection is a client's connection, as the core and the management API see it. The server implements it.
type Connection interface {
	// Name is "peer:port -> local:port", unique on the node while the connection lives.
	Name() string
	Info() ConnectionInfo
	Channels() []ChannelInfo
	// Close asks the client to go: connection.close 320 with the reason. It does not wait.
	Close(reason string)
}

// ConnectionInfo is one moment of a connection.
type ConnectionInfo struct {
	Name             string
	State            string // RabbitMQ's words: starting, tuning, opening, running, blocking, blocked, closing
	User             string
	VHost            string
	AuthMechanism    string
	Host, PeerHost   string
	Port, PeerPort   int
	TLS              bool
	ChannelMax       uint16
	FrameMax         uint32 // bytes
	Heartbeat        uint16 // seconds
	Channels         int
	ConnectedAt      time.Time
	ClientProperties amqp.Table

	ReceivedBytes, SentBytes   uint64
	ReceivedFrames, SentFrames uint64
	PendingBytes               int // waiting to be written to the socket
}

// ChannelInfo is one moment of a channel.
type ChannelInfo struct {
	Number               uint16
	Consumers            int
	Prefetch             uint16 // of consumers that start from now on
	GlobalPrefetch       uint16
	Unacked              int
	Unconfirmed          int
	UncommittedPublishes int
	UncommittedAcks      int
	Confirm              bool
	Transactional        bool
	IdleSince            time.Time // zero while active
	Stats                ChannelStats
}

// ChannelStats count what happened on a channel since it was opened.
type ChannelStats struct {
	Published, Confirmed                  uint64
	ReturnedUnroutable, DroppedUnroutable uint64
	Delivered, DeliveredNoAck             uint64
	Got, GotNoAck, GotEmpty               uint64
	Redelivered, Acked                    uint64
}

// connections are those that are open. The zero value is ready.
type connections struct {
	mu  sync.Mutex
	all map[Connection]struct{} // guarded by mu
}

// AddConnection registers an open connection; the caller removes it when it ends.
func (b *Broker) AddConnection(c Connection) {
	b.connections.mu.Lock()
	defer b.connections.mu.Unlock()
	if b.connections.all == nil {
		b.connections.all = make(map[Connection]struct{})
	}
	b.connections.all[c] = struct{}{}
	b.Totals.ConnectionsOpened.Add(1)
}

// RemoveConnection forgets a connection that has ended.
func (b *Broker) RemoveConnection(c Connection) {
	b.connections.mu.Lock()
	_, ok := b.connections.all[c]
	delete(b.connections.all, c)
	b.connections.mu.Unlock()
	if ok {
		b.Totals.ConnectionsClosed.Add(1)
		b.connectionEnded(c)
	}
}

// Connections lists the open connections, sorted by name.
func (b *Broker) Connections() []Connection {
	b.connections.mu.Lock()
	list := make([]Connection, 0, len(b.connections.all))
	for c := range b.connections.all {
		list = append(list, c)
	}
	b.connections.mu.Unlock()
	slices.SortFunc(list, func(x, y Connection) int { return cmp.Compare(x.Name(), y.Name()) })
	return list
}

// Connection finds an open connection by name.
func (b *Broker) Connection(name string) (Connection, bool) {
	b.connections.mu.Lock()
	defer b.connections.mu.Unlock()
	for c := range b.connections.all {
		if c.Name() == name {
			return c, true
		}
	}
	return nil, false
}
