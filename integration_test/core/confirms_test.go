package core_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/amqptest"
)

// fates collects what becomes of the publishes 1 to count of a channel in confirm mode: true for confirmed.
func (c *client) fates(channel uint16, count int) []bool {
	c.t.Helper()
	fates, known := make([]bool, count+1), make([]bool, count+1)
	next := 1 // the least tag whose fate is not known
	for told := 0; told < count; {
		ch, m := c.method()
		var tag uint64
		var multiple, confirmed bool
		switch m := m.(type) {
		case *amqp.BasicAck:
			tag, multiple, confirmed = m.DeliveryTag, m.Multiple, true
		case *amqp.BasicNack:
			tag, multiple = m.DeliveryTag, m.Multiple
			if !m.Requeue {
				c.t.Errorf("nack without the bit requeue")
			}
		default:
			c.t.Fatalf("got %v %+v", m.ID(), m)
		}
		if ch != channel {
			c.t.Fatalf("a confirm on channel %d", ch)
		}
		from := int(tag)
		if multiple {
			from = next
		}
		for n := from; n <= int(tag); n++ {
			if known[n] && !multiple {
				c.t.Fatalf("the fate of %d is told twice", n)
			}
			if !known[n] {
				known[n], fates[n] = true, confirmed
				told++
			}
		}
		for next <= count && known[next] {
			next++
		}
	}
	return fates[1:]
}

// small declares a queue that takes two messages and refuses the others.
func (c *client) small(queue string) {
	c.t.Helper()
	c.send(1, &amqp.QueueDeclare{Queue: queue, Exclusive: true, Arguments: amqp.Table{
		{Name: "x-max-length", Value: int32(2)}, {Name: "x-overflow", Value: "reject-publish"},
	}})
	c.skip(amqp.QueueDeclareOkID)
}

// TestRefusedPublishesAreNacked, each of them and no other one, whatever comes in one read.
func TestRefusedPublishesAreNacked(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement())
	for _, pieces := range []int{1, 7, 1 << 20} {
		c := openChannel(t, s)
		c.small("small")
		c.declare("large")
		c.send(1, &amqp.ConfirmSelect{})
		c.expect(1, &amqp.ConfirmSelectOk{})
		var all []byte
		var want []bool
		taken := 0
		for n := range 60 {
			to := to([]string{"small", "large", "none"}[n*n%7%3])
			fits := string(to.RoutingKey) != "small" || taken < 2
			if string(to.RoutingKey) == "small" && fits {
				taken++
			}
			want = append(want, fits)
			all = append(all, message(1, to, nil, []byte("body"))...)
		}
		for rest := all; len(rest) > 0; {
			n := min(len(rest), pieces)
			c.write(rest[:n])
			rest = rest[n:]
		}
		if got := c.fates(1, len(want)); !slices.Equal(got, want) {
			t.Errorf("in pieces of %d: got %v, want %v", pieces, got, want)
		}
		c.close()
	}
}

// TestFanoutWithOneRefusalIsNacked although the other queue has the message.
func TestFanoutWithOneRefusalIsNacked(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement())
	c := openChannel(t, s)
	for n := range 3 {
		queue := fmt.Sprint(n)
		if n == 0 {
			c.declare(queue)
		} else {
			c.small(queue) // two that refuse, to be told once
		}
		c.send(1, &amqp.QueueBind{Queue: queue, Exchange: "amq.fanout"})
		c.expect(1, &amqp.QueueBindOk{})
	}
	c.send(1, &amqp.ConfirmSelect{})
	c.expect(1, &amqp.ConfirmSelectOk{})
	var all []byte
	for range 5 {
		all = append(all, message(1, &amqp.BasicPublish{Exchange: []byte("amq.fanout")}, nil, nil)...)
	}
	c.write(all)
	if got, want := c.fates(1, 5), []bool{true, true, false, false, false}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	c.send(1, &amqp.QueueDeclare{Queue: "0", Passive: true})
	if m := c.skip(amqp.QueueDeclareOkID).(*amqp.QueueDeclareOk); m.MessageCount != 5 {
		t.Errorf("%d messages in the queue that takes all", m.MessageCount)
	}
}

