package server

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"time"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/auth"
)

// refused is a client that failed before it was let in. RabbitMQ does not answer such clients in most cases: it waits
// for a while and drops them, so that guessing is slow.
type refused struct {
	reason string      // for the log
	reply  *amqp.Error // what the client is told first; nil for nothing
	pause  bool
	close  bool // reply is a connection.close in its own right, whose answer is awaited
}

func (r *refused) Error() string { return r.reason }

// handshake runs from the protocol header to connection.open-ok (spec 2.2.4; protocol.md §2 and §3).
func (c *conn) handshake() error {
	c.socket.SetDeadline(time.Now().Add(c.srv.cfg.HandshakeTimeout))
	if c.force.Load() != nil { // the line above may have undone what forceClose set
		c.interrupt()
	}
	c.identify()
	major, minor, err := c.protocolHeader()
	if err != nil {
		return err
	}
	if err := c.start(major, minor); err != nil {
		return err
	}
	if err := c.tune(); err != nil {
		return err
	}
	if err := c.open(); err != nil {
		return err
	}
	c.socket.SetDeadline(time.Time{})
	if c.force.Load() != nil { // likewise
		c.interrupt()
	}
	return nil
}

// protocolHeader takes AMQP 0-9-1, and 0-9 and 0-8 in their own spelling, which use the same frames and methods.
func (c *conn) protocolHeader() (major, minor byte, err error) {
	header, err := c.frames.ReadProtocolHeader()
	if err != nil {
		return 0, 0, err
	}
	switch string(header[:]) {
	case "AMQP\x00\x00\x09\x01", "AMQP\x01\x01\x00\x09":
		return 0, 9, nil
	case "AMQP\x01\x01\x08\x00":
		return 8, 0, nil
	}
	c.out.lock()
	c.out.buf = append(c.out.buf, "AMQP\x00\x00\x09\x01"...)
	c.out.unlock()
	c.out.flush()
	return 0, 0, &refused{reason: fmt.Sprintf("protocol header % x is not supported", header)}
}

// start offers the mechanisms and checks who the client is.
func (c *conn) start(major, minor byte) error {
	c.send(0, &amqp.ConnectionStart{
		VersionMajor: major, VersionMinor: minor,
		ServerProperties: c.srv.properties(major == 0),
		Mechanisms:       mechanisms(),
		Locales:          "en_US",
	})
	var ok amqp.ConnectionStartOk
	if err := c.expect(&ok); err != nil {
		return err
	}
	c.clientProperties = ok.ClientProperties
	c.capabilities = capabilitiesOf(ok.ClientProperties)
	c.mechanism = ok.Mechanism
	name, password, err := auth.Response(ok.Mechanism, ok.Response)
	if err != nil {
		return &refused{reason: err.Error(), pause: true}
	}
	b := c.srv.broker
	b.Totals.AuthAttempts.Add(1)
	c.user, err = b.Users.Authenticate(name, password, c.socket.RemoteAddr())
	if err != nil {
		b.Totals.AuthFailures.Add(1)
		return c.loginRefused(ok.Mechanism, err)
	}
	return nil
}

// loginRefused tells a client that can take it that the login failed, never why.
func (c *conn) loginRefused(mechanism string, why error) error {
	r := &refused{reason: fmt.Sprintf("%s login refused: %v", mechanism, why), pause: true}
	if c.capabilities.authenticationFailureClose {
		r.reply = auth.Refusal(mechanism)
	}
	return r
}

// tune agrees on limits. The client's heartbeat is taken as it is; its other values must be within the offer.
func (c *conn) tune() error {
	c.state.Store(stateTuning)
	cfg := &c.srv.cfg
	c.send(0, &amqp.ConnectionTune{
		ChannelMax: cfg.ChannelMax, FrameMax: cfg.FrameMax, Heartbeat: uint16(cfg.Heartbeat / time.Second),
	})
	var ok amqp.ConnectionTuneOk
	if err := c.expect(&ok); err != nil {
		return err
	}
	if err := negotiated("channel_max", uint32(ok.ChannelMax), uint32(cfg.ChannelMax), 1); err != nil {
		return err
	}
	if err := negotiated("frame_max", ok.FrameMax, cfg.FrameMax, minFrameMax); err != nil {
		return err
	}
	c.channelMax, c.frameMax = ok.ChannelMax, ok.FrameMax
	c.heartbeat = time.Duration(ok.Heartbeat) * time.Second
	c.frames.SetFrameMax(ok.FrameMax)
	return nil
}

func negotiated(what string, value, offered, least uint32) error {
	text := ""
	switch {
	case value == 0 && offered != 0:
		text = fmt.Sprintf("negotiated %s = 0 (no limit) is higher than the maximum allowed value (%d)", what, offered)
	case value > offered:
		text = fmt.Sprintf("negotiated %s = %d is higher than the maximum allowed value (%d)", what, value, offered)
	case value < least:
		text = fmt.Sprintf("negotiated %s = %d is lower than the minimum allowed value (%d)", what, value, least)
	default:
		return nil
	}
	return &refused{reason: "failed to negotiate connection parameters: " + text, pause: true}
}

