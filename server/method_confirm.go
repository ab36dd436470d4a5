package server

import "github.com/warren-mq/warren/amqp"

// confirmSelect makes the server confirm every publish from now on, counting from 1.
func (ch *channel) confirmSelect(m *amqp.ConfirmSelect) error {
	if ch.tx != nil {
		return amqp.Errorf(amqp.PreconditionFailed, "cannot switch from tx to confirm mode")
	}
	ch.confirm.Store(true)
	return ch.answer(nil, m.NoWait, &amqp.ConfirmSelectOk{})
}

// batchSettled counts what was published in the batch and confirms it: one basic.ack for all.
func (ch *channel) batchSettled() {
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
	ch.counts.confirmed.Add(n)
	totals.Confirmed.Add(n)
	out := ch.conn.out
	out.lock()
	out.confirm(ch.number, &amqp.BasicAck{DeliveryTag: ch.confirmTag, Multiple: n > 1})
	out.mu.Unlock()
}
