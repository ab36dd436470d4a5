package server

import (
	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/broker"
)

// countUncommitted adds a message that a transaction holds to what is counted over all connections. There is no room
// for it in a queue, no disk and no prefetch that would bound it, and an alarm alone would hold all publishers for ever:
// beyond MaxUncommittedBytes the connection that holds the most is closed.
func (tx *transaction) countUncommitted(c *conn, held *broker.Held) error {
	n := held.Bytes()
	tx.bytes += n
	c.uncommitted.Add(n)
	if c.srv.uncommitted.Add(n) > c.srv.cfg.MaxUncommittedBytes {
		uncommitted := func(c *conn) int64 { return c.uncommitted.Load() }
		if c.srv.endLargest(uncommitted, tooMuchUncommitted) == c {
			return tooMuchUncommitted()
		}
	}
	return nil
}

// forgetUncommitted takes off what countUncommitted has added.
func (tx *transaction) forgetUncommitted(c *conn) {
	c.uncommitted.Add(-tx.bytes)
	c.srv.uncommitted.Add(-tx.bytes)
	tx.bytes = 0
}

func tooMuchUncommitted() *amqp.Error {
	return &amqp.Error{Code: amqp.ResourceError, Reason: "too many bytes of uncommitted messages", Method: amqp.BasicPublishID}
}
