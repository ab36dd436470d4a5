package management

import (
	"fmt"
	"strings"

	"github.com/warren-mq/warren/broker"
)

// channelObject is an open channel.
type channelObject struct {
	Name                   string        `json:"name"`
	Number                 uint16        `json:"number"`
	Node                   string        `json:"node"`
	VHost                  string        `json:"vhost"`
	User                   string        `json:"user"`
	UserWhoPerformedAction string        `json:"user_who_performed_action"`
	ConnectionDetails      peer          `json:"connection_details"`
	State                  string        `json:"state"`
	IdleSince              string        `json:"idle_since,omitempty"`
	Confirm                bool          `json:"confirm"`
	Transactional          bool          `json:"transactional"`
	ConsumerCount          int           `json:"consumer_count"`
	PrefetchCount          uint16        `json:"prefetch_count"`
	GlobalPrefetchCount    uint16        `json:"global_prefetch_count"`
	MessagesUnacknowledged int           `json:"messages_unacknowledged"`
	MessagesUnconfirmed    int           `json:"messages_unconfirmed"`
	MessagesUncommitted    int           `json:"messages_uncommitted"`
	AcksUncommitted        int           `json:"acks_uncommitted"`
	PendingRaftCommands    int           `json:"pending_raft_commands"` // always 0
	MessageStats           *messageStats `json:"message_stats,omitempty"`
}

// singleChannelObject has what only GET of one channel shows. Publishes and Deliveries are filled in RabbitMQ's
// detailed rates mode only.
type singleChannelObject struct {
	channelObject
	ConsumerDetails []any `json:"consumer_details"`
	Publishes       []any `json:"publishes"`
	Deliveries      []any `json:"deliveries"`
}

// openChannel is a channel at the moment when it was listed.
type openChannel struct {
	connection broker.Connection
	of         broker.ConnectionInfo
	broker.ChannelInfo
}

func channelsOf(connections []broker.Connection) []openChannel {
	var all []openChannel
	for _, c := range connections {
		info := c.Info()
		for _, ch := range c.Channels() {
			all = append(all, openChannel{c, info, ch})
		}
	}
	return all
}

func (s *Server) listChannels(r *request) (any, error) {
	return pagedListOf(channelsOf(r.visibleConnections()), s.channelAny), nil
}

// listChannelsOfVHost ignores page= (RabbitMQ 3.10.8 behaviour).
func (s *Server) listChannelsOfVHost(r *request) (any, error) {
	return listOf(channelsOf(r.visibleConnections()), s.channelAny), nil
}

func (s *Server) listChannelsOfConnection(r *request) (any, error) {
	c, err := r.connection()
	if err != nil {
		return nil, err
	}
	return listOf(channelsOf([]broker.Connection{c}), s.channelAny), nil
}

// getChannel finds a channel by its name, which is that of its connection and its number in brackets.
func (s *Server) getChannel(r *request) (any, error) {
	name := r.name("{channel}")
	end := max(strings.LastIndex(name, " ("), 0)
	c, ok := s.broker.Connection(name[:end])
	if !ok {
		return nil, errNotFound
	}
	if !r.maySee(c.Info().User) {
		return nil, unauthorised("Not monitor user")
	}
	for _, ch := range channelsOf([]broker.Connection{c}) {
		if ch.name() == name {
			return singleChannelObject{
				channelObject:   s.channelObject(&ch),
				ConsumerDetails: s.consumersOf(&ch), Publishes: []any{}, Deliveries: []any{},
			}, nil
		}
	}
	return nil, errNotFound
}

func (ch *openChannel) name() string { return channelName(ch.connection, ch.Number) }

func channelName(c broker.Connection, number uint16) string {
	return fmt.Sprintf("%s (%d)", c.Name(), number)
}

func (s *Server) channelAny(ch openChannel) any { return new(s.channelObject(&ch)) }

func (s *Server) channelObject(ch *openChannel) channelObject {
	r, changed := s.samples.channel(ch.connection, ch.Number)
	return channelObject{
		Name: ch.name(), Number: ch.Number, Node: s.broker.NodeName(),
		VHost: ch.of.VHost, User: ch.of.User, UserWhoPerformedAction: ch.of.User,
		ConnectionDetails: peer{Name: ch.of.Name, PeerHost: ch.of.PeerHost, PeerPort: ch.of.PeerPort},
		State:             "running", IdleSince: timestamp(idleSince(changed, s.broker.Now())),
		Confirm: ch.Confirm, Transactional: ch.Transactional,
		ConsumerCount: ch.Consumers, PrefetchCount: ch.Prefetch, GlobalPrefetchCount: ch.GlobalPrefetch,
		MessagesUnacknowledged: ch.Unacked, MessagesUnconfirmed: ch.Unconfirmed,
		MessagesUncommitted: ch.UncommittedPublishes, AcksUncommitted: ch.UncommittedAcks,
		MessageStats: messageStatsOf(&ch.Stats, r),
	}
}
