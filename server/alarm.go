package server

import (
	"net"

	"github.com/warren-mq/warren/amqp"
)

// holdPublisher stops reading from a client that has begun to send a message while an alarm is raised, until no
// alarm is left. Deliveries to it go on. A client that can take connection.blocked is told (protocol.md §7).
func (c *conn) holdPublisher() error {
	cleared, reason := c.srv.broker.Alarms.Wait()
	if cleared == nil {
		return nil
	}
	c.endBatch()
	if err := c.releaseHeld(); err != nil {
		return err
	}
	c.state.Store(stateBlocked)
	if c.capabilities.connectionBlocked {
		c.send(0, &amqp.ConnectionBlocked{Reason: reason})
	}
	c.out.wake()
	c.log.Warn().Str("reason", reason).Msg("publisher is held")
	for held := true; held; {
		select {
		case <-cleared:
			held = false
		case <-c.nudges:
			c.closeOverdue()
		case <-c.forced:
			return c.force.Load()
		case <-c.cut: // nobody reads, so only the writer notices that the client is gone
			return net.ErrClosed
		}
	}
	c.state.Store(stateRunning)
	if c.capabilities.connectionBlocked {
		c.send(0, &amqp.ConnectionUnblocked{})
	}
	c.out.wake()
	return nil
}

// waitForDisk holds a publisher while more waits for the disk than should. If that is because the disk is full, the alarm
// comes only now: the client is told, as if it had begun its next message.
func (c *conn) waitForDisk() error {
	for !c.srv.broker.WaitRoom(c.forced) {
		if err := c.holdPublisher(); err != nil {
			return err
		}
	}
	return nil
}
