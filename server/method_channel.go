package server

import "github.com/warren-mq/warren/amqp"

// flow: a client may not stop deliveries (protocol.md §5); asking to go on is answered.
func (ch *channel) flow(m *amqp.ChannelFlow) error {
	if !m.Active {
		return amqp.Errorf(amqp.NotImplemented, "active=false")
	}
	ch.conn.send(ch.number, &amqp.ChannelFlowOk{Active: true})
	return nil
}

// close ends the channel: its consumers are gone and its deliveries are back in their queues before close-ok.
func (ch *channel) close(*amqp.ChannelClose) error {
	c := ch.conn
	c.removeChannel(ch)
	c.send(ch.number, &amqp.ChannelCloseOk{})
	return nil
}

// access is a relic of AMQP 0-8 that some clients still send.
func (ch *channel) access(*amqp.AccessRequest) error {
	ch.conn.send(ch.number, &amqp.AccessRequestOk{Ticket: 1})
	return nil
}
