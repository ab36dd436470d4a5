package server

import (
	"errors"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/broker"
)

// send appends the frame of a method and counts it. The writer runs at the end of the batch. An answer to a change of
// durable definitions is held until that is durable, and so is what is sent after it.
func (c *conn) send(channel uint16, m amqp.Method) {
	unsaved := c.session != nil && c.session.Unsaved()
	if unsaved {
		c.session.Saved()
		c.heldCommit = c.commit
	}
	if unsaved || len(c.held) > 0 {
		c.held = amqp.AppendMethod(c.held, channel, m)
		c.heldFrames++
		return
	}
	c.out.lock()
	c.out.buf = amqp.AppendMethod(c.out.buf, channel, m)
	c.out.frames++
	c.out.unlock()
}

// releaseHeld waits until what the held answers confirm is durable, and sends them. They are dropped if that cannot be
// awaited, since the store fails or somebody wants the connection to end.
func (c *conn) releaseHeld() error {
	if len(c.held) == 0 {
		return nil
	}
	held, frames := c.held, c.heldFrames
	c.held, c.heldFrames = c.held[:0], 0
	c.push()
	switch err := c.srv.broker.WaitDurable(c.heldCommit, c.forced); {
	case errors.Is(err, broker.ErrStopped):
		return c.force.Load()
	case err != nil:
		return amqp.Errorf(amqp.InternalError, "")
	}
	c.out.lock()
	c.out.buf = append(c.out.buf, held...)
	c.out.frames += frames
	c.out.unlock()
	c.out.wake()
	return nil
}

// releaseHeldAtEnd does so before a close; if it fails, nothing more is promised.
func (c *conn) releaseHeldAtEnd() {
	if err := c.releaseHeld(); err != nil {
		c.log.Error().Err(err).Msg("answers are dropped since nobody can wait for the disk")
	}
}
