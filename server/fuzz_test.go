package server

import (
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/broker"
)

// clientBytes turns what a fuzzer makes up into what a client might send: two octets choose a frame, the next ones its
// parts, so that most of it gets past the decoders; what is left goes over as it is.
func clientBytes(data []byte) (sent []byte) {
	tables := []amqp.Table{nil, {{Name: "x-max-length", Value: int32(2)}}, {{Name: "x-priority", Value: int32(3)}}, {{Name: "alternate-exchange", Value: "amq.fanout"}}}
	names := []string{"q", "r", "", "amq.direct", "amq.rabbitmq.reply-to"}
	for len(data) >= 6 {
		kind, ch, flags, n := data[0], uint16(data[1]%4), data[2], data[3]
		name, other, table := names[int(data[4])%len(names)], names[int(data[5])%len(names)], tables[int(data[5]>>4)%len(tables)]
		data = data[6:]
		bit := func(i int) bool { return flags&(1<<i) != 0 }
		var m amqp.Method
		switch kind % 24 {
		case 0:
			m = &amqp.ChannelOpen{}
		case 1:
			m = &amqp.ChannelClose{}
		case 2:
			m = &amqp.ChannelCloseOk{}
		case 3:
			m = &amqp.QueueDeclare{Queue: name, Exclusive: bit(0), AutoDelete: bit(1), Passive: bit(2), NoWait: bit(3), Durable: bit(4), Arguments: table}
		case 4:
			m = &amqp.QueueDelete{Queue: name, IfUnused: bit(0), IfEmpty: bit(1), NoWait: bit(2)}
		case 5:
			m = &amqp.QueueBind{Queue: name, Exchange: other, RoutingKey: "q", NoWait: bit(0)}
		case 6:
			m = &amqp.BasicConsume{Queue: name, ConsumerTag: other, NoAck: bit(0), Exclusive: bit(1), NoWait: bit(2), Arguments: table}
		case 7:
			m = &amqp.BasicCancel{ConsumerTag: other, NoWait: bit(0)}
		case 8:
			m = &amqp.BasicGet{Queue: name, NoAck: bit(0)}
		case 9:
			m = &amqp.BasicAck{DeliveryTag: uint64(n), Multiple: bit(0)}
		case 10:
			m = &amqp.BasicNack{DeliveryTag: uint64(n), Multiple: bit(0), Requeue: bit(1)}
		case 11:
			m = &amqp.BasicQos{PrefetchCount: uint16(n % 4), Global: bit(0)}
		case 12:
			m = &amqp.BasicRecover{Requeue: true}
		case 13:
			m = &amqp.TxSelect{}
		case 14:
			m = &amqp.TxCommit{}
		case 15:
			m = &amqp.TxRollback{}
		case 16:
			m = &amqp.ConfirmSelect{NoWait: bit(0)}
		case 17:
			m = &amqp.QueuePurge{Queue: name, NoWait: bit(0)}
		case 18:
			m = &amqp.ExchangeDeclare{Exchange: other, Type: "topic", AutoDelete: bit(0), NoWait: bit(1), Durable: bit(2), Arguments: table}
		case 19, 20: // a message, whole, of which the latter kind is persistent
			properties := [][]byte{{0, 0}, {0x10, 0, 2}}[kind%24-19]
			sent = amqp.AppendMethod(sent, ch, &amqp.BasicPublish{Exchange: []byte(other), RoutingKey: []byte(name)})
			sent = amqp.AppendContentHeader(sent, ch, classBasic, uint64(n)*uint64(flags), properties)
			sent = amqp.AppendBody(sent, ch, make([]byte, int(n)*int(flags)), 131072)
			continue
		case 21: // and in parts
			sent = amqp.AppendContentHeader(sent, ch, classBasic, uint64(n), []byte{0, 0})
			continue
		case 22:
			sent = amqp.AppendBody(sent, ch, make([]byte, n), 131072)
			continue
		default:
			m = &amqp.BasicPublish{Exchange: []byte(other), RoutingKey: []byte(name), Mandatory: bit(0)}
		}
		sent = amqp.AppendMethod(sent, ch, m)
	}
	return append(sent, data...)
}

// FuzzClient: whatever a client sends, in whatever pieces, the server does not panic, ends with it and keeps nothing.
func FuzzClient(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0, 0, 0, 3, 1, 1, 0, 0, 0, 19, 1, 9, 9, 0, 2, 6, 1, 0, 0, 0, 1, 9, 1, 0, 1, 0, 0}, byte(7))
	f.Add([]byte{0, 1, 0, 0, 0, 0, 3, 1, 2, 0, 0, 0, 13, 1, 0, 0, 0, 0, 19, 1, 9, 9, 0, 2, 14, 1, 0, 0, 0, 0, 8, 1, 0, 0, 0, 0, 10, 1, 3, 1, 0, 0}, byte(30))
	f.Add([]byte{0, 1, 0, 0, 0, 0, 23, 1, 0, 0, 0, 0, 21, 1, 0, 200, 0, 0, 22, 1, 0, 100, 0, 0, 22, 1, 0, 99, 0, 0, 1, 1, 0, 0, 0, 0}, byte(11))
	f.Add([]byte{0, 1, 0, 0, 0, 0, 3, 1, 0, 0, 0, 0, 6, 1, 2, 0, 0, 0, 4, 1, 0, 0, 0, 0, 19, 1, 1, 1, 0, 0, 9, 1, 0, 5, 0, 0}, byte(255))
	f.Fuzz(func(t *testing.T, data []byte, piece byte) {
		core, err := broker.New(broker.Config{MaxMessageSize: 10_000})
		if err != nil {
			t.Fatal(err)
		}
		s := New(Config{MaxPausing: -1, MaxUnfinishedBytes: 20_000}, core, zerolog.Nop())
		rest := clientBytes(data)
		socket := &scriptedSocket{opening: opening(false)}
		socket.next = func() []byte {
			n := min(len(rest), 1+int(piece)*16)
			if n == 0 {
				return nil
			}
			next := rest[:n]
			rest = rest[n:]
			return next
		}
		c := newConn(s, socket)
		s.conns[c] = struct{}{}
		done := make(chan struct{})
		go func() {
			defer close(done)
			c.serve()
		}()
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Fatal("the connection does not end")
		}
		if n := s.unfinished.Load(); n != 0 {
			t.Errorf("%d bytes of unfinished bodies are counted", n)
		}
		if n := len(core.Connections()); n != 0 {
			t.Errorf("%d connections are listed", n)
		}
		vh, _ := core.VHost("/")
		for _, q := range vh.Queues() {
			if st := q.Stats(); q.Exclusive() || st.Unacked != 0 || st.Consumers != 0 || st.Ready < 0 {
				t.Errorf("queue %s is left with %+v", q.Name(), st)
			}
		}
		if len(c.channels) != 0 || len(c.settlements) != 0 || len(c.pubs) != 0 {
			t.Errorf("%d channels, %d settlements and %d publishes are left", len(c.channels), len(c.settlements), len(c.pubs))
		}
	})
}
