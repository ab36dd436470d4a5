package management

import (
	"github.com/warren-mq/warren/broker"
	"github.com/warren-mq/warren/queue"
)

// messageStats counts the messages of a channel, a vhost or the node. A group of fields is there once one of them is
// not 0, and without any group the whole object is left out of its parent (RabbitMQ 3.10.8 behaviour).
type messageStats struct {
	*publishStats
	*deliverStats
	*diskStats
}

// queueMessageStats does so for a queue.
type queueMessageStats struct {
	*routedStats
	*deliverStats
}

// publishStats is what publishers see, for channels and all above.
type publishStats struct {
	Publish                 uint64  `json:"publish"`
	PublishDetails          details `json:"publish_details"`
	Confirm                 uint64  `json:"confirm"`
	ConfirmDetails          details `json:"confirm_details"`
	ReturnUnroutable        uint64  `json:"return_unroutable"`
	ReturnUnroutableDetails details `json:"return_unroutable_details"`
	DropUnroutable          uint64  `json:"drop_unroutable"`
	DropUnroutableDetails   details `json:"drop_unroutable_details"`
}

// routedStats is what a queue sees of publishers.
type routedStats struct {
	Routed        uint64  `json:"publish"`
	RoutedDetails details `json:"publish_details"`
}

// deliverStats is what consumers see.
type deliverStats struct {
	Deliver             uint64  `json:"deliver"`
	DeliverDetails      details `json:"deliver_details"`
	DeliverNoAck        uint64  `json:"deliver_no_ack"`
	DeliverNoAckDetails details `json:"deliver_no_ack_details"`
	Get                 uint64  `json:"get"`
	GetDetails          details `json:"get_details"`
	GetNoAck            uint64  `json:"get_no_ack"`
	GetNoAckDetails     details `json:"get_no_ack_details"`
	GetEmpty            uint64  `json:"get_empty"`
	GetEmptyDetails     details `json:"get_empty_details"`
	DeliverGet          uint64  `json:"deliver_get"` // deliver, deliver_no_ack, get and get_no_ack together
	DeliverGetDetails   details `json:"deliver_get_details"`
	Redeliver           uint64  `json:"redeliver"`
	RedeliverDetails    details `json:"redeliver_details"`
	Ack                 uint64  `json:"ack"`
	AckDetails          details `json:"ack_details"`
}

// diskStats stands in the overview only, as soon as there are queues. Both are always 0: the store writes groups, not
// messages.
type diskStats struct {
	DiskReads         uint64  `json:"disk_reads"`
	DiskReadsDetails  details `json:"disk_reads_details"`
	DiskWrites        uint64  `json:"disk_writes"`
	DiskWritesDetails details `json:"disk_writes_details"`
}

// messageStatsOf returns nil when nothing was counted.
func messageStatsOf(s *broker.ChannelStats, r rates) *messageStats {
	m := &messageStats{publishStats: publishStatsOf(s, r), deliverStats: deliverStatsOf(s, r)}
	if m.publishStats == nil && m.deliverStats == nil {
		return nil
	}
	return m
}

// queueStatsOf returns nil when nothing was counted.
func queueStatsOf(s *broker.ChannelStats, r rates) *queueMessageStats {
	m := &queueMessageStats{deliverStats: deliverStatsOf(s, r)}
	if s.Published > 0 {
		m.routedStats = &routedStats{s.Published, r.counter(published)}
	}
	if m.routedStats == nil && m.deliverStats == nil {
		return nil
	}
	return m
}

func publishStatsOf(s *broker.ChannelStats, r rates) *publishStats {
	if s.Published|s.Confirmed|s.ReturnedUnroutable|s.DroppedUnroutable == 0 {
		return nil
	}
	return &publishStats{
		Publish: s.Published, PublishDetails: r.counter(published),
		Confirm: s.Confirmed, ConfirmDetails: r.counter(confirmed),
		ReturnUnroutable: s.ReturnedUnroutable, ReturnUnroutableDetails: r.counter(returnedUnroutable),
		DropUnroutable: s.DroppedUnroutable, DropUnroutableDetails: r.counter(droppedUnroutable),
	}
}

func deliverStatsOf(s *broker.ChannelStats, r rates) *deliverStats {
	if s.Delivered|s.DeliveredNoAck|s.Got|s.GotNoAck|s.GotEmpty|s.Redelivered|s.Acked == 0 {
		return nil
	}
	return &deliverStats{
		Deliver: s.Delivered, DeliverDetails: r.counter(delivered),
		DeliverNoAck: s.DeliveredNoAck, DeliverNoAckDetails: r.counter(deliveredNoAck),
		Get: s.Got, GetDetails: r.counter(got),
		GetNoAck: s.GotNoAck, GetNoAckDetails: r.counter(gotNoAck),
		GetEmpty: s.GotEmpty, GetEmptyDetails: r.counter(gotEmpty),
		DeliverGet:        s.Delivered + s.DeliveredNoAck + s.Got + s.GotNoAck,
		DeliverGetDetails: r.sum(delivered, deliveredNoAck, got, gotNoAck),
		Redeliver:         s.Redelivered, RedeliverDetails: r.counter(redelivered),
		Ack: s.Acked, AckDetails: r.counter(acked),
	}
}

// exchangeStats counts what passed an exchange. Each field is there once it is not 0.
type exchangeStats struct {
	PublishIn         uint64   `json:"publish_in,omitempty"`
	PublishInDetails  *details `json:"publish_in_details,omitempty"`
	PublishOut        uint64   `json:"publish_out,omitempty"`
	PublishOutDetails *details `json:"publish_out_details,omitempty"`
}

func exchangeStatsOf(in, out uint64, r rates) *exchangeStats {
	if in|out == 0 {
		return nil
	}
	m := &exchangeStats{PublishIn: in, PublishOut: out}
	if in > 0 {
		m.PublishInDetails = new(r.counter(publishIn))
	}
	if out > 0 {
		m.PublishOutDetails = new(r.counter(publishOut))
	}
	return m
}

// depths is how many messages there are, in a queue or in all queues of a vhost.
type depths struct {
	Messages                      uint64  `json:"messages"`
	MessagesDetails               details `json:"messages_details"`
	MessagesReady                 uint64  `json:"messages_ready"`
	MessagesReadyDetails          details `json:"messages_ready_details"`
	MessagesUnacknowledged        uint64  `json:"messages_unacknowledged"`
	MessagesUnacknowledgedDetails details `json:"messages_unacknowledged_details"`
}

func depthsOf(st *queue.Stats, r rates) depths {
	up, held := r.gauge(ready), r.gauge(unacked)
	return depths{
		Messages: uint64(st.Messages()), MessagesDetails: details{up.Rate + held.Rate},
		MessagesReady: uint64(st.Ready), MessagesReadyDetails: up,
		MessagesUnacknowledged: uint64(st.Unacked), MessagesUnacknowledgedDetails: held,
	}
}
