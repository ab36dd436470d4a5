package server

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/broker"
)

// TestHandshakeHasTenSeconds from accept to connection.open, however the client divides them. It is told nothing.
func TestHandshakeHasTenSeconds(t *testing.T) {
	for _, stage := range []string{"accepted", "half a protocol header", "starting", "tuning", "opening"} {
		t.Run(stage, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newServer(t, Config{}, broker.Config{})
				start := time.Now()
				for _, state := range states {
					if state.name == stage {
						if d := state.bring(t, s).expectEnd().Sub(start); d != 10*time.Second {
							t.Errorf("dropped after %v, want 10s", d)
						}
					}
				}
			})
		})
	}
}

// TestSlowHandshakeCountsFromAccept: a client cannot win time with each step.
func TestSlowHandshakeCountsFromAccept(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		start := time.Now()
		p := connect(t, s)
		time.Sleep(4 * time.Second)
		p.logIn("guest", "guest")
		p.skip(&amqp.ConnectionTune{})
		time.Sleep(4 * time.Second)
		p.send(0, &amqp.ConnectionTuneOk{ChannelMax: 1, FrameMax: 4096})
		if d := p.expectEnd().Sub(start); d != 10*time.Second {
			t.Errorf("dropped after %v, want 10s", d)
		}
	})
}

// TestOpenConnectionIsNotBoundByTheHandshake.
func TestOpenConnectionIsNotBoundByTheHandshake(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p := openChannel(t, s, 0)
		time.Sleep(time.Hour)
		p.ping()
	})
}

// pauses are failures after which RabbitMQ drops the client three seconds later.
var pauses = []struct {
	name string
	fail func(t *testing.T, s *Server) *peer
}{
	{"login failed", func(t *testing.T, s *Server) *peer {
		p := connect(t, s)
		p.logIn("guest", "wrong")
		p.skip(&amqp.ConnectionClose{})
		return p
	}},
	{"login failed, no close taken", func(t *testing.T, s *Server) *peer {
		p := connect(t, s)
		p.write([]byte("AMQP\x00\x00\x09\x01"))
		p.skip(&amqp.ConnectionStart{})
		p.send(0, &amqp.ConnectionStartOk{Mechanism: "PLAIN", Response: []byte("\x00guest\x00wrong")})
		return p
	}},
	{"unknown mechanism", func(t *testing.T, s *Server) *peer {
		p := connect(t, s)
		p.write([]byte("AMQP\x00\x00\x09\x01"))
		p.skip(&amqp.ConnectionStart{})
		p.send(0, &amqp.ConnectionStartOk{Mechanism: "NONE"})
		return p
	}},
	{"tuning failed", func(t *testing.T, s *Server) *peer {
		p := connect(t, s)
		p.logIn("guest", "guest")
		p.skip(&amqp.ConnectionTune{})
		p.send(0, &amqp.ConnectionTuneOk{})
		return p
	}},
	{"frame too large in the handshake", func(t *testing.T, s *Server) *peer {
		p := connect(t, s)
		p.write([]byte("AMQP\x00\x00\x09\x01"))
		p.skip(&amqp.ConnectionStart{})
		p.write([]byte{1, 0, 0, 1, 0, 0, 0})
		return p
	}},
	{"malformed frame", func(t *testing.T, s *Server) *peer {
		p := open(t, s, 0)
		p.write([]byte{1, 0, 0, 0, 0, 0, 0, 0})
		p.skip(&amqp.ConnectionClose{})
		return p
	}},
	{"frame too large", func(t *testing.T, s *Server) *peer {
		p := open(t, s, 1)
		p.write([]byte{1, 0, 0, 1, 0, 0, 0})
		p.skip(&amqp.ConnectionClose{})
		return p
	}},
}

func TestFailedClientIsDroppedAfterThreeSeconds(t *testing.T) {
	for _, c := range pauses {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newServer(t, Config{}, broker.Config{})
				p := c.fail(t, s)
				synctest.Wait()
				if n := s.pausing.Load(); n != 1 {
					t.Errorf("%d connections are counted as pausing, want 1", n)
				}
				start := time.Now()
				if d := p.expectEnd().Sub(start); d != 3*time.Second {
					t.Errorf("dropped after %v, want 3s", d)
				}
			})
		})
	}
}

// TestPausesAreBounded: beyond the limit clients are dropped at once, and told as before.
func TestPausesAreBounded(t *testing.T) {
	for _, c := range pauses {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newServer(t, Config{MaxPausing: 5}, broker.Config{})
				var waiting []*peer
				for range 5 {
					waiting = append(waiting, c.fail(t, s))
				}
				synctest.Wait()
				start := time.Now()
				for range 5 {
					c.fail(t, s).expectEnd()
				}
				if d := since(start); d != 0 {
					t.Errorf("those beyond the limit took %v", d)
				}
				if n := s.pausing.Load(); n != 5 {
					t.Errorf("%d connections pause, want 5", n)
				}
				for _, p := range waiting {
					p.expectEnd()
				}
				if d := since(start); d != 3*time.Second {
					t.Errorf("those within the limit were dropped after %v", d)
				}
			})
		})
	}
}

// TestWaitsForCloseOkAreBounded together with the pauses.
func TestWaitsForCloseOkAreBounded(t *testing.T) {
	for _, name := range []string{"connection error", "closed by an operator", "vhost refused"} {
		for _, state := range states {
			if state.name != name {
				continue
			}
			t.Run(name, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					s := newServer(t, Config{MaxPausing: 1}, broker.Config{})
					first := state.bring(t, s)
					synctest.Wait()
					start := time.Now()
					connect(t, s).conn.Close()
					p := open(t, s, 0)
					p.send(1, &amqp.BasicGet{})
					p.skip(&amqp.ConnectionClose{})
					if d := p.expectEnd().Sub(start); d != 0 {
						t.Errorf("the second one was dropped after %v", d)
					}
					if d := first.expectEnd().Sub(start); d != closeWait {
						t.Errorf("the first one was dropped after %v, want %v", d, closeWait)
					}
				})
			})
		}
	}
}

// TestPausingClientIsNotRead: what it sends meanwhile costs nothing.
func TestPausingClientIsNotRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p := open(t, s, 0)
		p.write([]byte{1, 0, 0, 0, 0, 0, 0, 0})
		p.skip(&amqp.ConnectionClose{})
		p.conn.SetWriteDeadline(time.Now().Add(2 * time.Second))
		if n, err := p.conn.Write(make([]byte, 10<<20)); err == nil {
			t.Errorf("%d bytes were read", n)
		}
	})
}
