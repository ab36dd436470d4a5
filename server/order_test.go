package server

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/broker"
)

// consume starts a consumer of queue q and waits for the answer.
func (p *peer) consume(channel uint16, tag string) {
	p.t.Helper()
	p.send(channel, &amqp.BasicConsume{Queue: "q", ConsumerTag: tag})
	p.expect(channel, &amqp.BasicConsumeOk{ConsumerTag: tag})
}

// deliveries waits for n deliveries and returns their bodies.
func (p *peer) deliveries(n int) []string {
	p.t.Helper()
	var bodies []string
	for range n {
		_, body := p.delivery()
		bodies = append(bodies, body)
	}
	return bodies
}

// TestDeliveriesOfSeveralConsumersReturnInOrder: what a channel gives back goes to the queue at once, so that the next
// consumer sees it in the old order.
func TestDeliveriesOfSeveralConsumersReturnInOrder(t *testing.T) {
	give := map[string]func(p *peer){
		"channel close": func(p *peer) {
			p.send(1, &amqp.ChannelClose{ReplyCode: 200})
			p.expect(1, &amqp.ChannelCloseOk{})
		},
		"connection loss": func(p *peer) { p.conn.Close() },
		"nack": func(p *peer) {
			p.send(1, &amqp.BasicQos{PrefetchCount: 1, Global: true}) // or they are delivered here again
			p.expect(1, &amqp.BasicQosOk{})
			p.send(1, &amqp.BasicCancel{ConsumerTag: "a", NoWait: true})
			p.send(1, &amqp.BasicCancel{ConsumerTag: "b", NoWait: true})
			p.send(1, &amqp.BasicCancel{ConsumerTag: "c", NoWait: true})
			p.send(1, &amqp.BasicNack{Multiple: true, Requeue: true})
		},
	}
	for name, giveBack := range give {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newServer(t, Config{}, broker.Config{})
				p, other := openChannel(t, s, 0), openChannel(t, s, 0)
				p.send(1, &amqp.QueueDeclare{Queue: "q", NoWait: true})
				p.consume(1, "a")
				p.consume(1, "b")
				p.consume(1, "c")
				want := []string{"1", "2", "3", "4", "5", "6", "7"}
				for _, body := range want {
					p.publish(1, "", "q", body)
				}
				if got := p.deliveries(len(want)); !slices.Equal(got, want) {
					t.Fatalf("delivered %v", got)
				}
				other.consume(1, "d")
				giveBack(p)
				if got := other.deliveries(len(want)); !slices.Equal(got, want) {
					t.Fatalf("redelivered %v, want %v", got, want)
				}
			})
		})
	}
}

// TestPublishComesBehindWhatWasRequeuedBefore, also when both came in one read.
func TestPublishComesBehindWhatWasRequeuedBefore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p, other := openChannel(t, s, 0), openChannel(t, s, 0)
		p.send(1, &amqp.QueueDeclare{Queue: "q", NoWait: true})
		p.publish(1, "", "q", "1")
		p.send(1, &amqp.BasicGet{Queue: "q"})
		p.skip(&amqp.BasicGetOk{})
		p.content()
		other.consume(1, "c")
		p.write(append(amqp.AppendMethod(nil, 1, &amqp.BasicNack{DeliveryTag: 1, Requeue: true}), publishFrames(1, "", "q", "2")...))
		if got, want := other.deliveries(2), []string{"1", "2"}; !slices.Equal(got, want) {
			t.Fatalf("delivered %v, want %v", got, want)
		}
	})
}

// TestConsumeOkComesBeforeTheCancelNotification, also when somebody deletes the queue in between.
func TestConsumeOkComesBeforeTheCancelNotification(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p := openChannel(t, s, 0)
		synctest.Wait()
		for c := range s.conns {
			k := &consumer{ch: c.channels[1], tag: "t"}
			k.ch.consumers["t"] = k
			k.Cancelled(nil)
			k.announce(false)
			if len(k.ch.consumers) != 0 {
				t.Error("the consumer is still known")
			}
			c.out.wake()
		}
		p.expect(1, &amqp.BasicConsumeOk{ConsumerTag: "t"})
		p.expect(1, &amqp.BasicCancel{ConsumerTag: "t", NoWait: true})
	})
}

// TestDeletingAndConsumingAtOnce: whoever wins, the client sees 404, or consume-ok and then the cancellation.
func TestDeletingAndConsumingAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p, other := openChannel(t, s, 0), openChannel(t, s, 0)
		for range 300 {
			p.send(1, &amqp.QueueDeclare{Queue: "q", NoWait: true})
			p.ping()
			done := make(chan struct{})
			go func() {
				defer close(done)
				other.send(1, &amqp.QueueDelete{Queue: "q"})
				other.skip(&amqp.QueueDeleteOk{})
			}()
			p.send(1, &amqp.BasicConsume{Queue: "q", ConsumerTag: "t"})
			_, m := p.method()
			switch m.(type) {
			case *amqp.BasicConsumeOk:
				p.expect(1, &amqp.BasicCancel{ConsumerTag: "t", NoWait: true})
			case *amqp.ChannelClose:
				p.send(1, &amqp.ChannelCloseOk{})
				p.send(1, &amqp.ChannelOpen{})
				p.expect(1, &amqp.ChannelOpenOk{})
			default:
				t.Fatalf("got %v", m.ID())
			}
			<-done
		}
	})
}

// TestAckOfAllLeavesWhatWasNotSeen: what is published in the same read is delivered after the acknowledgement, which
// the client has sent before it could see it.
func TestAckOfAllLeavesWhatWasNotSeen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p, other := openChannel(t, s, 0), openChannel(t, s, 0)
		p.send(1, &amqp.QueueDeclare{Queue: "q", NoWait: true})
		p.consume(1, "c")
		p.write(append(publishFrames(1, "", "q", "1"), amqp.AppendMethod(nil, 1, &amqp.BasicAck{Multiple: true})...))
		if got := p.deliveries(1); got[0] != "1" {
			t.Fatalf("delivered %v", got)
		}
		p.conn.Close()
		other.consume(1, "d")
		if got := other.deliveries(1); got[0] != "1" {
			t.Fatalf("redelivered %v", got)
		}
	})
}
