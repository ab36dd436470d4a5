package core_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/amqptest"
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
