package management

import (
	"github.com/warren-mq/warren/broker"
)

// connectionObject is a client's connection.
type connectionObject struct {
	Name                   string `json:"name"`
	Node                   string `json:"node"`
	Type                   string `json:"type"`
	State                  string `json:"state"`
	VHost                  string `json:"vhost"`
	User                   string `json:"user"`
	UserProvidedName       string `json:"user_provided_name,omitempty"`
	UserWhoPerformedAction string `json:"user_who_performed_action"`
	Protocol               string `json:"protocol"`
	AuthMechanism          string `json:"auth_mechanism"`
	Host                   string `json:"host"`
	Port                   int    `json:"port"`
	PeerHost               string `json:"peer_host"`
	PeerPort               int    `json:"peer_port"`

	SSL bool `json:"ssl"`
	noTLS

	Channels         int    `json:"channels"`
	ChannelMax       uint16 `json:"channel_max"`
	FrameMax         uint32 `json:"frame_max"`    // bytes
	Timeout          uint16 `json:"timeout"`      // heartbeat in seconds
	ConnectedAt      int64  `json:"connected_at"` // unix milliseconds
	ClientProperties table  `json:"client_properties"`

	RecvCnt        uint64  `json:"recv_cnt"` // frames; packets in RabbitMQ
	RecvOct        uint64  `json:"recv_oct"` // bytes
	RecvOctDetails details `json:"recv_oct_details"`
	SendCnt        uint64  `json:"send_cnt"`
	SendOct        uint64  `json:"send_oct"`
	SendOctDetails details `json:"send_oct_details"`
	SendPend       int     `json:"send_pend"` // bytes that wait; packets in RabbitMQ
}

// noTLS are the fields about TLS for a connection without it. In lists they are null, in a single object "" (RabbitMQ
// 3.10.8 behaviour).
type noTLS struct {
	SSLProtocol      any `json:"ssl_protocol"`
	SSLKeyExchange   any `json:"ssl_key_exchange"`
	SSLCipher        any `json:"ssl_cipher"`
	SSLHash          any `json:"ssl_hash"`
	PeerCertSubject  any `json:"peer_cert_subject"`
	PeerCertIssuer   any `json:"peer_cert_issuer"`
	PeerCertValidity any `json:"peer_cert_validity"`
}

// peer is a connection in few words, as other objects refer to it.
type peer struct {
	Name     string `json:"name"`
	PeerHost string `json:"peer_host"`
	PeerPort int    `json:"peer_port"`
}

func peerOf(c broker.Connection) peer {
	i := c.Info()
	return peer{Name: i.Name, PeerHost: i.PeerHost, PeerPort: i.PeerPort}
}

// visibleConnections are those that the user may see and, if the path names a vhost, that are in it.
func (r *request) visibleConnections() []broker.Connection {
	vhost, ofVHost := "", r.hasName("{vhost}")
	if ofVHost {
		vhost = r.name("{vhost}")
	}
	var visible []broker.Connection
	for _, c := range r.server.broker.Connections() {
		if !ofVHost && r.isMonitor() {
			visible = append(visible, c)
			continue
		}
		if i := c.Info(); r.maySee(i.User) && (!ofVHost || i.VHost == vhost) {
			visible = append(visible, c)
		}
	}
	return visible
}

func (s *Server) listConnections(r *request) (any, error) {
	return pagedListOf(r.visibleConnections(), func(c broker.Connection) any { return new(s.connectionObject(c)) }), nil
}

func (s *Server) getConnection(r *request) (any, error) {
	c, err := r.connection()
	if err != nil {
		return nil, err
	}
	o := s.connectionObject(c)
	o.noTLS = noTLS{"", "", "", "", "", "", ""}
	return o, nil
}

// connection is the one that the path names. That of another user does not exist for somebody who is no monitor; where
// RabbitMQ 3.10.8 has no such connection and the user is no monitor it fails with 500.
func (r *request) connection() (broker.Connection, error) {
	c, ok := r.server.broker.Connection(r.name("{connection}"))
	if !ok {
		return nil, errNotFound
	}
	if !r.maySee(c.Info().User) {
		return nil, unauthorised("Not monitor user")
	}
	return c, nil
}

// deleteConnection is the only thing that can be done with a connection.
func (s *Server) deleteConnection(r *request) error {
	c, err := r.connection()
	if err != nil {
		return err
	}
	reason := r.Header.Get("X-Reason")
	if reason == "" {
		reason = "Closed via management plugin"
	}
	s.log.Info().Str("user", r.user.Name).Str("connection", c.Name()).Str("reason", reason).Msg("closing a connection by HTTP")
	c.Close(reason)
	return nil
}

func (s *Server) connectionObject(c broker.Connection) connectionObject {
	i, r := c.Info(), s.samples.connection(c)
	return connectionObject{
		Name: i.Name, Node: s.broker.NodeName(), Type: "network", State: i.State,
		VHost: i.VHost, User: i.User, UserWhoPerformedAction: i.User, UserProvidedName: connectionName(i.ClientProperties),
		Protocol: "AMQP 0-9-1", AuthMechanism: i.AuthMechanism,
		Host: i.Host, Port: i.Port, PeerHost: i.PeerHost, PeerPort: i.PeerPort, SSL: i.TLS,
		Channels: i.Channels, ChannelMax: i.ChannelMax, FrameMax: i.FrameMax, Timeout: i.Heartbeat,
		ConnectedAt: i.ConnectedAt.UnixMilli(), ClientProperties: table(i.ClientProperties),
		RecvCnt: i.ReceivedFrames, RecvOct: i.ReceivedBytes, RecvOctDetails: r.counter(receivedBytes),
		SendCnt: i.SentFrames, SendOct: i.SentBytes, SendOctDetails: r.counter(sentBytes), SendPend: i.PendingBytes,
	}
}
