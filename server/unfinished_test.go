package server

import (
	"testing"
	"testing/synctest"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/broker"
)

// beginBody sends a publish that announces a body of size bytes and sends only what is in piece.
func (p *peer) beginBody(channel uint16, size uint64, piece []byte) {
	p.t.Helper()
	b := amqp.AppendMethod(nil, channel, &amqp.BasicPublish{RoutingKey: []byte("q")})
	b = amqp.AppendContentHeader(b, channel, classBasic, size, []byte{0, 0})
	p.write(amqp.AppendBody(b, channel, piece, 131072))
}

// beginContent sends a publish and a header with properties of size bytes for a body that is never sent.
func (p *peer) beginContent(channel uint16, size int) {
	p.t.Helper()
	properties := amqp.Properties{Flags: amqp.FlagHeaders, Headers: amqp.AppendTableBody(nil, amqp.Table{
		{Name: "x", Value: string(make([]byte, size))},
	})}
	b := amqp.AppendMethod(nil, channel, &amqp.BasicPublish{RoutingKey: []byte("q")})
	p.write(amqp.AppendContentHeader(b, channel, classBasic, 1, properties.Append(nil)))
}

// openChannels opens the channels up to n.
func (p *peer) openChannels(from, to uint16) {
	p.t.Helper()
	for n := from; n <= to; n++ {
		p.send(n, &amqp.ChannelOpen{})
		p.expect(n, &amqp.ChannelOpenOk{})
	}
}

// ping makes sure that a connection works.
func (p *peer) ping() {
	p.t.Helper()
	p.send(1, &amqp.ChannelFlow{Active: true})
	p.expect(1, &amqp.ChannelFlowOk{Active: true})
}

var tooMuch = connectionClose(amqp.ResourceError, "RESOURCE_ERROR - too many bytes of unfinished messages", amqp.BasicPublishID)

// TestAnnouncedBodyReservesNothing: what counts is what has come.
func TestAnnouncedBodyReservesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p := openChannel(t, s, 0)
		p.openChannels(2, 100)
		for n := range uint16(99) {
			p.beginBody(2+n, 1<<30, nil)
		}
		p.ping()
		for c := range s.conns {
			for _, ch := range c.channelList() {
				if n := cap(ch.content.body); n != 0 {
					t.Fatalf("channel %d has %d bytes for a body that has not begun", ch.number, n)
				}
			}
		}
		if n := s.unfinished.Load(); n > 99*10 {
			t.Fatalf("%d bytes are counted for 99 short headers", n)
		}
	})
}

// TestUnfinishedBodiesAreBoundedPerConnection over all its channels, and given back when it ends.
func TestUnfinishedBodiesAreBoundedPerConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{MaxUnfinishedBytes: 1 << 20}, broker.Config{})
		p, other := openChannel(t, s, 0), openChannel(t, s, 0)
		p.openChannels(2, 20)
		other.beginBody(1, 200, make([]byte, 100))
		synctest.Wait()
		one := s.unfinished.Load()
		if one < 64<<10 || one > 65<<10 {
			t.Fatalf("%d bytes are counted for a body that takes the smallest buffer", one)
		}
		piece := make([]byte, 100<<10)
		for n := range uint16(7) {
			p.beginBody(1+n, 1<<20, piece)
		}
		synctest.Wait()
		if n := s.unfinished.Load() - one; n < 7*128<<10 || n > 7*129<<10 {
			t.Fatalf("%d bytes are counted for seven bodies that take 128 KiB each", n)
		}
		p.beginBody(8, 1<<20, piece)
		p.expect(0, tooMuch)
		if n := s.unfinished.Load(); n != one {
			t.Fatalf("%d bytes are counted after the end, want the other connection's %d", n, one)
		}
		other.write(amqp.AppendBody(nil, 1, make([]byte, 100), 131072))
		other.ping()
	})
}

// TestUnfinishedPropertiesCount: a client need not send any body to fill memory.
func TestUnfinishedPropertiesCount(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{MaxUnfinishedBytes: 1 << 20}, broker.Config{})
		p := openChannel(t, s, 0)
		p.openChannels(2, 20)
		for range 3 { // what is complete is not counted any more
			for n := range uint16(9) {
				p.beginContent(1+n, 100<<10)
			}
			synctest.Wait()
			if n := s.unfinished.Load(); n < 9*100<<10 {
				t.Fatalf("%d bytes are counted for nine headers of 100 KiB", n)
			}
			for n := range uint16(9) {
				p.write(amqp.AppendBody(nil, 1+n, []byte("b"), 131072))
			}
			p.ping()
			if n := s.unfinished.Load(); n != 0 {
				t.Fatalf("%d bytes are counted for what is complete", n)
			}
		}
		for n := range uint16(10) {
			p.beginContent(1+n, 100<<10)
		}
		p.beginContent(11, 100<<10)
		p.expect(0, tooMuch)
	})
}

