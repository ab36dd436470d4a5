package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/broker"
)

// outboxOf is the outbox of the only connection.
func outboxOf(t *testing.T, s *Server) *outbox {
	t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		return c.out
	}
	t.Fatal("no connection")
	return nil
}

// waiting is how many bytes wait in an outbox.
func (o *outbox) waitingBytes() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.buf)
}

// TestClientMayPublishWhileItDoesNotTakeDeliveries: one that does one thing after the other would never come to read,
// if the server stopped reading first.
func TestClientMayPublishWhileItDoesNotTakeDeliveries(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p := openChannel(t, s, 0)
		p.send(1, &amqp.QueueDeclare{Queue: "q", NoWait: true})
		p.send(1, &amqp.BasicConsume{Queue: "q", ConsumerTag: "c", NoAck: true, NoWait: true})
		const count = 200
		for n := range count {
			p.publish(1, "", "q", fmt.Sprintf("%05d", n)+strings.Repeat("x", 10_000))
		}
		if n := outboxOf(t, s).waitingBytes(); n > outboxHigh+11_000 {
			t.Fatalf("%d bytes wait in the outbox", n)
		}
		for n := range count {
			if _, body := p.delivery(); body[:5] != fmt.Sprintf("%05d", n) {
				t.Fatalf("delivery %d is %s", n, body[:5])
			}
		}
	})
}

// TestConfirmsOfAClientThatDoesNotReadTakeNoRoom: they are cumulative, so the last one says it all.
func TestConfirmsOfAClientThatDoesNotReadTakeNoRoom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p := openChannel(t, s, 0)
		p.send(1, &amqp.ConfirmSelect{})
		p.expect(1, &amqp.ConfirmSelectOk{})
		const count = 3000
		for range count {
			p.publish(1, "", "none", "body")
		}
		if n := outboxOf(t, s).waitingBytes(); n > 21 {
			t.Fatalf("%d bytes of confirms wait", n)
		}
		var confirmed uint64
		for confirmed < count {
			_, m := p.method()
			ack, ok := m.(*amqp.BasicAck)
			if !ok || ack.DeliveryTag <= confirmed || ack.Multiple != (ack.DeliveryTag > confirmed+1) {
				t.Fatalf("got %v %+v after tag %d", m.ID(), m, confirmed)
			}
			confirmed = ack.DeliveryTag
		}
	})
}

// TestConfirmNeverMovesBeforeTheReturn of the same publish, nor do confirms of different channels mix.
func TestConfirmNeverMovesBeforeTheReturn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p := openChannel(t, s, 0)
		p.openChannels(2, 2)
		for ch := range uint16(2) {
			p.send(1+ch, &amqp.ConfirmSelect{})
			p.expect(1+ch, &amqp.ConfirmSelectOk{})
		}
		mandatory := func(ch uint16, body string) {
			b := amqp.AppendMethod(nil, ch, &amqp.BasicPublish{RoutingKey: []byte("none"), Mandatory: true})
			b = amqp.AppendContentHeader(b, ch, classBasic, uint64(len(body)), []byte{0, 0})
			p.write(amqp.AppendBody(b, ch, []byte(body), 131072))
		}
		p.publish(2, "", "none", "") // its confirm occupies the writer
		synctest.Wait()
		p.publish(1, "", "none", "")
		p.publish(1, "", "none", "")
		mandatory(1, "returned")
		p.publish(1, "", "none", "")
		p.publish(2, "", "none", "")
		p.publish(1, "", "none", "")
		p.expect(2, &amqp.BasicAck{DeliveryTag: 1})
		p.expect(1, &amqp.BasicAck{DeliveryTag: 2, Multiple: true})
		p.skip(&amqp.BasicReturn{})
		p.content()
		p.expect(1, &amqp.BasicAck{DeliveryTag: 4, Multiple: true})
		p.expect(2, &amqp.BasicAck{DeliveryTag: 2})
		p.expect(1, &amqp.BasicAck{DeliveryTag: 5})
	})
}