// TestConfirmsCountFromTheSelect, each channel for itself, also when publishes of many channels come in one read.
func TestConfirmsCountFromTheSelect(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement())
	c := openChannel(t, s)
	c.openChannels(2, 3)
	c.declare("q")
	c.write(join(
		message(1, to("q"), nil, nil), methodFrame(1, &amqp.ConfirmSelect{NoWait: true}), message(1, to("q"), nil, nil),
		message(2, to("q"), nil, nil), message(1, to("q"), nil, nil), methodFrame(3, &amqp.ConfirmSelect{NoWait: true}),
		message(3, to("q"), nil, nil), message(2, to("q"), nil, nil),
	))
	if got := c.fates(1, 2); !slices.Equal(got, []bool{true, true}) {
		t.Errorf("channel 1: %v", got)
	}
	if got := c.fates(3, 1); !slices.Equal(got, []bool{true}) {
		t.Errorf("channel 3: %v", got)
	}
	c.ping()
}

// TestTransactions: what is published and acknowledged counts with the commit, and never after a rollback.
func TestTransactions(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement())
	c := openChannel(t, s)
	c.openChannels(2, 2)
	c.declare("q")
	ready := func(want uint32) {
		t.Helper()
		c.send(2, &amqp.QueueDeclare{Queue: "q", Passive: true})
		if m := c.skip(amqp.QueueDeclareOkID).(*amqp.QueueDeclareOk); m.MessageCount != want {
			t.Errorf("%d messages are ready, want %d", m.MessageCount, want)
		}
	}
	c.send(1, &amqp.TxSelect{})
	c.expect(1, &amqp.TxSelectOk{})
	for n := range 3 {
		c.publish(1, to("q"), nil, []byte{byte(n)})
	}
	ready(0)
	c.send(1, &amqp.TxRollback{})
	c.expect(1, &amqp.TxRollbackOk{})
	for n := range 3 {
		c.publish(1, to("q"), nil, []byte{byte(n)})
	}
	c.publish(1, &amqp.BasicPublish{RoutingKey: []byte("none"), Mandatory: true}, nil, []byte("back"))
	c.send(1, &amqp.TxCommit{})
	c.skip(amqp.BasicReturnID)
	c.body()
	c.expect(1, &amqp.TxCommitOk{})
	ready(3)

	for range 3 {
		c.send(1, &amqp.BasicGet{Queue: "q"})
		c.skip(amqp.BasicGetOkID)
		c.body()
	}
	c.send(1, &amqp.BasicAck{DeliveryTag: 2})
	c.send(1, &amqp.BasicNack{DeliveryTag: 3, Requeue: true})
	c.send(1, &amqp.TxRollback{})
	c.expect(1, &amqp.TxRollbackOk{})
	ready(0) // unacknowledged as before, not requeued
	c.send(1, &amqp.BasicNack{DeliveryTag: 3, Requeue: true})
	c.send(1, &amqp.BasicAck{DeliveryTag: 2, Multiple: true})
	ready(0)
	c.send(1, &amqp.TxCommit{})
	c.expect(1, &amqp.TxCommitOk{})
	ready(1)
	c.publish(1, to("q"), nil, nil)
	c.send(1, &amqp.ChannelClose{}) // what was not committed is gone
	c.expect(1, &amqp.ChannelCloseOk{})
	ready(1)
}

// TestCommitWithARefusalFails, and the rest of it counts.
func TestCommitWithARefusalFails(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement())
	c := openChannel(t, s)
	c.openChannels(2, 2)
	c.small("q")
	c.send(1, &amqp.TxSelect{})
	c.expect(1, &amqp.TxSelectOk{})
	for range 3 {
		c.publish(1, to("q"), nil, nil)
	}
	c.send(1, &amqp.TxCommit{})
	c.expect(1, closed(406, "PRECONDITION_FAILED - partial tx completion", amqp.TxCommitID))
	c.send(2, &amqp.QueueDeclare{Queue: "q", Passive: true})
	if m := c.skip(amqp.QueueDeclareOkID).(*amqp.QueueDeclareOk); m.MessageCount != 2 {
		t.Errorf("%d messages are ready, want 2", m.MessageCount)
	}
}
