package server

import "github.com/warren-mq/warren/queue"

// endBatch settles what the batch left and lets the writers run.
func (c *conn) endBatch() {
	c.framesReceived.Add(c.batchFrames)
	c.batchFrames = 0
	c.settle()
	c.releaseBodies()
	c.keepPartial()
	c.fx.AwaitBurials(c.forced)
	c.push()
}

// batchDone ends a batch, and waits for the disk where an answer or another publish has to.
func (c *conn) batchDone() error {
	c.endBatch()
	if err := c.releaseHeld(); err != nil {
		return err
	}
	if !c.mayOverrun {
		return nil
	}
	c.mayOverrun = false
	return c.waitForDisk()
}

// push writes what the batch has brought to clients.
func (c *conn) push() {
	c.brake.used = false
	for _, to := range c.fx.Wake {
		if k, ok := to.(*consumer); ok {
			k.ch.conn.out.push(&c.brake)
		} else {
			to.Wake()
		}
	}
	c.fx.Reset()
	c.out.push(&c.brake)
}

// keepPartial makes contents that are not complete independent of the read buffer.
func (c *conn) keepPartial() {
	kept := c.partial[:0]
	for _, ch := range c.partial {
		if ch.content.stage == expectMethod {
			ch.content.known = false
			ch.dropViews()
			continue
		}
		ch.keepViews()
		kept = append(kept, ch)
	}
	clear(c.partial[len(kept):])
	c.partial = kept
}

// settle hands the gathered publishes and acknowledgements to the queues and confirms.
func (c *conn) settle() {
	// A transaction is traced before its commit, so that there may be messages without a channel to confirm them to.
	publishes := len(c.pubs) > 0 || c.pub != nil && c.pub.Pending() > 0
	if !publishes && len(c.settling) == 0 {
		return
	}
	entered := c.enter()
	if publishes {
		c.settlePublishes()
	}
	if len(c.settling) > 0 {
		c.settleAcks(publishes)
	}
	c.leave(entered)
}

// settlePublishes returns how many messages queues have refused.
func (c *conn) settlePublishes() (refused int) {
	entered := c.enter()
	now := c.now()
	if places := c.pub.Settle(now, &c.fx); len(places) > 0 {
		refused = len(places)
		c.noteRefused(places)
	}
	clear(c.origins)
	c.origins = c.origins[:0]
	until := c.fx.Durable // the strictest promise that is due to any publish of the batch
	if until > queue.NotDurable {
		c.fx.Durable, c.mayOverrun = queue.NotDurable, true
	}
	if !c.srv.broker.Durable() {
		until = queue.NotDurable
	}
	commit := c.commit
	if c.fx.Earlier {
		c.fx.Earlier = false
		if until > queue.NotDurable {
			commit = c.srv.broker.Outstanding()
		}
	}
	for i, ch := range c.pubs {
		ch.batchSettled(now, until, commit)
		c.pubs[i] = nil
	}
	c.pubs = c.pubs[:0]
	c.leave(entered)
	return refused
}

// enter begins work on queues and definitions, unless the reader is at it already; leave takes what it returned.
func (c *conn) enter() (entered bool) {
	if c.inside {
		return false
	}
	c.commit, c.inside = c.srv.broker.Enter(), true
	return true
}

func (c *conn) leave(entered bool) {
	if entered {
		c.inside = false
		c.srv.broker.Leave()
	}
}

// outside calls f, which may wait, in the midst of a reader's work on a method.
func (c *conn) outside(f func()) {
	c.leave(true)
	f()
	c.enter()
}

// awaitRoom waits, within a batch, while the client does not take what is written for it.
func (c *conn) awaitRoom() error {
	if !c.out.mustWait() {
		return nil
	}
	c.endBatch() // or nobody might be writing
	return c.waitRoom()
}

// waitRoom waits while the client does not take what is written for it. It fails if somebody wants
// the connection to end.
func (c *conn) waitRoom() error {
	c.out.waitRoom()
	if e := c.force.Load(); e != nil {
		return e
	}
	return nil
}
