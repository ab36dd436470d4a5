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
	h := &heartbeats{conn: c}
	c.out.mu.Lock()
	h.frames = c.out.frames // those of the handshake do not count: the first tick always sends
	c.out.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.beats = time.AfterFunc(c.heartbeat/2, h.beat)
}

// heartbeats is what was seen at the last tick. Only the timer's goroutine uses it, never twice at once, since a tick
// starts its own successor.
type heartbeats struct {
	conn         *conn
	frames       uint64 // sent
	half         bool   // this tick was one between two checks
	deaf         bool   // at a tick since the last check the reader did not listen, and not because of this client
	received     uint64 // bytes
	sent         uint64 // bytes
	silentChecks int    // in a row
}

// maxSilentChecks is how many checks in a row may find nothing.
const maxSilentChecks = 2

func (h *heartbeats) beat() {
	c := h.conn
	h.send()
	h.look()
	if h.half = !h.half; !h.half && !h.heard() {
		c.log.Error().Dur("timeout", c.heartbeat).Msg("missed heartbeats from client")
		c.reset()
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.beats != nil {
		c.beats.Reset(c.heartbeat / 2)
	}
}

// send sends a heartbeat unless something else was sent since the last tick.
func (h *heartbeats) send() {
	out := h.conn.out
	out.lock()
	if out.frames == h.frames && len(out.buf) == 0 && !out.closed {
		out.buf = amqp.AppendHeartbeat(out.buf)
		out.frames++
	}
	h.frames = out.frames
	out.unlock()
	out.wake()
}

// look notes at every tick whether the client could be heard.
func (h *heartbeats) look() {
	h.deaf = h.deaf || !h.conn.listening.Load() && !h.conn.out.waits()
}

// heard tells whether the client may still be there. While the reader does not listen, since it waits for an alarm to
// end or for the disk, the client cannot be heard, and it has a whole interval from then on; while the reader waits for the
// client to take what was written, it must take something.
func (h *heartbeats) heard() bool {
	c := h.conn
	received, sent := c.received.bytes.Load(), c.out.sent.Load()
	alive := received != h.received || h.deaf
	if c.out.waits() {
		alive = alive || sent != h.sent
	}
	h.received, h.sent, h.deaf = received, sent, false
	if alive {
		h.silentChecks = 0
		return true
	}
	h.silentChecks++
	return h.silentChecks < maxSilentChecks
}

func (c *conn) stopHeartbeats() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.beats != nil {
		c.beats.Stop()
		c.beats = nil
	}
}
