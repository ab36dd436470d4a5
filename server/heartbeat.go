package server

import (
	"time"

	"github.com/warren-mq/warren/amqp"
)

// startHeartbeats begins to send heartbeats every half interval in which nothing else was sent, and to look every
// interval whether the client sent anything; two intervals of silence in a row end the connection with a reset
// (protocol.md §4).
func (c *conn) startHeartbeats() {
	if c.heartbeat == 0 {
		return
	}
	var sent, received uint64
	silent, half := 0, false
	var beat func()
	beat = func() { // runs in the timer's goroutine, never twice at once, since it starts its own successor
		n := c.out.sent.Load()
		if n == sent && c.sendHeartbeat() {
			n += heartbeatSize
		}
		sent = n
		if half = !half; !half {
			n := c.received.bytes.Load()
			switch {
			case n != received || c.state.Load() == stateBlocked:
				received, silent = n, 0 // a client that is not read cannot be heard
			default:
				silent++
			}
			if silent == 2 {
				c.log.Error().Dur("timeout", c.heartbeat).Msg("missed heartbeats from client")
				c.reset()
				return
			}
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.beats != nil {
			c.beats.Reset(c.heartbeat / 2)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.beats = time.AfterFunc(c.heartbeat/2, beat)
}

// heartbeatSize is what a heartbeat adds to the bytes sent.
const heartbeatSize = amqp.FrameOverhead

// sendHeartbeat sends one unless something else is about to be sent.
func (c *conn) sendHeartbeat() bool {
	c.out.lock()
	idle := len(c.out.buf) == 0 && !c.out.closed
	if idle {
		c.out.buf = amqp.AppendHeartbeat(c.out.buf)
		c.out.frames++
	}
	c.out.mu.Unlock()
	c.out.wake()
	return idle
}

func (c *conn) stopHeartbeats() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.beats != nil {
		c.beats.Stop()
		c.beats = nil
	}
}
