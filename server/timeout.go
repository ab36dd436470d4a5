package server

import (
	"time"

	"github.com/warren-mq/warren/amqp"
)

// sweepInterval is how often it is looked whether clients owe acknowledgements (RabbitMQ 3.10.8: channel_tick_interval).
const sweepInterval = time.Minute

// sweep looks for deliveries that were not acknowledged in time, over all connections, until the server ends. One
// goroutine serves all of them.
func (s *Server) sweep() {
	tick := time.NewTicker(sweepInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-s.ending:
			return
		}
		s.mu.Lock()
		conns := make([]*conn, 0, len(s.conns))
		for c := range s.conns {
			conns = append(conns, c)
		}
		s.mu.Unlock()
		now := s.broker.Now().UnixMilli()
		for _, c := range conns {
			for _, ch := range c.channelList() {
				if ch.overdue(now) != nil {
					c.nudge()
					break
				}
			}
		}
	}
}

// overdue returns the consumer of the channel's oldest unacknowledged delivery if that was made too long ago. What
// basic.get fetched counts (RabbitMQ 3.10.8 behaviour).
func (ch *channel) overdue(now int64) *consumer {
	limit := ch.conn.srv.cfg.ConsumerTimeout
	out := ch.conn.out
	out.mu.Lock()
	defer out.mu.Unlock()
	if limit < 0 || ch.unacked.count == 0 {
		return nil
	}
	oldest := ch.unacked.entries[ch.unacked.head]
	if ch.unacked.ages.since(oldest.tag, now) >= now-limit.Milliseconds() {
		return nil
	}
	return oldest.consumer
}

// nudge makes the reader look at its channels, whatever it waits for. It may be called from any goroutine.
func (c *conn) nudge() {
	select {
	case c.nudges <- struct{}{}:
	default: // it has not yet looked since the last time
	}
	c.out.nudge()
	c.socket.SetReadDeadline(time.Unix(1, 0)) // in the past: a read returns at once
}

// nudged undoes what nudge did to the socket. Somebody may want the connection to end meanwhile.
func (c *conn) nudged() {
	c.socket.SetReadDeadline(time.Time{})
	if c.force.Load() != nil {
		c.interrupt()
	}
}

// answerNudge closes the channels that owe acknowledgements, if the reader was nudged. Their messages return to their
// queues.
func (c *conn) answerNudge() {
	select {
	case <-c.nudges:
	default:
		return
	}
	c.nudged()
	c.closeOverdue()
}

func (c *conn) closeOverdue() {
	now := c.now()
	for _, ch := range c.channelList() {
		k := ch.overdue(now)
		if k == nil {
			continue
		}
		limit := c.srv.cfg.ConsumerTimeout.Milliseconds()
		c.log.Warn().Str("consumer", k.tag).Uint16("channel", ch.number).Int64("timeout", limit).
			Msg("Consumer has timed out waiting for delivery acknowledgement")
		// A soft error closes the channel alone, and so leaves no error here.
		_ = c.channelFailed(ch, amqp.Errorf(amqp.PreconditionFailed,
			"delivery acknowledgement on channel %d timed out. Timeout value used: %d ms. "+
				"This timeout value can be configured, see consumers doc guide to learn more", ch.number, limit))
	}
	c.endBatch()
}
