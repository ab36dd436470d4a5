package server

import (
	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/queue"
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

// batchSettled counts what was published in the batch and confirms it: one basic.ack for all, as soon as commit has come
// to what is promised. It is called between Enter and Leave.
func (ch *channel) batchSettled(now int64, until queue.Durability, commit storage.Commit) {
	totals := &ch.conn.srv.broker.Totals
	n := ch.published
	ch.active.Store(now)
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
	out := ch.conn.out
	out.lock()
	first := ch.confirmTag + 1
	ch.confirmTag += n
	if until <= queue.InMemory && len(ch.waiting) == 0 {
		ch.eachRun(first, ch.sendConfirm)
		out.unlock()
		return
	}
	ch.eachRun(first, func(tag uint64, refused bool) {
		commit = ch.waitFor(commitWait{commit: commit, until: until, confirm: tag, refused: refused})
	})
	out.unlock()
	switch until {
	case queue.Synced:
		ch.conn.srv.broker.AwaitCommit(commit, ch)
	case queue.Written:
		ch.conn.srv.broker.AwaitWritten(commit, ch)
	}
}

// eachRun calls f for each run of publishes of the batch that are all taken or all refused, in order, with the last tag
// of the run. first is the first tag of the batch.
func (ch *channel) eachRun(first uint64, f func(last uint64, refused bool)) {
	next := first // the first tag that no run has covered
	for i := 0; i < len(ch.refused); {
		if tag := first + ch.refused[i]; tag > next {
			f(tag-1, false)
			next = tag
		}
		for i < len(ch.refused) && first+ch.refused[i] == next {
			next++
			i++
		}
		f(next-1, true)
	}
	if next <= ch.confirmTag {
		f(ch.confirmTag, false)
	}
	ch.refused = ch.refused[:0]
}

// sendConfirm confirms, or refuses, all publishes up to tag that were not before. The outbox's lock is held. What is
// refused stands in order with what is confirmed, so that no cumulative confirm ever covers it.
func (ch *channel) sendConfirm(tag uint64, refused bool) {
	n := tag - ch.confirmedTag
	ch.confirmedTag = tag
	if refused {
		out := ch.conn.out
		out.buf = amqp.AppendMethod(out.buf, ch.number, &amqp.BasicNack{DeliveryTag: tag, Multiple: true, Requeue: true})
		out.frames++
		return
	}
	ch.counts.confirmed.Add(n)
	ch.conn.srv.broker.Totals.Confirmed.Add(n)
	ch.conn.out.confirm(ch.number, &amqp.BasicAck{DeliveryTag: tag, Multiple: n > 1})
}

// origin is where a message of the batch came from, for the case that a queue refuses it.
type origin struct {
	ch    *channel
	place int32  // in the publisher's batch
	nth   uint64 // of the channel's publishes in the batch, from 0
}

// noteRefused tells the channels which of their publishes were refused.
func (c *conn) noteRefused(places []int32) {
	i := 0
	for _, place := range places {
		for i < len(c.origins) && c.origins[i].place < place {
			i++
		}
		if i < len(c.origins) && c.origins[i].place == place {
			o := &c.origins[i]
			o.ch.refused = append(o.ch.refused, o.nth)
		}
	}
}
