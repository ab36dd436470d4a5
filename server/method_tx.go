package server

import (
	"cmp"
	"slices"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/broker"
	"github.com/warren-mq/warren/queue"
)

// transaction is what a channel has published and acknowledged since tx.select, tx.commit or tx.rollback. The
// methods of a nil transaction do nothing.
type transaction struct {
	publishes []txPublish
	settled   []txPart
	bytes     int64 // of publishes, as they are counted against the limit
}

type txPublish struct {
	held     broker.Held
	returned bool // mandatory and unroutable: basic.return is due at commit
	lost     bool // unroutable
}

// txPart is one acknowledgement: what the client said of which deliveries.
type txPart struct {
	deliveries []delivery
	what       outcome
}

func (ch *channel) txSelect(*amqp.TxSelect) error {
	if ch.confirm.Load() {
		return amqp.Errorf(amqp.PreconditionFailed, "cannot switch from confirm to tx mode")
	}
	if ch.tx == nil {
		ch.tx = new(transaction)
		ch.transactional.Store(true)
	}
	ch.conn.send(ch.number, &amqp.TxSelectOk{})
	return nil
}

// publish keeps a message for the commit. It is checked and routed now (3.10.8).
func (tx *transaction) publish(ch *channel, m *broker.Message, mandatory bool) error {
	held, routed, err := ch.conn.pub.Hold(m, &ch.conn.fx)
	if err != nil {
		return err
	}
	tx.publishes = append(tx.publishes, txPublish{held: held, lost: !routed, returned: !routed && mandatory})
	ch.counts.uncommittedPublishes.Add(1)
	return tx.countUncommitted(ch.conn, &held)
}

func (ch *channel) txCommit(*amqp.TxCommit) error {
	c, tx := ch.conn, ch.tx
	if tx == nil {
		return amqp.Errorf(amqp.PreconditionFailed, "channel is not transactional")
	}
	if err := tx.fetch(c); err != nil {
		return err
	}
	for i := range tx.publishes {
		p := &tx.publishes[i]
		c.pub.Release(&p.held)
		ch.published++
		switch m := &p.held.Message; {
		case p.returned:
			ch.returned++
			ch.sendReturn(m.Exchange, m.RoutingKey, m.Properties, m.Body)
		case p.lost:
			ch.routedNowhere++
		}
	}
	if len(tx.publishes) > 0 && !ch.inBatch {
		ch.inBatch = true
		c.pubs = append(c.pubs, ch)
	}
	refused := 0
	if len(tx.publishes) > 0 {
		refused = c.settlePublishes()
	}
	c.out.mu.Lock()
	for _, part := range tx.settled {
		for _, d := range part.deliveries {
			c.note(d, part.what)
		}
	}
	c.out.mu.Unlock()
	tx.reset(ch)
	c.settleAcks(true)
	c.outside(func() { c.fx.AwaitBurials(c.forced) }) // commit-ok is for the dead letters too
	if refused > 0 {
		return amqp.Errorf(amqp.PreconditionFailed, "partial tx completion")
	}
	if !c.srv.broker.Durable() {
		c.send(ch.number, &amqp.TxCommitOk{})
		return nil
	}
	// Publishes and acknowledgements are one commit, which the answer waits for.
	c.out.mu.Lock()
	ch.committing.Store(true)
	commit := ch.waitFor(commitWait{commit: c.srv.broker.Outstanding(), until: queue.Synced, commitOk: true})
	c.out.mu.Unlock()
	c.srv.broker.AwaitCommit(commit, ch)
	return nil
}

// mostFetches is how often a commit waits for records that it needs all at once: where they do not fit into memory together,
// the dead letters that are missing follow in commits of their own.
const mostFetches = 100

// fetch waits until the messages that the transaction rejects are in memory, where they may have to be dead-lettered:
// that is to be part of the one commit.
func (tx *transaction) fetch(c *conn) error {
	for range mostFetches {
		var wait <-chan struct{}
		for _, part := range tx.settled {
			if part.what == acked {
				continue
			}
			for _, d := range part.deliveries {
				if w := d.consumer.queue.Fetch(d.seq); w != nil {
					wait = w
				}
			}
		}
		if wait == nil {
			return nil
		}
		c.outside(func() {
			select {
			case <-wait:
			case <-c.forced:
			case <-c.srv.broker.Failed():
			}
		})
		if e := c.force.Load(); e != nil {
			return e
		}
	}
	return nil
}

// committing is the answer to a method that comes before tx.commit was answered. Only channel.close may (3.10.8).
func committing() *amqp.Error {
	return amqp.Errorf(amqp.ChannelError, "unexpected command while processing 'tx.commit'")
}

func (ch *channel) txRollback(*amqp.TxRollback) error {
	if ch.tx == nil {
		return amqp.Errorf(amqp.PreconditionFailed, "channel is not transactional")
	}
	ch.tx.rollBack(ch)
	ch.conn.send(ch.number, &amqp.TxRollbackOk{})
	return nil
}

// rollBack drops what was published; what was acknowledged is unacknowledged again, not requeued.
func (tx *transaction) rollBack(ch *channel) {
	if tx == nil {
		return
	}
	out := ch.conn.out
	out.mu.Lock()
	tx.restore(&ch.unacked)
	out.mu.Unlock()
	tx.reset(ch)
}

// restore puts everything back that was acknowledged.
func (tx *transaction) restore(u *unacked) {
	var all []delivery
	for _, part := range tx.settled {
		all = append(all, part.deliveries...)
	}
	slices.SortFunc(all, func(a, b delivery) int { return cmp.Compare(a.tag, b.tag) })
	u.restore(all)
}

func (tx *transaction) reset(ch *channel) {
	tx.forgetUncommitted(ch.conn)
	*tx = transaction{}
	ch.counts.uncommittedPublishes.Store(0)
	ch.counts.uncommittedAcks.Store(0)
}
