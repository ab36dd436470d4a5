package server

import "github.com/warren-mq/warren/amqp"

// decoder is a method that can be read from a frame.
type decoder interface{ Decode([]byte) error }

// decoded runs f with the decoded method.
func decoded[M any, P interface {
	*M
	decoder
}](args []byte, f func(P) error) error {
	var m M
	if err := P(&m).Decode(args); err != nil {
		return err
	}
	return f(&m)
}

// handleSynchronous deals with all methods but publish and acknowledgements. They see everything before them settled.
func (ch *channel) handleSynchronous(id amqp.MethodID, args []byte) error {
	c := ch.conn
	c.settle()
	c.fx.AwaitBurials(c.forced)
	ch.active.Store(c.now())
	if ch.committing.Load() && id != amqp.ChannelCloseID {
		return committing()
	}
	if class := id.Class(); class != classExchange && class != classQueue {
		// Only definitions may gather for one commit: what comes after them must not be answered before.
		if err := c.releaseHeld(); err != nil {
			return err
		}
	}
	entered := c.enter()
	err := ch.handleChannelMethod(id, args)
	c.leave(entered)
	return err
}

// handleChannelMethod deals with the classes channel, access, exchange and queue, between Enter and Leave.
func (ch *channel) handleChannelMethod(id amqp.MethodID, args []byte) error {
	switch id {
	case amqp.ChannelOpenID:
		return amqp.Errorf(amqp.ChannelError, "second 'channel.open' seen")
	case amqp.ChannelFlowID:
		return decoded(args, ch.flow)
	case amqp.ChannelCloseID:
		return decoded(args, ch.close)
	case amqp.AccessRequestID:
		return decoded(args, ch.access)
	case amqp.ExchangeDeclareID:
		return decoded(args, ch.exchangeDeclare)
	case amqp.ExchangeDeleteID:
		return decoded(args, ch.exchangeDelete)
	case amqp.ExchangeBindID:
		return decoded(args, ch.exchangeBind)
	case amqp.ExchangeUnbindID:
		return decoded(args, ch.exchangeUnbind)
	case amqp.QueueDeclareID:
		return decoded(args, ch.queueDeclare)
	case amqp.QueueBindID:
		return decoded(args, ch.queueBind)
	case amqp.QueueUnbindID:
		return decoded(args, ch.queueUnbind)
	case amqp.QueuePurgeID:
		return decoded(args, ch.queuePurge)
	case amqp.QueueDeleteID:
		return decoded(args, ch.queueDelete)
	}
	return ch.handleBasic(id, args)
}

// handleBasic deals with the classes basic, confirm and tx.
func (ch *channel) handleBasic(id amqp.MethodID, args []byte) error {
	switch id {
	case amqp.BasicQosID:
		return decoded(args, ch.qos)
	case amqp.BasicConsumeID:
		return decoded(args, ch.consume)
	case amqp.BasicCancelID:
		return decoded(args, ch.cancel)
	case amqp.BasicGetID:
		return decoded(args, ch.get)
	case amqp.BasicRecoverID:
		return decoded(args, ch.recover)
	case amqp.BasicRecoverAsyncID:
		return decoded(args, ch.recoverAsync)
	case amqp.ConfirmSelectID:
		return decoded(args, ch.confirmSelect)
	case amqp.TxSelectID:
		return decoded(args, ch.txSelect)
	case amqp.TxCommitID:
		return decoded(args, ch.txCommit)
	case amqp.TxRollbackID:
		return decoded(args, ch.txRollback)
	}
	return amqp.Errorf(amqp.CommandInvalid, "unimplemented method")
}

// handleConnectionMethod deals with the methods on channel 0 of a running connection.
func (c *conn) handleConnectionMethod(id amqp.MethodID, args []byte) error {
	switch id {
	case amqp.ConnectionCloseID:
		return decoded(args, c.closeAsked)
	case amqp.ConnectionUpdateSecretID:
		return decoded(args, func(*amqp.ConnectionUpdateSecret) error {
			// The internal user database has no secrets that expire.
			c.send(0, &amqp.ConnectionUpdateSecretOk{})
			return nil
		})
	}
	if err := decodable(id, args); err != nil {
		return err
	}
	return amqp.Errorf(amqp.ChannelError, "unexpected method in connection state %s", c.stateName())
}