// TestUnfinishedBodiesAreBoundedInTotal: the connection that holds most has to go, not the one that comes last.
func TestUnfinishedBodiesAreBoundedInTotal(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{MaxUnfinishedBytes: 2 << 20, MaxUnfinishedBytesTotal: 1<<20 + 100}, broker.Config{})
		hog, other := openChannel(t, s, 0), openChannel(t, s, 0)
		hog.beginBody(1, 1<<20, make([]byte, 1<<20-100))
		synctest.Wait()
		other.beginBody(1, 300, make([]byte, 200))
		hog.expect(0, tooMuch)
		other.write(amqp.AppendBody(nil, 1, make([]byte, 100), 131072))
		other.ping()
		if n := s.unfinished.Load(); n != 0 {
			t.Fatalf("%d bytes are counted, want none", n)
		}
	})
}

// TestLargestHolderGoesItself if it is the one that goes too far.
func TestLargestHolderGoesItself(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{MaxUnfinishedBytes: 2 << 20, MaxUnfinishedBytesTotal: 1 << 20}, broker.Config{})
		hog, other := openChannel(t, s, 0), openChannel(t, s, 0)
		other.beginBody(1, 300, make([]byte, 200))
		hog.beginBody(1, 1<<20, make([]byte, 512<<10))
		synctest.Wait()
		hog.write(amqp.AppendBody(nil, 1, make([]byte, 1), 131072))
		hog.expect(0, tooMuch)
		other.write(amqp.AppendBody(nil, 1, make([]byte, 100), 131072))
		other.ping()
	})
}

// TestBodiesAreForgottenWhateverEndsThem: complete, channel error, connection error in the same read, close, loss.
func TestBodiesAreForgottenWhateverEndsThem(t *testing.T) {
	large := make([]byte, 300<<10) // several frames
	for _, c := range []struct {
		name string
		end  func(p *peer)
	}{
		{"complete", func(p *peer) { p.publish(1, "", "q", string(large)); p.ping() }},
		{"missing exchange", func(p *peer) {
			p.publish(1, "none", "q", string(large))
			p.skip(&amqp.ChannelClose{})
		}},
		{"closing channel", func(p *peer) {
			p.publish(1, "none", "q", "")
			p.skip(&amqp.ChannelClose{})
			p.publish(1, "none", "q", string(large))
			p.beginBody(1, 1<<20, large)
			p.openChannels(2, 2)
		}},
		{"too large", func(p *peer) {
			p.publish(1, "", "q", string(make([]byte, 1<<20+1)))
			p.skip(&amqp.ChannelClose{})
		}},
		{"complete, then garbage", func(p *peer) {
			p.write(append(publishFrames(1, "", "q", string(large)), 1, 0, 0, 0, 0, 0, 0, 0))
			p.skip(&amqp.ConnectionClose{})
		}},
		{"complete, then a connection error", func(p *peer) {
			p.write(amqp.AppendMethod(publishFrames(1, "", "q", string(large)), 9, &amqp.BasicGet{}))
			p.skip(&amqp.ConnectionClose{})
		}},
		{"unfinished, then a surplus", func(p *peer) {
			p.beginBody(1, uint64(len(large))+1, large)
			p.write(amqp.AppendBody(nil, 1, []byte("xx"), 131072))
			p.write(amqp.AppendBody(nil, 1, large, 131072))
			p.openChannels(2, 2)
		}},
		{"properties only, then the channel closes", func(p *peer) {
			p.publish(1, "none", "q", "")
			p.skip(&amqp.ChannelClose{})
			p.beginContent(1, 10<<10)
			p.write(amqp.AppendMethod(amqp.AppendBody(nil, 1, []byte("b"), 131072), 1, &amqp.ChannelCloseOk{}))
			p.openChannels(1, 1)
		}},
		{"properties only, then the connection is lost", func(p *peer) {
			p.beginContent(1, 10<<10)
			p.conn.Close()
		}},
		{"connection closed", func(p *peer) {
			p.beginBody(1, 1<<20, large)
			p.send(0, &amqp.ConnectionClose{ReplyCode: 200})
			p.skip(&amqp.ConnectionCloseOk{})
		}},
		{"connection lost", func(p *peer) {
			p.beginBody(1, 1<<20, large)
			p.conn.Close()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newServer(t, Config{}, broker.Config{MaxMessageSize: 1 << 20})
				p := openChannel(t, s, 0)
				c.end(p)
				synctest.Wait()
				if n := s.unfinished.Load(); n != 0 {
					t.Fatalf("%d bytes are still counted", n)
				}
			})
		})
	}
}

// TestSurplusBodyLeavesTheChannelWaiting, as in 3.10.8: any next method is out of place.
func TestSurplusBodyLeavesTheChannelWaiting(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p := openChannel(t, s, 0)
		p.beginBody(1, 3, []byte("four"))
		p.openChannels(2, 2)
		p.send(1, &amqp.ChannelFlow{Active: true})
		p.expect(0, connectionClose(amqp.UnexpectedFrame,
			"UNEXPECTED_FRAME - expected content body, got non content body frame instead", amqp.BasicPublishID))
	})
}
