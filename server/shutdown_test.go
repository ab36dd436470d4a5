package server

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/broker"
)

const shutdownText = "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'"

// states brings a connection into each state in which it waits for something.
var states = []struct {
	name   string
	bring  func(t *testing.T, s *Server) *peer
	silent bool // the client is not told anything
}{
	{"accepted", connect, true},
	{"half a protocol header", func(t *testing.T, s *Server) *peer {
		p := connect(t, s)
		p.write([]byte("AMQP"))
		return p
	}, true},
	{"starting", func(t *testing.T, s *Server) *peer {
		p := connect(t, s)
		p.write([]byte("AMQP\x00\x00\x09\x01"))
		p.skip(&amqp.ConnectionStart{})
		return p
	}, true},
	{"tuning", func(t *testing.T, s *Server) *peer {
		p := connect(t, s)
		p.logIn("guest", "guest")
		p.skip(&amqp.ConnectionTune{})
		return p
	}, true},
	{"opening", func(t *testing.T, s *Server) *peer {
		p := connect(t, s)
		p.logIn("guest", "guest")
		p.skip(&amqp.ConnectionTune{})
		p.send(0, &amqp.ConnectionTuneOk{ChannelMax: 1, FrameMax: 4096})
		return p
	}, true},
	{"login failed", func(t *testing.T, s *Server) *peer {
		p := connect(t, s)
		p.logIn("guest", "wrong")
		p.skip(&amqp.ConnectionClose{})
		return p
	}, true},
	{"vhost refused", func(t *testing.T, s *Server) *peer {
		p := connect(t, s)
		p.logIn("guest", "guest")
		p.skip(&amqp.ConnectionTune{})
		p.send(0, &amqp.ConnectionTuneOk{ChannelMax: 1, FrameMax: 4096})
		p.send(0, &amqp.ConnectionOpen{VirtualHost: "none"})
		p.skip(&amqp.ConnectionClose{})
		return p
	}, true},
	{"running", func(t *testing.T, s *Server) *peer { return open(t, s, 0) }, false},
	{"in the middle of a frame", func(t *testing.T, s *Server) *peer {
		p := openChannel(t, s, 0)
		p.write(publishFrames(1, "", "q", "body")[:25])
		return p
	}, false},
	{"channel error", func(t *testing.T, s *Server) *peer {
		p := openChannel(t, s, 0)
		p.publish(1, "none", "", "")
		p.skip(&amqp.ChannelClose{})
		return p
	}, false},
	{"held by an alarm", func(t *testing.T, s *Server) *peer {
		p := openChannel(t, s, 0)
		s.broker.Alarms.Set(broker.Memory, true)
		p.publish(1, "", "q", "body")
		p.skip(&amqp.ConnectionBlocked{})
		return p
	}, false},
	{"malformed frame", func(t *testing.T, s *Server) *peer {
		p := open(t, s, 0)
		p.write([]byte{1, 0, 0, 0, 0, 0, 0, 0})
		p.skip(&amqp.ConnectionClose{})
		return p
	}, true},
	{"connection error", func(t *testing.T, s *Server) *peer {
		p := open(t, s, 0)
		p.send(1, &amqp.BasicGet{})
		p.skip(&amqp.ConnectionClose{})
		return p
	}, true},
	{"closed by an operator", func(t *testing.T, s *Server) *peer {
		p := open(t, s, 0)
		s.broker.Connections()[0].Close("go")
		p.skip(&amqp.ConnectionClose{})
		return p
	}, true},
	{"closed by the client", func(t *testing.T, s *Server) *peer {
		p := open(t, s, 0)
		p.send(0, &amqp.ConnectionClose{ReplyCode: 200})
		p.skip(&amqp.ConnectionCloseOk{})
		return p
	}, true},
}

// logIn says who the client is.
func (p *peer) logIn(user, password string) {
	p.t.Helper()
	p.write([]byte("AMQP\x00\x00\x09\x01"))
	p.skip(&amqp.ConnectionStart{})
	p.send(0, &amqp.ConnectionStartOk{
		ClientProperties: allCapabilities, Mechanism: "PLAIN", Response: []byte("\x00" + user + "\x00" + password), Locale: "en_US",
	})
}

