package management

// churn counts what came and went since the node started.
type churn struct {
	ConnectionCreated        uint64  `json:"connection_created"`
	ConnectionCreatedDetails details `json:"connection_created_details"`
	ConnectionClosed         uint64  `json:"connection_closed"`
	ConnectionClosedDetails  details `json:"connection_closed_details"`
	ChannelCreated           uint64  `json:"channel_created"`
	ChannelCreatedDetails    details `json:"channel_created_details"`
	ChannelClosed            uint64  `json:"channel_closed"`
	ChannelClosedDetails     details `json:"channel_closed_details"`
	QueueDeclared            uint64  `json:"queue_declared"`
	QueueDeclaredDetails     details `json:"queue_declared_details"`
	QueueCreated             uint64  `json:"queue_created"`
	QueueCreatedDetails      details `json:"queue_created_details"`
	QueueDeleted             uint64  `json:"queue_deleted"`
	QueueDeletedDetails      details `json:"queue_deleted_details"`
}

func (s *Server) churn(r rates) churn {
	t := &s.broker.Totals
	return churn{
		ConnectionCreated: t.ConnectionsOpened.Load(), ConnectionCreatedDetails: r.counter(connectionsOpened),
		ConnectionClosed: t.ConnectionsClosed.Load(), ConnectionClosedDetails: r.counter(connectionsClosed),
		ChannelCreated: t.ChannelsOpened.Load(), ChannelCreatedDetails: r.counter(channelsOpened),
		ChannelClosed: t.ChannelsClosed.Load(), ChannelClosedDetails: r.counter(channelsClosed),
		QueueDeclared: t.QueuesDeclared.Load(), QueueDeclaredDetails: r.counter(queuesDeclared),
		QueueCreated: t.QueuesCreated.Load(), QueueCreatedDetails: r.counter(queuesCreated),
		QueueDeleted: t.QueuesDeleted.Load(), QueueDeletedDetails: r.counter(queuesDeleted),
	}
}
