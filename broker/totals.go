package broker

import "sync/atomic"

// Totals count what happened on the node since it started, over all connections and vhosts, also those that are
// gone. The front doors add to them once per batch, not once per message.
type Totals struct {
	Published, Confirmed                         atomic.Uint64
	ReturnedUnroutable, DroppedUnroutable        atomic.Uint64
	ReceivedBytes, SentBytes                     atomic.Uint64
	ConnectionsOpened, ConnectionsClosed         atomic.Uint64
	ChannelsOpened, ChannelsClosed               atomic.Uint64
	QueuesDeclared, QueuesCreated, QueuesDeleted atomic.Uint64
	AuthAttempts, AuthFailures                   atomic.Uint64
	DeadLettered                                 DeadLettered
}
