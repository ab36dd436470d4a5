package server

import "time"

// Config is how a server deals with its clients. The zero value of a field means its default.
type Config struct {
	// FrameMax is the largest frame in bytes that is offered in connection.tune. Default: 131072. At least 4096.
	FrameMax uint32
	// ChannelMax is how many channels a connection may have open at once. Default: 2047.
	ChannelMax uint16
	// Heartbeat is the interval offered in connection.tune, in whole seconds. Default: 60 s; negative: none.
	Heartbeat time.Duration
	// HandshakeTimeout bounds the time from accept to connection.open. Default: 10 s.
	HandshakeTimeout time.Duration
	// ProxyProtocol makes every connection begin with a PROXY protocol header, version 1 or 2.
	ProxyProtocol bool
	// MaxUnfinishedBytes bounds the messages that a connection has sent in part, over all its channels. Default: the
	// largest message and 16 MiB. MaxUnfinishedBytesTotal does so for all connections. Default: 1 GiB, or what
	// one connection may have if that is more.
	MaxUnfinishedBytes, MaxUnfinishedBytesTotal int64
	// MaxUncommittedBytes bounds the messages that transactions hold, over all connections. Default: 1 GiB.
	MaxUncommittedBytes int64
	// MaxPausing bounds the connections that are kept for a moment after a failed login or a malformed frame, so
	// that a client cannot try again at once. Beyond it they are dropped without a pause. Default: 1000; negative: none.
	MaxPausing int
	// ConsumerTimeout is how long a delivery may stay unacknowledged before its channel is closed (406). It is looked
	// once a minute. Default: 30 minutes; negative: for ever.
	ConsumerTimeout time.Duration
	// ServerProperties are added to connection.start's, replacing those of the same name.
	ServerProperties map[string]string
}

// DefaultConsumerTimeout is RabbitMQ 3.10's consumer_timeout.
const DefaultConsumerTimeout = 30 * time.Minute

const (
	// silentClosePause is how long RabbitMQ waits before it drops a client that failed to log in or sent garbage.
	silentClosePause = 3 * time.Second
	// closeWait bounds the wait for the other side after a connection.close; a shorter heartbeat shortens it.
	closeWait = 30 * time.Second
	// farewell is how long a client may take to accept what is written for it when the broker stops.
	farewell = 3 * time.Second
	// goodbye is how long a client may then take to read that the broker stops.
	goodbye = time.Second
	// minFrameMax is the least frame_max that a client may ask for, in bytes (spec 4.2.6 says 4096).
	minFrameMax = 4096
)

func (c Config) withDefaults(maxMessageSize uint64) Config {
	if c.FrameMax == 0 {
		c.FrameMax = 131072
	}
	if c.ChannelMax == 0 {
		c.ChannelMax = 2047
	}
	switch {
	case c.Heartbeat == 0:
		c.Heartbeat = 60 * time.Second
	case c.Heartbeat < 0:
		c.Heartbeat = 0
	}
	if c.HandshakeTimeout == 0 {
		c.HandshakeTimeout = 10 * time.Second
	}
	if c.MaxUnfinishedBytes == 0 {
		c.MaxUnfinishedBytes = int64(maxMessageSize) + 16<<20
	}
	if c.MaxUnfinishedBytesTotal == 0 {
		c.MaxUnfinishedBytesTotal = max(1<<30, c.MaxUnfinishedBytes)
	}
	if c.MaxUncommittedBytes == 0 {
		c.MaxUncommittedBytes = 1 << 30
	}
	if c.ConsumerTimeout == 0 {
		c.ConsumerTimeout = DefaultConsumerTimeout
	}
	if c.MaxPausing == 0 {
		c.MaxPausing = 1000
	}
	return c
}