// TestShutdownTellsWhoIsIn: a broker that stops tells the clients that are let in, whatever state they are in, and gives
// them a moment to read it. It waits for nobody else.
func TestShutdownTellsWhoIsIn(t *testing.T) {
	for _, state := range states {
		t.Run(state.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newServer(t, Config{}, broker.Config{})
				p := state.bring(t, s)
				synctest.Wait()
				start, done := time.Now(), make(chan error)
				go func() { done <- shutdown(s, time.Minute) }()
				if !state.silent {
					p.expect(0, connectionClose(amqp.ConnectionForced, shutdownText, 0))
				}
				want := goodbye
				if state.silent {
					want = 0
				}
				if d := p.expectEnd().Sub(start); d != want {
					t.Errorf("the connection ended after %v, want %v", d, want)
				}
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestShutdownRightAfterAccept finds connections whose goroutine has not run yet.
func TestShutdownRightAfterAccept(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		start := time.Now()
		for range 50 {
			connect(t, s)
		}
		if err := shutdown(s, time.Minute); err != nil {
			t.Fatal(err)
		}
		if d := since(start); d != 0 {
			t.Fatalf("took %v", d)
		}
	})
}

// stuck brings a connection to where neither side reads: the client has asked for more than it takes.
func stuck(t *testing.T, s *Server, heartbeat uint16) *peer {
	t.Helper()
	p := openChannel(t, s, heartbeat)
	p.send(1, &amqp.QueueDeclare{Queue: "large", NoWait: true})
	p.publish(1, "", "large", string(make([]byte, 100<<10)))
	gets := []byte(nil)
	for range 100 {
		gets = amqp.AppendMethod(gets, 1, &amqp.BasicGet{Queue: "large"})
		gets = amqp.AppendMethod(gets, 1, &amqp.BasicRecoverAsync{Requeue: true})
	}
	go p.conn.Write(gets) // as far as the server reads
	synctest.Wait()
	return p
}

func TestShutdownWithAClientThatNeverReads(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		stuck(t, s, 0)
		start := time.Now()
		if err := shutdown(s, time.Minute); err != nil {
			t.Fatal(err)
		}
		if d := since(start); d > farewell {
			t.Fatalf("took %v, want at most %v", d, farewell)
		}
	})
}

// TestOperatorClosesAClientThatNeverReads: it cannot be told, but it must go.
func TestOperatorClosesAClientThatNeverReads(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		stuck(t, s, 0)
		s.broker.Connections()[0].Close("go")
		time.Sleep(closeWait + time.Second)
		synctest.Wait()
		if n := len(s.broker.Connections()); n != 0 {
			t.Fatalf("%d connections are left", n)
		}
	})
}

// TestClientThatClosesButNeverReads does not stay for ever, even without heartbeats.
func TestClientThatClosesButNeverReads(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p := openChannel(t, s, 0)
		p.send(0, &amqp.ConnectionClose{ReplyCode: 200})
		time.Sleep(closeWait + time.Second)
		synctest.Wait()
		if n := len(s.broker.Connections()); n != 0 {
			t.Fatalf("%d connections are left", n)
		}
	})
}

// TestOperatorCloseWaitsForCloseOk: RabbitMQ waits min(heartbeat, 30 s) for the answer, 30 s without heartbeats.
func TestOperatorCloseWaitsForCloseOk(t *testing.T) {
	for _, c := range []struct {
		heartbeat uint16
		wait      time.Duration
	}{{0, closeWait}, {10, 10 * time.Second}, {600, closeWait}} {
		bubble(t, func(t *testing.T) {
			s := newServer(t, Config{}, broker.Config{})
			p := open(t, s, c.heartbeat)
			start := time.Now()
			s.broker.Connections()[0].Close("maintenance")
			s.broker.Connections()[0].Close("again") // what came first counts
			p.expect(0, connectionClose(amqp.ConnectionForced, "CONNECTION_FORCED - maintenance", 0))
			if d := p.expectEnd().Sub(start); d != c.wait {
				t.Errorf("heartbeat %d: cut after %v, want %v", c.heartbeat, d, c.wait)
			}
		})
	}
}

func TestCloseOkEndsTheWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p := openChannel(t, s, 0)
		start := time.Now()
		s.broker.Connections()[0].Close("go")
		p.skip(&amqp.ConnectionClose{})
		p.publish(1, "", "q", "ignored")
		p.send(0, &amqp.ConnectionClose{ReplyCode: 200}) // both sides close at once: theirs is answered
		p.expect(0, &amqp.ConnectionCloseOk{})
		p.send(0, &amqp.ConnectionCloseOk{})
		if d := p.expectEnd().Sub(start); d != 0 {
			t.Fatalf("ended after %v", d)
		}
	})
}

// TestShutdownEndsWithTheAnswer: who has read that the broker goes is not waited for.
func TestShutdownEndsWithTheAnswer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p := openChannel(t, s, 0)
		start, done := time.Now(), make(chan error)
		go func() { done <- shutdown(s, time.Minute) }()
		p.expect(0, connectionClose(amqp.ConnectionForced, shutdownText, 0))
		p.publish(1, "", "q", "ignored")
		p.send(0, &amqp.ConnectionCloseOk{})
		if d := p.expectEnd().Sub(start); d != 0 {
			t.Errorf("the connection ended after %v", d)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
