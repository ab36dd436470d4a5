package server

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/broker"
)

// backlog makes a connection and puts n messages into queue q.
func backlog(t *testing.T, s *Server, n int) *peer {
	t.Helper()
	p := openChannel(t, s, 0)
	p.send(1, &amqp.QueueDeclare{Queue: "q", NoWait: true})
	for i := range n {
		p.publish(1, "", "q", fmt.Sprint(i))
	}
	p.ping()
	return p
}

func (p *peer) qos(channel, n uint16, global bool) {
	p.t.Helper()
	p.send(channel, &amqp.BasicQos{PrefetchCount: n, Global: global})
	p.expect(channel, &amqp.BasicQosOk{})
}

// expectQuiet makes sure that nothing more comes by itself.
func (p *peer) expectQuiet() {
	p.t.Helper()
	synctest.Wait()
	p.conn.SetReadDeadline(time.Now().Add(time.Second))
	if f, ok, err := p.frames.Next(); ok || err != nil {
		p.t.Fatalf("got a frame of type %d on channel %d: %x", f.Type, f.Channel, f.Payload)
	}
	if err := p.frames.Fill(); err == nil {
		f, _, _ := p.frames.Next()
		p.t.Fatalf("got a frame of type %d on channel %d: %x", f.Type, f.Channel, f.Payload)
	}
}

func TestPrefetchOfAConsumer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p := backlog(t, s, 10)
		p.qos(1, 3, false)
		p.consume(1, "c")
		p.deliveries(3)
		p.expectQuiet()
		p.qos(1, 100, false) // counts for consumers that start later
		p.expectQuiet()
		p.send(1, &amqp.BasicAck{DeliveryTag: 2})
		p.deliveries(1)
		p.expectQuiet()
		p.send(1, &amqp.BasicAck{DeliveryTag: 4, Multiple: true})
		p.deliveries(3)
		p.send(1, &amqp.BasicReject{DeliveryTag: 5})
		p.deliveries(1)
		p.send(1, &amqp.BasicNack{DeliveryTag: 6, Requeue: true})
		if _, body := p.delivery(); body != "5" {
			t.Errorf("got %s, want what was given back", body)
		}
		p.expectQuiet()
		p.send(1, &amqp.BasicAck{Multiple: true})
		p.deliveries(2)
		p.expectQuiet()
	})
}

func TestGlobalPrefetchIsTheChannels(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p := backlog(t, s, 20)
		p.openChannels(2, 2)
		p.qos(1, 3, true)
		p.consume(1, "a")
		p.deliveries(3)
		p.consume(1, "b")
		p.expectQuiet()
		p.send(1, &amqp.BasicGet{Queue: "q"}) // neither limited nor counted
		p.skip(&amqp.BasicGetOk{})
		p.content()
		p.expectQuiet()
		for tag := range uint64(3) {
			p.send(1, &amqp.BasicAck{DeliveryTag: tag + 1})
			p.deliveries(1)
			p.expectQuiet()
		}
		p.qos(1, 5, true)
		p.deliveries(2)
		p.expectQuiet()
		p.send(1, &amqp.BasicCancel{ConsumerTag: "a"})
		p.expect(1, &amqp.BasicCancelOk{ConsumerTag: "a"})
		p.expectQuiet() // what it holds still counts
		p.qos(1, 0, false)
		p.deliveries(20 - 3 - 1 - 3 - 2)
		p.expectQuiet()
	})
}

// TestConsumerWithoutAcksWaitsForTheChannelsLimit, as in 3.10.8, and goes on when there is room.
func TestConsumerWithoutAcksWaitsForTheChannelsLimit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p := backlog(t, s, 2)
		p.qos(1, 2, true)
		p.consume(1, "acks")
		p.deliveries(2)
		p.send(1, &amqp.BasicCancel{ConsumerTag: "acks", NoWait: true})
		p.send(1, &amqp.BasicConsume{Queue: "q", ConsumerTag: "none", NoAck: true})
		p.expect(1, &amqp.BasicConsumeOk{ConsumerTag: "none"})
		p.publish(1, "", "q", "waits")
		p.expectQuiet()
		p.send(1, &amqp.BasicAck{DeliveryTag: 1})
		p.deliveries(1)
		p.publish(1, "", "q", "does not wait")
		p.deliveries(1)
	})
}

