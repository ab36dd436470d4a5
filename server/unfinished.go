package server

import (
	"math/bits"
	"sync"

	"github.com/warren-mq/warren/amqp"
)

// Bodies that come in pieces are put together in buffers of these pools: of 64 KiB and doubling, up to 2 MiB. A larger
// one is left to the garbage collector.
var bodyPools [6]sync.Pool

const leastBody = 64 << 10

// bodyPool is the pool of buffers of at least so many bytes; nil if that is too many.
func bodyPool(size int) (pool *sync.Pool, rounded int) {
	class := bits.Len(uint(max(size, leastBody)-1)) - bits.Len(uint(leastBody-1))
	if class >= len(bodyPools) {
		return nil, size
	}
	return &bodyPools[class], leastBody << class
}

// appendPiece appends to a body. What there was is copied at most once for each doubling.
func appendPiece(body, piece []byte) []byte {
	if need := len(body) + len(piece); need > cap(body) {
		pool, size := bodyPool(max(need, 2*cap(body)))
		var grown []byte
		if pool != nil {
			if b, ok := pool.Get().(*[]byte); ok {
				grown = *b
			}
		}
		if grown == nil {
			grown = make([]byte, 0, size)
		}
		grown = append(grown, body...)
		recycleBody(body)
		body = grown
	}
	return append(body, piece...)
}

// recycleBody gives back a body that nobody looks at any more.
func recycleBody(body []byte) {
	if pool, size := bodyPool(cap(body)); pool != nil && size == cap(body) {
		body = body[:0]
		pool.Put(&body)
	}
}

// keepPiece appends to the channel's unfinished body. Memory grows with what has come, not with what was announced,
// and is bounded for the connection and for all of them.
func (ch *channel) keepPiece(piece []byte) error {
	if err := ch.conn.countUnfinished(int64(len(piece))); err != nil {
		return err
	}
	ch.content.body = appendPiece(ch.content.body, piece)
	return nil
}

// countUnfinished adds n bytes of unfinished bodies to what is counted, or fails and adds nothing.
func (c *conn) countUnfinished(n int64) error {
	if c.unfinished.Load()+n > c.srv.cfg.MaxUnfinishedBytes {
		return tooMuchUnfinished()
	}
	c.unfinished.Add(n)
	if c.srv.unfinished.Add(n) > c.srv.cfg.MaxUnfinishedBytesTotal && c.srv.endLargest(unfinishedBytes, tooMuchUnfinished) == c {
		c.forgetUnfinished(n)
		return tooMuchUnfinished()
	}
	return nil
}

func (c *conn) forgetUnfinished(n int64) {
	c.unfinished.Add(-n)
	c.srv.unfinished.Add(-n)
}

func unfinishedBytes(c *conn) int64 { return c.unfinished.Load() }

// endLargest ends the connection that holds the most bytes, so that one which has just begun does not pay for the
// others, and returns it. If one that has to go still holds some, that is left to go first.
func (s *Server) endLargest(held func(*conn) int64, reason func() *amqp.Error) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	var largest *conn
	var most int64
	for c := range s.conns {
		switch n := held(c); {
		case n > 0 && c.force.Load() != nil:
			return nil
		case n > most:
			largest, most = c, n
		}
	}
	if largest != nil {
		largest.forceClose(reason())
	}
	return largest
}

func tooMuchUnfinished() *amqp.Error {
	return &amqp.Error{Code: amqp.ResourceError, Reason: "too many bytes of unfinished messages", Method: amqp.BasicPublishID}
}

// dropBody forgets the pieces of an unfinished body.
func (ch *channel) dropBody() {
	ch.conn.forgetUnfinished(int64(len(ch.content.body)))
	recycleBody(ch.content.body)
	ch.content.body = nil
}

// releaseBodies forgets the bodies that were put together for a batch which is settled now.
func (c *conn) releaseBodies() {
	for i, b := range c.bodies {
		c.forgetUnfinished(int64(len(b)))
		recycleBody(b)
		c.bodies[i] = nil
	}
	c.bodies = c.bodies[:0]
}
