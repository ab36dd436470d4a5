package server

import (
	"fmt"
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/broker"
)

const committingText = "CHANNEL_ERROR - unexpected command while processing 'tx.commit'"

// TestNothingButACloseMayComeBeforeCommitOk (RabbitMQ 3.10.8 behaviour), contents and acknowledgements included.
func TestNothingButACloseMayComeBeforeCommitOk(t *testing.T) {
	for name, send := range map[string]func(p *peer) amqp.Method{
		"basic.publish": func(p *peer) amqp.Method {
			p.publish(2, "", "usual", "second")
			return connectionClose(amqp.ChannelError, committingText, amqp.BasicPublishID)
		},
		"basic.ack": func(p *peer) amqp.Method {
			p.send(2, &amqp.BasicAck{DeliveryTag: 7})
			return connectionClose(amqp.ChannelError, committingText, amqp.BasicAckID)
		},
		"basic.nack": func(p *peer) amqp.Method {
			p.send(2, &amqp.BasicNack{DeliveryTag: 7})
			return connectionClose(amqp.ChannelError, committingText, amqp.BasicNackID)
		},
		"basic.qos": func(p *peer) amqp.Method {
			p.send(2, &amqp.BasicQos{})
			return connectionClose(amqp.ChannelError, committingText, amqp.BasicQosID)
		},
		"channel.close": func(p *peer) amqp.Method {
			p.send(2, &amqp.ChannelClose{ReplyCode: 200})
			return &amqp.ChannelCloseOk{}
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newHeldDisk(t, "")
			p := d.peer
			p.send(2, &amqp.ChannelOpen{})
			p.expect(2, &amqp.ChannelOpenOk{})
			p.send(2, &amqp.TxSelect{})
			p.expect(2, &amqp.TxSelectOk{})
			b := amqp.AppendMethod(nil, 2, &amqp.BasicPublish{RoutingKey: []byte("usual")})
			b = amqp.AppendContentHeader(b, 2, classBasic, 1, []byte{0x10, 0, 2})
			p.write(amqp.AppendBody(b, 2, []byte("m"), 131072))
			p.send(2, &amqp.TxCommit{})
			want := send(p)
			if _, got := p.method(); string(got.Append(nil)) != string(want.Append(nil)) {
				t.Errorf("got %v %+v, want %v %+v", got.ID(), got, want.ID(), want)
			}
		})
	}
}

// TestTransactionsHoldALimitedNumberOfBytes over all connections: the one that holds the most pays.
func TestTransactionsHoldALimitedNumberOfBytes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const body = 10_000
		s := newServer(t, Config{MaxUncommittedBytes: 10 * body}, broker.Config{})
		begin := func() *peer {
			p := openChannel(t, s, 0)
			p.send(1, &amqp.QueueDeclare{Queue: "q", NoWait: true})
			p.send(1, &amqp.TxSelect{})
			p.expect(1, &amqp.TxSelectOk{})
			return p
		}
		large, small := begin(), begin()
		for range 3 { // what is committed or rolled back is not counted any more
			for range 8 {
				large.publish(1, "", "q", string(make([]byte, body)))
			}
			large.send(1, &amqp.TxRollback{})
			large.expect(1, &amqp.TxRollbackOk{})
		}
		for range 8 {
			large.publish(1, "", "q", string(make([]byte, body)))
		}
		large.ping()
		small.publish(1, "", "q", string(make([]byte, body)))
		small.publish(1, "", "q", string(make([]byte, body)))
		large.expect(0, connectionClose(amqp.ResourceError, "RESOURCE_ERROR - too many bytes of uncommitted messages", amqp.BasicPublishID))
		large.send(0, &amqp.ConnectionCloseOk{})
		large.expectEnd()
		small.send(1, &amqp.TxCommit{})
		small.expect(1, &amqp.TxCommitOk{})
		if n := s.uncommitted.Load(); n != 0 {
			t.Errorf("%d bytes are counted after the end", n)
		}
	})
}

// TestATransactionCountsTheWayOfItsMessages: few bytes that go to many queues take much.
func TestATransactionCountsTheWayOfItsMessages(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const queues, messages = 1000, 20
		s := newServer(t, Config{MaxUncommittedBytes: queues * messages * 24}, broker.Config{})
		p := openChannel(t, s, 0)
		for n := range queues {
			name := fmt.Sprint("q", n)
			p.send(1, &amqp.QueueDeclare{Queue: name, NoWait: true})
			p.send(1, &amqp.QueueBind{Queue: name, Exchange: "amq.fanout", NoWait: true})
		}
		p.send(1, &amqp.TxSelect{})
		p.expect(1, &amqp.TxSelectOk{})
		for range messages {
			p.publish(1, "amq.fanout", "", "")
		}
		p.expect(0, connectionClose(amqp.ResourceError, "RESOURCE_ERROR - too many bytes of uncommitted messages", amqp.BasicPublishID))
		if n := s.uncommitted.Load(); n != 0 {
			t.Errorf("%d bytes are counted after the end", n)
		}
	})
}
