package server

import (
	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/storage"
)

// confirmSelect makes the server confirm every publish from now on, counting from 1.
func (ch *channel) confirmSelect(m *amqp.ConfirmSelect) error {
	if ch.tx != nil {
		return amqp.Errorf(amqp.PreconditionFailed, "cannot switch from tx to confirm mode")
	}
	ch.confirm.Store(true)
	return ch.answer(nil, m.NoWait, &amqp.ConfirmSelectOk{})
}

// batchSettled counts what was published in the batch and confirms it: one basic.ack for all, as soon as the commit is
// durable; 0 is. It is called between Enter and Leave.
func (ch *channel) batchSettled(commit storage.Commit) {
	totals := &ch.conn.srv.broker.Totals
	n := ch.published
	ch.published, ch.inBatch = 0, false
	ch.counts.published.Add(n)
	totals.Published.Add(n)
	if ch.routedNowhere > 0 {
		ch.counts.dropped.Add(ch.routedNowhere)
		totals.DroppedUnroutable.Add(ch.routedNowhere)
		ch.routedNowhere = 0
	}
	if ch.returned > 0 {
		ch.counts.returned.Add(ch.returned)
		totals.ReturnedUnroutable.Add(ch.returned)
		ch.returned = 0
	}
	if !ch.confirm.Load() {
		return
	}
	ch.confirmTag += n
	out := ch.conn.out
	out.lock()
	if commit == 0 && len(ch.waiting) == 0 {
		ch.sendConfirm(ch.confirmTag)
		out.mu.Unlock()
		return
	}
	commit = ch.waitFor(commitWait{commit: commit, confirm: ch.confirmTag})
	ch.counts.unconfirmed.Store(int64(ch.confirmTag - ch.confirmedTag))
	out.mu.Unlock()
	ch.conn.srv.broker.AwaitCommit(commit, ch)
}

// sendConfirm confirms all publishes up to tag. The outbox's lock is held.
func (ch *channel) sendConfirm(tag uint64) {
	n := tag - ch.confirmedTag
	ch.confirmedTag = tag
	ch.counts.confirmed.Add(n)
	ch.conn.srv.broker.Totals.Confirmed.Add(n)
	ch.counts.unconfirmed.Store(int64(ch.confirmTag - tag))
	ch.conn.out.confirm(ch.number, &amqp.BasicAck{DeliveryTag: tag, Multiple: n > 1})
}
