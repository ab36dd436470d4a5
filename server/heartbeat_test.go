package server

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/broker"
)

// TestIdleClientIsSentAHeartbeatEveryHalfInterval: hb=2 gives one after 1, 2, 3 … seconds (protocol.md §4).
func TestIdleClientIsSentAHeartbeatEveryHalfInterval(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p := open(t, s, 2)
		start := time.Now()
		var at []time.Duration
		for len(at) < 6 {
			f, err := p.frame()
			if err != nil {
				break
			}
			if f.Type != amqp.FrameHeartbeat || f.Channel != 0 || len(f.Payload) != 0 {
				t.Fatalf("got %+v, want a heartbeat", f)
			}
			at = append(at, since(start))
			if len(at)%2 == 0 { // or the server takes the client for dead
				p.write(amqp.AppendHeartbeat(nil))
			}
		}
		want := []time.Duration{1, 2, 3, 4, 5, 6}
		for i := range want {
			want[i] *= time.Second
		}
		if !slices.Equal(at, want) {
			t.Fatalf("heartbeats at %v, want %v", at, want)
		}
	})
}

// TestTrafficReplacesHeartbeats: what was sent anyway says that the server is alive.
func TestTrafficReplacesHeartbeats(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p := openChannel(t, s, 2)
		p.frame() // the first heartbeat
		for range 6 {
			time.Sleep(500 * time.Millisecond)
			p.send(1, &amqp.ChannelFlow{Active: true})
			if f, err := p.frame(); err != nil || f.Type != amqp.FrameMethod {
				t.Fatalf("got type %d, %v; want flow-ok alone", f.Type, err)
			}
		}
	})
}

// TestSilentClientIsCutAfterTwoIdleChecks: hb=2 and not a byte after the handshake ends with a reset after 6 s.
func TestSilentClientIsCutAfterTwoIdleChecks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p := open(t, s, 2)
		start := time.Now()
		if d := p.expectEnd().Sub(start); d != 6*time.Second {
			t.Fatalf("cut after %v, want 6s", d)
		}
	})
}

// TestAnyTrafficCountsAsHeartbeat: a client that sends anything at all once in an interval lives, also in the middle
// of a frame.
func TestAnyTrafficCountsAsHeartbeat(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p := openChannel(t, s, 2)
		go drain(p)
		for _, b := range amqp.AppendMethod(nil, 1, &amqp.ChannelFlow{Active: true}) {
			time.Sleep(3900 * time.Millisecond)
			p.write([]byte{b})
		}
	})
}

func TestZeroHeartbeatMeansNone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p := openChannel(t, s, 0)
		time.Sleep(24 * time.Hour)
		p.send(1, &amqp.ChannelFlow{Active: true})
		f, err := p.frame()
		if err != nil || f.Type != amqp.FrameMethod {
			t.Fatalf("got type %d, %v; want flow-ok", f.Type, err)
		}
	})
}

// TestHeldPublisherIsNotTakenForDead: it is not read, so it cannot be heard. It still gets heartbeats.
func TestHeldPublisherIsNotTakenForDead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p := openChannel(t, s, 2)
		s.broker.Alarms.Set(broker.Memory, true)
		p.publish(1, "", "q", "held")
		p.expect(0, &amqp.ConnectionBlocked{Reason: "low on memory"})
		start := time.Now()
		beats := 0
		for since(start) < time.Minute {
			if f, err := p.frame(); err != nil || f.Type != amqp.FrameHeartbeat {
				t.Fatalf("after %v: got type %d, %v; want heartbeats", since(start), f.Type, err)
			}
			beats++
		}
		if beats < 58 {
			t.Fatalf("%d heartbeats in a minute, want one a second", beats)
		}
		s.broker.Alarms.Set(broker.Memory, false)
		p.expect(0, &amqp.ConnectionUnblocked{})
		if d := p.expectEnd().Sub(start); d < 64*time.Second || d > 66*time.Second {
			t.Fatalf("cut %v after it was held for 60s, want 4 to 6 s later", d)
		}
	})
}

// TestReleasedPublisherHasAWholeInterval: a check that comes just after the reader listens again cannot have heard it.
func TestReleasedPublisherHasAWholeInterval(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p := openChannel(t, s, 2)
		s.broker.Alarms.Set(broker.Memory, true)
		p.publish(1, "", "q", "held")
		p.expect(0, &amqp.ConnectionBlocked{Reason: "low on memory"})
		start := time.Now()
		time.AfterFunc(time.Minute-time.Millisecond, func() { s.broker.Alarms.Set(broker.Memory, false) })
		p.expect(0, &amqp.ConnectionUnblocked{})
		if d := p.expectEnd().Sub(start); d != 64*time.Second {
			t.Fatalf("cut after %v, want 64s: the checks after 62s and 64s heard nothing", d)
		}
	})
}

// TestHeldPublisherThatVanishesIsNoticed: nobody reads from it, so only the failing heartbeats tell.
func TestHeldPublisherThatVanishesIsNoticed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p := openChannel(t, s, 2)
		s.broker.Alarms.Set(broker.Disk, true)
		p.publish(1, "", "q", "held")
		p.expect(0, &amqp.ConnectionBlocked{Reason: "low on disk"})
		p.conn.Close()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if n := len(s.broker.Connections()); n != 0 {
			t.Fatalf("%d connections are left 3 s after the client has gone", n)
		}
	})
}

// drain takes whatever comes until the connection ends.
func drain(p *peer) {
	buf := make([]byte, 64<<10)
	for {
		if _, err := p.conn.Read(buf); err != nil {
			return
		}
	}
}

// TestClientIsHeardOnlyWhileTheReaderListens: what keeps the reader from it, such as a slow disk, is not its fault.
func TestClientIsHeardOnlyWhileTheReaderListens(t *testing.T) {
	for _, c := range []struct {
		name                       string
		listening, waits           bool
		received, sent, wantsAlive bool
	}{
		{name: "it says nothing", listening: true, sent: true},
		{name: "it says something", listening: true, received: true, wantsAlive: true},
		{name: "the reader is busy", wantsAlive: true},
		{name: "the reader waits for it, and it takes something", waits: true, sent: true, wantsAlive: true},
		{name: "the reader waits for it, and it takes nothing", waits: true},
	} {
		k := &conn{out: newOutbox(nil)}
		k.listening.Store(c.listening)
		k.out.readerWaits = c.waits
		h := &heartbeats{conn: k}
		alive := true
		for range maxSilentChecks {
			if c.received {
				k.received.bytes.Add(8)
			}
			if c.sent {
				k.out.sent.Add(8)
			}
			h.look()
			alive = h.heard()
		}
		if alive != c.wantsAlive {
			t.Errorf("%s: alive is %v", c.name, alive)
		}
	}
}