// tryDelivery waits a moment for basic.deliver.
func (p *peer) tryDelivery() (channel uint16, d *amqp.BasicDeliver, ok bool) {
	p.t.Helper()
	p.conn.SetReadDeadline(time.Now().Add(time.Second))
	for {
		f, ok, err := p.frames.Next()
		if err != nil {
			p.t.Fatal(err)
		}
		if ok {
			d = new(amqp.BasicDeliver)
			_, args, err := amqp.SplitMethod(f.Payload)
			if err == nil {
				err = d.Decode(args)
			}
			if err != nil {
				p.t.Fatal(err)
			}
			d.ConsumerTag = bytes.Clone(d.ConsumerTag)
			channel = f.Channel
			p.content()
			return channel, d, true
		}
		if p.frames.Fill() != nil {
			return 0, nil, false
		}
	}
}

// unsettled are deliveries that a client has not acknowledged.
type unsettled []struct {
	channel uint16
	tag     uint64
}

// ack acknowledges one of them, or with multiple all of its channel up to it.
func (u *unsettled) ack(p *peer, at int, multiple bool) {
	p.t.Helper()
	of := (*u)[at]
	p.send(of.channel, &amqp.BasicAck{DeliveryTag: of.tag, Multiple: multiple})
	rest := (*u)[:0]
	for _, d := range *u {
		if d != of && !(multiple && d.channel == of.channel && d.tag < of.tag) {
			rest = append(rest, d)
		}
	}
	*u = rest
}

// TestEveryMessageArrivesWhateverTheLimits: no consumer is forgotten that waits for credit or room, however the limits
// and acknowledgements fall together.
func TestEveryMessageArrivesWhateverTheLimits(t *testing.T) {
	for seed := range uint64(40) {
		bubble(t, func(t *testing.T) { everyMessageArrives(t, rand.New(rand.NewPCG(seed, 0)), int(seed%2)*10_000) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func everyMessageArrives(t *testing.T, r *rand.Rand, size int) {
	const count = 200
	s := newServer(t, Config{}, broker.Config{})
	p, publisher := openChannel(t, s, 0), openChannel(t, s, 0)
	p.send(1, &amqp.QueueDeclare{Queue: "q"})
	p.skip(&amqp.QueueDeclareOk{})
	channels := uint16(1 + r.IntN(3))
	p.openChannels(2, channels)
	for ch := range channels {
		p.qos(1+ch, uint16(r.IntN(4)), false)
		p.qos(1+ch, uint16(r.IntN(4)), true)
		for n := range 1 + r.IntN(3) {
			noAck := r.IntN(4) == 0
			p.consumeAs(1+ch, fmt.Sprint(noAck, n), noAck)
		}
	}
	published := make(chan struct{})
	defer func() { <-published }()
	go func() {
		defer close(published)
		body := string(make([]byte, size))
		for range count {
			publisher.publish(1, "", "q", body)
		}
	}()
	var holding unsettled
	for got := 0; got < count; {
		if len(holding) > 0 && r.IntN(3) == 0 {
			holding.ack(p, r.IntN(len(holding)), r.IntN(3) == 0)
			continue
		}
		channel, d, ok := p.tryDelivery()
		switch {
		case ok:
			got++
			if bytes.HasPrefix(d.ConsumerTag, []byte("false")) {
				holding = append(holding, struct {
					channel uint16
					tag     uint64
				}{channel, d.DeliveryTag})
			}
		case len(holding) == 0:
			t.Errorf("nothing comes after %d messages, and nothing is unacknowledged", got)
			return
		default: // it is up to us
			holding.ack(p, 0, false)
		}
	}
}

// consumeAs starts a consumer of queue q without waiting for an answer.
func (p *peer) consumeAs(channel uint16, tag string, noAck bool) {
	p.t.Helper()
	p.send(channel, &amqp.BasicConsume{Queue: "q", ConsumerTag: tag, NoAck: noAck, NoWait: true})
}