// open lets the user into the vhost.
func (c *conn) open() error {
	c.state.Store(stateOpening)
	var open amqp.ConnectionOpen
	if err := c.expect(&open); err != nil {
		return err
	}
	session, err := c.srv.broker.Open(c.user, open.VirtualHost, c)
	if err != nil {
		r := &refused{reason: err.Error(), close: true}
		if e, ok := errors.AsType[*amqp.Error](err); ok {
			e.Method = amqp.ConnectionOpenID
			r.reply = e
		}
		return r
	}
	c.vhost, c.session = open.VirtualHost, session
	c.state.Store(stateRunning)
	c.srv.broker.AddConnection(c) // end removes it
	c.send(0, &amqp.ConnectionOpenOk{})
	c.out.wake()
	c.log = c.log.With().Str("vhost", c.vhost).Str("user", c.user.Name).Logger()
	c.log.Info().Str("name", connectionName(c.clientProperties)).Msg("AMQP connection authenticated and granted access to vhost")
	return nil
}

// expect waits for one method on channel 0; heartbeats may come before it.
func (c *conn) expect(m amqp.Method) error {
	c.out.wake()
	for {
		f, ok, err := c.frames.Next()
		if err != nil {
			return &refused{reason: err.Error(), pause: true}
		}
		if !ok {
			if err := c.frames.Fill(); err != nil {
				return err
			}
			continue
		}
		if f.Type == amqp.FrameHeartbeat && f.Channel == 0 {
			continue
		}
		if f.Type != amqp.FrameMethod || f.Channel != 0 {
			return c.outOfPlace(amqp.UnexpectedFrameError(f))
		}
		id, args, err := amqp.SplitMethod(f.Payload)
		if err != nil {
			return &refused{reason: err.Error()}
		}
		if id != m.ID() {
			e := amqp.Errorf(amqp.ChannelError, "unexpected method in connection state %s", c.stateName())
			e.Method = id
			return c.outOfPlace(e)
		}
		if err := m.Decode(args); err != nil {
			return &refused{reason: err.Error(), pause: true}
		}
		return nil
	}
}

// outOfPlace is a frame that does not belong into the handshake. A client that has logged in is told so.
func (c *conn) outOfPlace(e *amqp.Error) error {
	if c.state.Load() == stateOpening {
		return &refused{reason: e.Error(), reply: e, close: true}
	}
	return &refused{reason: e.Error(), pause: true}
}

// handshakeFailed answers a client that was not let in.
func (c *conn) handshakeFailed(err error) {
	var r *refused
	if !errors.As(err, &r) {
		level := c.log.Debug()
		e, ok := errors.AsType[net.Error](err)
		switch {
		case ok && e.Timeout() && c.force.Load() == nil:
			level = c.log.Error().Str("cause", "handshake_timeout")
		case c.srv.cfg.ProxyProtocol && c.received.bytes.Load() == 0: // mostly a client that is no proxy, or one that only knocks
			level = c.log.Warn()
		}
		level.Err(err).Str("state", c.stateName()).Msg("AMQP handshake was not finished")
		return
	}
	c.log.Error().Str("state", c.stateName()).Str("error", r.reason).Msg("AMQP connection refused")
	if r.reply != nil {
		c.sendClose(r.reply)
	}
	switch {
	case r.close:
		c.srv.pausingWhile(func() { c.awaitCloseOk(c.closeTimeout()) })
	case r.pause && r.reply != nil:
		c.srv.pausingWhile(func() { c.awaitCloseOk(silentClosePause) })
	case r.pause:
		c.srv.pause(silentClosePause)
	}
}

func (c *conn) stateName() string { return stateNames[c.state.Load()] }

// properties are connection.start's server-properties, sorted by key. Clients gate features on product and version.
// AMQP 0-8 and 0-9 clients get no capabilities, as from 3.10.8.
func (s *Server) properties(current bool) amqp.Table {
	b := s.broker
	capabilities := amqp.Table{
		{Name: "publisher_confirms", Value: true},
		{Name: "exchange_exchange_bindings", Value: true},
		{Name: "basic.nack", Value: true},
		{Name: "consumer_cancel_notify", Value: true},
		{Name: "connection.blocked", Value: true},
		{Name: "consumer_priorities", Value: true},
		{Name: "authentication_failure_close", Value: true},
		{Name: "per_consumer_qos", Value: true},
		{Name: "direct_reply_to", Value: true},
	}
	if !current {
		capabilities = amqp.Table{}
	}
	t := amqp.Table{
		{Name: "capabilities", Value: capabilities},
		{Name: "cluster_name", Value: b.NodeName()},
		{Name: "copyright", Value: "Copyright (c) the Warren authors"},
		{Name: "information", Value: "Licensed under the Apache License 2.0"},
		{Name: "platform", Value: runtime.Version()},
		{Name: "product", Value: b.Product()},
		{Name: "version", Value: b.Version()},
	}
	return overlay(t, s.cfg.ServerProperties)
}

// mechanisms are the names of those that are offered.
func mechanisms() string {
	var names []string
	for _, m := range auth.Mechanisms() {
		names = append(names, m.Name)
	}
	return strings.Join(names, " ")
}

// capabilitiesOf reads the client's capabilities; what is not a table counts as empty.
func capabilitiesOf(properties amqp.Table) capabilities {
	v, _ := properties.Get("capabilities")
	t, _ := v.(amqp.Table)
	says := func(name string) bool {
		v, _ := t.Get(name)
		yes, _ := v.(bool)
		return yes
	}
	return capabilities{
		authenticationFailureClose: says("authentication_failure_close"),
		consumerCancelNotify:       says("consumer_cancel_notify"),
		connectionBlocked:          says("connection.blocked"),
	}
}

// connectionName is the name that the client gave its connection.
func connectionName(properties amqp.Table) string {
	v, _ := properties.Get("connection_name")
	name, _ := v.(string)
	return name
}
