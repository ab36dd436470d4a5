package server

import (
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/warren-mq/warren/amqp"
)

// Close asks the client to go: connection.close 320 with the reason. It may be called from any goroutine.
func (c *conn) Close(reason string) {
	c.forceClose(&amqp.Error{Code: amqp.ConnectionForced, Reason: reason})
}

// shutDown does so because the broker stops. The answer to an earlier close is not awaited any longer.
func (c *conn) shutDown() {
	c.Close("broker forced connection closure with reason 'shutdown'")
	c.interrupt()
	c.socket.SetWriteDeadline(time.Now().Add(farewell))
}

// forceClose makes the reader find e as soon as it waits, for the client or for an alarm to end.
func (c *conn) forceClose(e *amqp.Error) {
	c.forceOnce.Do(func() {
		c.force.Store(e)
		close(c.forced)
		c.interrupt()
	})
}

// interrupt ends the reader's wait for the client.
func (c *conn) interrupt() {
	c.out.interrupt()
	c.socket.SetReadDeadline(time.Unix(1, 0)) // in the past: a read returns at once
}

// readWithin sets the read deadline for a wait that the end of the broker cuts short.
func (c *conn) readWithin(limit time.Duration) {
	c.socket.SetReadDeadline(time.Now().Add(limit))
	if c.srv.isEnding() { // shutDown may have come before the line above
		c.interrupt()
	}
}

// writeWithin does so for writing.
func (c *conn) writeWithin(limit time.Duration) {
	c.socket.SetWriteDeadline(time.Now().Add(limit))
	if c.srv.isEnding() {
		c.socket.SetWriteDeadline(time.Now().Add(min(limit, farewell)))
	}
}

// finish ends a connection whose handshake was through.
func (c *conn) finish(err error) {
	var bad *malformed
	var e *amqp.Error
	switch {
	case errors.Is(err, errClosed):
		c.log.Info().Msg("closing AMQP connection")
	case errors.As(err, &bad) && errors.As(err, &e):
		c.log.Error().Str("error", e.ReplyText()).Msg("malformed frame")
		c.releaseAll()
		c.sendClose(e)
		c.srv.pause(silentClosePause)
	case errors.As(err, &e):
		c.closeFor(e)
	case errors.Is(err, net.ErrClosed): // cut by us, and logged there
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, os.ErrDeadlineExceeded):
		c.log.Warn().Msg("client unexpectedly closed TCP connection")
	default:
		c.log.Warn().Err(err).Msg("client unexpectedly closed TCP connection")
	}
}

// closeFor sends connection.close and waits for the client's close-ok, at most closeWait.
func (c *conn) closeFor(e *amqp.Error) {
	if e.Code == amqp.ConnectionForced {
		c.log.Warn().Str("reason", e.Reason).Msg("connection closed by the broker")
	} else {
		c.log.Error().Str("error", e.ReplyText()).Stringer("method", e.Method).Msg("connection error")
	}
	c.releaseAll()
	c.sendClose(e)
	if c.srv.isEnding() {
		c.awaitGoodbye()
		return
	}
	c.srv.pausingWhile(func() { c.awaitCloseOk(c.closeTimeout()) })
}

// awaitGoodbye gives a client the time to read why the broker goes, which a reset of the socket would take away from
// it: until it answers or closes, and for goodbye at the most. RabbitMQ resets at once.
func (c *conn) awaitGoodbye() {
	for end := time.Now().Add(goodbye); time.Now().Before(end); {
		c.socket.SetReadDeadline(end) // anew, since shutDown may have interrupted once more
		f, ok, err := c.frames.Next()
		switch {
		case err != nil:
			return
		case !ok:
			if err := c.frames.Fill(); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
				return
			}
		case f.Channel == 0 && f.Type == amqp.FrameMethod:
			if id, _, err := amqp.SplitMethod(f.Payload); err != nil || id == amqp.ConnectionCloseOkID {
				return
			}
		}
	}
}

func (c *conn) sendClose(e *amqp.Error) {
	c.releaseHeldAtEnd()
	c.state.Store(stateClosing)
	c.send(0, &amqp.ConnectionClose{
		ReplyCode: uint16(e.Code), ReplyText: e.ReplyText(), ClassID: e.Method.Class(), MethodID: e.Method.Method(),
	})
	c.writeWithin(closeWait)
	c.out.flush()
}

// awaitCloseOk ignores what the client sends until it answers connection.close, at most for so long.
func (c *conn) awaitCloseOk(limit time.Duration) {
	c.readWithin(limit)
	for {
		f, ok, err := c.frames.Next()
		if err != nil {
			return
		}
		if !ok {
			if c.srv.isEnding() || c.frames.Fill() != nil {
				return
			}
			continue
		}
		if f.Channel != 0 || f.Type != amqp.FrameMethod {
			continue
		}
		switch id, _, err := amqp.SplitMethod(f.Payload); {
		case err != nil:
			return
		case id == amqp.ConnectionCloseOkID:
			return
		case id == amqp.ConnectionCloseID:
			c.send(0, &amqp.ConnectionCloseOk{})
			c.out.flush()
		}
	}
}

// closeAsked ends the connection as the client wishes: exclusive queues are gone before close-ok.
func (c *conn) closeAsked(*amqp.ConnectionClose) error {
	c.releaseHeldAtEnd()
	c.releaseAll()
	c.state.Store(stateClosing)
	c.send(0, &amqp.ConnectionCloseOk{})
	c.writeWithin(c.closeTimeout())
	c.out.flush()
	// The client closes the socket, so that nothing on the way is lost to a reset.
	c.readWithin(c.closeTimeout())
	for !c.srv.isEnding() && c.frames.Fill() == nil {
		for {
			if _, ok, err := c.frames.Next(); !ok || err != nil {
				break
			}
		}
	}
	return errClosed
}

// closeTimeout is how long the other side may take after a close: a heartbeat, at most closeWait.
func (c *conn) closeTimeout() time.Duration {
	if c.heartbeat > 0 {
		return min(c.heartbeat, closeWait)
	}
	return closeWait
}

// reset cuts the socket, so that the client sees a TCP reset, as RabbitMQ's forced closes do. It may be called from any
// goroutine.
func (c *conn) reset() {
	socket := c.socket
	if proxied, ok := socket.(interface{ Raw() net.Conn }); ok {
		socket = proxied.Raw()
	}
	if t, ok := socket.(interface{ SetLinger(int) error }); ok {
		t.SetLinger(0) // fails only on a socket that is closed already
	}
	c.socket.Close()
	c.cutOnce.Do(func() { close(c.cut) })
}

// end releases everything. It runs last, whatever happened.
func (c *conn) end() {
	c.releaseAll()
	c.reset()
	c.out.close()
	c.frames.Release()
	c.srv.broker.RemoveConnection(c)
	c.srv.broker.Totals.SentBytes.Add(c.out.sent.Load())
	c.srv.broker.Totals.ReceivedBytes.Add(c.received.bytes.Load())
}

// releaseAll ends the channels, gives back what they hold and deletes the connection's exclusive queues.
func (c *conn) releaseAll() {
	if c.session == nil {
		return
	}
	c.settle()
	c.releaseBodies()
	entered := c.enter()
	for _, ch := range c.channelList() {
		c.removeChannel(ch)
	}
	c.session.Close()
	c.leave(entered)
	c.fx.Run()
	c.session = nil
}