// TestPipelinedGetsOfAClientThatDoesNotReadAreBounded: the server stops reading its requests.
func TestPipelinedGetsOfAClientThatDoesNotReadAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p, other := stuck(t, s, 0), openChannel(t, s, 0)
		for o := range outboxes(s) {
			if n := o.waitingBytes(); n > outboxHigh+110<<10 {
				t.Errorf("%d bytes wait in an outbox", n)
			}
		}
		other.ping()
		for range 100 { // once it reads, everything comes
			p.skip(&amqp.BasicGetOk{})
			p.content()
		}
	})
}

func outboxes(s *Server) map[*outbox]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[*outbox]bool)
	for c := range s.conns {
		all[c.out] = true
	}
	return all
}

// TestConsumersThatNeverReadHurtNobody: each costs a bounded amount, and the others get what they do not take.
func TestConsumersThatNeverReadHurtNobody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		const slow, count, size = 5, 2000, 4000
		p := openChannel(t, s, 0)
		p.send(1, &amqp.QueueDeclare{Queue: "q"})
		p.skip(&amqp.QueueDeclareOk{})
		for range slow {
			k := openChannel(t, s, 0)
			k.consume(1, "slow")
		}
		good := openChannel(t, s, 0)
		good.consume(1, "good")
		body := strings.Repeat("x", size)
		published := make(chan struct{})
		go func() {
			defer close(published)
			for range count {
				p.publish(1, "", "q", body)
			}
		}()
		for range count - slow*(2*outboxHigh/size+2) {
			good.delivery()
		}
		<-published
		for o := range outboxes(s) {
			if n := o.waitingBytes(); n > outboxHigh+size+200 {
				t.Errorf("%d bytes wait in an outbox", n)
			}
		}
	})
}

// TestParkedConsumersGoOnInTheirTurn once the outbox is drained, several of one connection, with nothing lost.
func TestParkedConsumersGoOnInTheirTurn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p := openChannel(t, s, 0)
		p.send(1, &amqp.QueueDeclare{Queue: "q", NoWait: true})
		const count, size = 1000, 5000
		for n := range count {
			p.publish(1, "", "q", fmt.Sprintf("%05d", n)+strings.Repeat("x", size))
		}
		for n := range 7 {
			p.send(1, &amqp.BasicConsume{Queue: "q", ConsumerTag: fmt.Sprint(n), NoWait: true})
		}
		var got []int
		for range count {
			_, body := p.delivery()
			var n int
			fmt.Sscanf(body, "%d", &n)
			got = append(got, n)
		}
		if !slices.IsSorted(got) {
			t.Errorf("deliveries are out of order")
		}
		p.send(1, &amqp.BasicAck{DeliveryTag: count, Multiple: true})
		p.ping()
		if q, _ := p.vhost(s).Queue("q"); q.Stats().Unacked+q.Stats().Ready != 0 {
			t.Errorf("left: %+v", q.Stats())
		}
	})
}

// TestClientThatWaitsForUsIsAliveWhileItReads: the server has stopped reading from it, so only what it takes tells.
func TestClientThatWaitsForUsIsAliveWhileItReads(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p := stuck(t, s, 2)
		for range 60 {
			time.Sleep(time.Second)
			p.skip(&amqp.BasicGetOk{})
			p.content()
		}
		start := time.Now()
		go func() { // it stops reading
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if n := len(s.broker.Connections()); n != 0 {
				t.Errorf("still there after %v in which it took nothing", time.Since(start))
			}
		}()
		time.Sleep(11 * time.Second)
	})
}

// TestRefusedDeliveriesTakeNoBuffer: a consumer that waits for its client to acknowledge is idle.
func TestRefusedDeliveriesTakeNoBuffer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p, other := openChannel(t, s, 0), openChannel(t, s, 0)
		p.send(1, &amqp.BasicQos{PrefetchCount: 1})
		p.expect(1, &amqp.BasicQosOk{})
		p.send(1, &amqp.QueueDeclare{Queue: "q", NoWait: true})
		p.consume(1, "c")
		other.publish(1, "", "q", "body")
		p.delivery()
		synctest.Wait()
		other.publish(1, "", "q", "refused")
		other.ping()
		for o := range outboxes(s) {
			synctest.Wait()
			o.mu.Lock()
			if o.buf != nil || o.owner != nil {
				t.Errorf("an outbox with %d bytes holds a buffer of %d", len(o.buf), cap(o.buf))
			}
			o.mu.Unlock()
		}
	})
}
