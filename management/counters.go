package management

import (
	"github.com/warren-mq/warren/broker"
	"github.com/warren-mq/warren/exchange"
	"github.com/warren-mq/warren/queue"
)

// Indices of the counters that the sampler keeps. Those of messages come first wherever there are any, and then what is
// in queues, so that the same functions read them.
const (
	published = iota
	confirmed
	returnedUnroutable
	droppedUnroutable
	delivered
	deliveredNoAck
	got
	gotNoAck
	gotEmpty
	redelivered
	acked
	messageWidth // a channel has only these
)

// Of a queue.
const (
	ready = messageWidth + iota
	unacked
	queueWidth
)

// Of a vhost.
const (
	vhostReceivedBytes = queueWidth + iota
	vhostSentBytes
	vhostWidth
)

// Of a connection.
const (
	receivedBytes = iota
	sentBytes
	connectionWidth
)

// Of an exchange.
const (
	publishIn = iota
	publishOut
	exchangeWidth
)

// maxWidth has room for the counters of any object but the node.
const maxWidth = vhostWidth

func messageCounters(to []uint64, s *broker.ChannelStats) []uint64 {
	return append(to,
		s.Published, s.Confirmed, s.ReturnedUnroutable, s.DroppedUnroutable,
		s.Delivered, s.DeliveredNoAck, s.Got, s.GotNoAck, s.GotEmpty, s.Redelivered, s.Acked)
}

func queueCounters(to []uint64, s *queue.Stats) []uint64 {
	m := messagesOf(s)
	return append(messageCounters(to, &m), uint64(s.Ready), uint64(s.Unacked))
}

func vhostCounters(to []uint64, t *tally) []uint64 {
	s := t.stats()
	return append(messageCounters(to, &t.messages),
		uint64(s.Ready), uint64(s.Unacked), t.receivedBytes, t.sentBytes)
}

func exchangeCounters(to []uint64, x *exchange.Exchange) []uint64 {
	return append(to, x.PublishIn.Load(), x.PublishOut.Load())
}

// messagesOf tells in the words of a channel what happened in a queue: published is what was routed to it.
func messagesOf(s *queue.Stats) broker.ChannelStats {
	return broker.ChannelStats{
		Published: s.Publish,
		Delivered: s.Deliver, DeliveredNoAck: s.DeliverNoAck,
		Got: s.Get, GotNoAck: s.GetNoAck, GotEmpty: s.GetEmpty,
		Redelivered: s.Redeliver, Acked: s.Ack,
	}
}
