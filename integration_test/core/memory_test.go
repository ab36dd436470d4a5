package core_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/amqptest"
	"github.com/warren-mq/warren/broker"
	"github.com/warren-mq/warren/server"
)

// heap is how many bytes are in use after a collection.
func heap() int64 {
	runtime.GC()
	runtime.GC() // the first one only moves what is pooled to where the second finds it
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestIdleConnectionsKeepNoBuffers, in whichever stage they idle.
func TestIdleConnectionsKeepNoBuffers(t *testing.T) {
	const count, most = 200, 24 << 10 // bytes for each, both ends of it
	for name, bring := range map[string]func(t *testing.T, s *amqptest.Server) *client{
		"accepted":         connect,
		"tuning":           atTune,
		"with one channel": openChannel,
		"in the middle of a frame": func(t *testing.T, s *amqptest.Server) *client {
			c := openChannel(t, s)
			c.write(message(1, to("q"), nil, make([]byte, 1000))[:500])
			return c
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := amqptest.NewServer(t, amqptest.WithoutManagement(), amqptest.WithServer(server.Config{HandshakeTimeout: time.Minute}))
			bring(t, s).frames.Release()
			before := heap()
			for range count {
				bring(t, s).frames.Release()
			}
			eventually(t, "what is left over is collected", func() bool { return (heap()-before)/count < most })
			t.Logf("%d bytes for each connection", (heap()-before)/count)
		})
	}
}

// TestAnnouncedBodiesTakeNoMemory: 1 GiB on each of a thousand channels, of which nothing comes.
func TestAnnouncedBodiesTakeNoMemory(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement())
	c := openChannel(t, s)
	const channels = 1000
	c.openChannels(2, channels)
	before := heap()
	for n := range uint16(channels - 1) {
		c.write(join(methodFrame(n+2, to("q")), contentHeader(n+2, 60, 0, 1<<30), rawFrame(amqp.FrameBody, n+2, "begun")))
	}
	c.ping()
	if grown := heap() - before; grown > 1<<20 {
		t.Errorf("%d bytes are in use for bodies that have not come", grown)
	}
}

// TestTooLargeBodyTakesNoMemory although all of it is read.
func TestTooLargeBodyTakesNoMemory(t *testing.T) {
	const size = 64 << 20
	s := amqptest.NewServer(t, amqptest.WithoutManagement(), amqptest.WithBroker(broker.Config{MaxMessageSize: 1 << 20}))
	c := openChannel(t, s)
	before := heap()
	c.write(join(methodFrame(1, to("q")), contentHeader(1, 60, 0, size)))
	piece := amqp.AppendBody(nil, 1, make([]byte, 131064), 131072)
	sent, most := 0, int64(0)
	for ; sent+131064 <= size; sent += 131064 {
		c.write(piece)
		if sent%(10*131064) == 0 {
			most = max(most, heap()-before)
		}
	}
	c.write(amqp.AppendBody(nil, 1, make([]byte, size-sent), 131072))
	c.expect(1, closed(406, "PRECONDITION_FAILED - message size 67108864 is larger than configured max size 1048576", amqp.BasicPublishID))
	if most > 4<<20 {
		t.Errorf("%d bytes were in use meanwhile", most)
	}
}

// TestDeliveriesFitTheConsumersFrames, whatever those of the publisher were.
func TestDeliveriesFitTheConsumersFrames(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement())
	c := atTune(t, s)
	c.send(0, &amqp.ConnectionTuneOk{ChannelMax: 10, FrameMax: 4096})
	c.send(0, &amqp.ConnectionOpen{VirtualHost: "/"})
	c.expect(0, &amqp.ConnectionOpenOk{})
	c.openChannels(1, 1)
	c.send(1, &amqp.QueueDeclare{Queue: "q"})
	c.skip(amqp.QueueDeclareOkID)
	c.send(1, &amqp.BasicConsume{Queue: "q", ConsumerTag: "t", NoAck: true})
	c.expect(1, &amqp.BasicConsumeOk{ConsumerTag: "t"})
	p := openChannel(t, s)
	for _, size := range []int{0, 1, 4087, 4088, 4089, 8176, 100_000} {
		p.publish(1, to("q"), nil, make([]byte, size))
		c.skip(amqp.BasicDeliverID)
		if _, err := c.frame(); err != nil { // the header
			t.Fatal(err)
		}
		frames := 0
		for got := 0; got < size; frames++ {
			f, err := c.frame()
			if err != nil {
				t.Fatal(err)
			}
			if len(f.Payload) > 4088 {
				t.Errorf("a frame with %d octets of payload", len(f.Payload))
			}
			got += len(f.Payload)
		}
		if want := (size + 4087) / 4088; frames != want {
			t.Errorf("%d octets came in %d frames, want %d", size, frames, want)
		}
	}
}
