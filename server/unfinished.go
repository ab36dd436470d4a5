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

// bodyRoom is how large the buffer of a body is to be that takes another piece of n bytes: at least twice as large as it is
// if it has to grow, so that what there was is copied at most once for each doubling, and not larger than what is to come.
func bodyRoom(body []byte, n int, announced uint64) int {
	need := len(body) + n
	if need <= cap(body) {
		return cap(body)
	}
	_, room := bodyPool(max(need, int(min(uint64(2*cap(body)), announced))))
	return room
}

// growBody moves a body to a buffer with so much room.
func growBody(body []byte, room int) []byte {
	var grown []byte
	if pool, _ := bodyPool(room); pool != nil {
		if b, ok := pool.Get().(*[]byte); ok {
			grown = *b
		}
	}
	if grown == nil {
		grown = make([]byte, 0, room)
	}
	grown = append(grown, body...)
	recycleBody(body)
	return grown
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
	ct := &ch.content
	if had, room := cap(ct.body), bodyRoom(ct.body, len(piece), ct.size); room > had {
		if err := ch.conn.countUnfinished(int64(room - had)); err != nil {
			return err
		}
		ct.body = growBody(ct.body, room)
	}
	ct.body = append(ct.body, piece...)
	return nil
}

// keepViews makes a content that is not complete independent of the read buffer. What it keeps beside the body counts
// like a piece of it; of what is ignored in any case nothing is kept.
func (ch *channel) keepViews() {
	ct := &ch.content
	if !ct.loose {
		return
	}
	if ch.closing {
		ct.forgetViews()
		return
	}
	counted := ct.owned
	ct.own()
	if err := ch.conn.countUnfinished(int64(ct.owned - counted)); err != nil {
		ct.owned = counted
		ch.conn.forceClose(tooMuchUnfinished())
	}
}

// dropViews forgets what keepViews has kept.
func (ch *channel) dropViews() {
	ct := &ch.content
	if ct.owned == 0 {
		return
	}
	ch.conn.forgetUnfinished(int64(ct.owned))
	ct.owned = 0
	ct.forgetViews()
}

// countUnfinished adds n bytes of unfinished messages to what is counted, or fails and adds nothing.
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
	ch.conn.forgetUnfinished(int64(cap(ch.content.body)))
	recycleBody(ch.content.body)
	ch.content.body = nil
}

// releaseBodies forgets the bodies that were put together for a batch which is settled now.
func (c *conn) releaseBodies() {
	for i, b := range c.bodies {
		c.forgetUnfinished(int64(cap(b)))
		recycleBody(b)
		c.bodies[i] = nil
	}
	c.bodies = c.bodies[:0]
}
