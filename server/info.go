package server

import (
	"cmp"
	"net"
	"slices"

	"github.com/warren-mq/warren/broker"
)

// Name is "peer:port -> local:port".
func (c *conn) Name() string { return c.name }

// Info is what the management API shows of the connection.
func (c *conn) Info() broker.ConnectionInfo {
	host, port := address(c.socket.LocalAddr())
	peerHost, peerPort := address(c.socket.RemoteAddr())
	c.mu.Lock()
	channels := len(c.channels)
	c.mu.Unlock()
	c.out.mu.Lock()
	pending, frames := len(c.out.buf), c.out.frames
	c.out.mu.Unlock()
	return broker.ConnectionInfo{
		Name: c.name, State: c.shownState(),
		User: c.user.Name, VHost: c.vhost, AuthMechanism: c.mechanism,
		Host: host, Port: port, PeerHost: peerHost, PeerPort: peerPort,
		ChannelMax: c.channelMax, FrameMax: c.frameMax, Heartbeat: uint16(c.heartbeat.Seconds()),
		Channels: channels, ConnectedAt: c.connectedAt, ClientProperties: c.clientProperties,
		ReceivedBytes: c.received.bytes.Load(), SentBytes: c.out.sent.Load(),
		ReceivedFrames: c.framesReceived.Load(), SentFrames: frames,
		PendingBytes: pending,
	}
}

// shownState is the connection's state; one that an alarm would hold at its next publish is blocking.
func (c *conn) shownState() string {
	if c.state.Load() == stateRunning && c.srv.broker.Alarms.Raised() {
		return "blocking"
	}
	return c.stateName()
}

func address(a net.Addr) (host string, port int) {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.IP.String(), tcp.Port
	}
	return a.String(), 0
}

// Channels lists the open channels by number.
func (c *conn) Channels() []broker.ChannelInfo {
	var list []broker.ChannelInfo
	for _, ch := range c.channelList() {
		list = append(list, ch.info())
	}
	slices.SortFunc(list, func(a, b broker.ChannelInfo) int { return cmp.Compare(a.Number, b.Number) })
	return list
}

func (ch *channel) info() broker.ChannelInfo {
	i := broker.ChannelInfo{
		Number:               ch.number,
		Confirm:              ch.confirm.Load(),
		Transactional:        ch.transactional.Load(),
		UncommittedPublishes: int(ch.counts.uncommittedPublishes.Load()),
		UncommittedAcks:      int(ch.counts.uncommittedAcks.Load()),
		IdleSince:            ch.idleSince(ch.conn.srv.broker.Now()),
		Stats: broker.ChannelStats{
			Published: ch.counts.published.Load(), Confirmed: ch.counts.confirmed.Load(),
			ReturnedUnroutable: ch.counts.returned.Load(), DroppedUnroutable: ch.counts.dropped.Load(),
		},
	}
	out := ch.conn.out
	out.mu.Lock()
	defer out.mu.Unlock()
	i.Consumers = len(ch.consumers)
	i.Prefetch, i.GlobalPrefetch = ch.prefetch, uint16(ch.globalPrefetch)
	i.Unacked, i.Unconfirmed = ch.unacked.count, int(ch.confirmTag-ch.confirmedTag)
	st := &ch.stats
	i.Stats.Delivered, i.Stats.DeliveredNoAck = st.Delivered, st.DeliveredNoAck
	i.Stats.Got, i.Stats.GotNoAck, i.Stats.GotEmpty = st.Got, st.GotNoAck, st.GotEmpty
	i.Stats.Redelivered, i.Stats.Acked = st.Redelivered, st.Acked
	return i
}

// ConsumerChannel says where a consumer of a queue belongs: its connection and the number of its channel.
func (k *consumer) ConsumerChannel() (broker.Connection, uint16) { return k.ch.conn, k.ch.number }
