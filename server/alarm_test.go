package server

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/broker"
)

// stateOf is what the management API shows of the only connection.
func stateOf(t *testing.T, s *Server) string {
	t.Helper()
	synctest.Wait()
	list := s.broker.Connections()
	if len(list) != 1 {
		t.Fatalf("%d connections, want 1", len(list))
	}
	return list[0].Info().State
}

// TestAlarmHoldsAConnectionFromItsNextPublish: from the header on everything waits until the alarm is over. Whoever does
// not publish notices nothing.
func TestAlarmHoldsAConnectionFromItsNextPublish(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p := openChannel(t, s, 0)
		p.send(1, &amqp.QueueDeclare{Queue: "q", NoWait: true})
		p.consume(1, "c")
		if state := stateOf(t, s); state != "running" {
			t.Errorf("state %s before the alarm", state)
		}
		s.broker.Alarms.Set(broker.Memory, true)
		if state := stateOf(t, s); state != "blocking" {
			t.Errorf("state %s with an alarm, before a publish", state)
		}
		p.ping()
		p.write(append(append(publishFrames(1, "", "q", "first"), publishFrames(1, "", "q", "second")...),
			amqp.AppendMethod(nil, 1, &amqp.ChannelFlow{Active: true})...))
		p.expect(0, &amqp.ConnectionBlocked{Reason: "low on memory"})
		if state := stateOf(t, s); state != "blocked" {
			t.Errorf("state %s after a publish", state)
		}
		start := time.Now()
		time.AfterFunc(time.Minute, func() { s.broker.Alarms.Set(broker.Memory, false) })
		p.expect(0, &amqp.ConnectionUnblocked{})
		if d := since(start); d != time.Minute {
			t.Errorf("held for %v", d)
		}
		if got := p.deliveries(2); got[0] != "first" || got[1] != "second" {
			t.Errorf("delivered %v", got)
		}
		p.expect(1, &amqp.ChannelFlowOk{Active: true})
		if state := stateOf(t, s); state != "running" {
			t.Errorf("state %s after the alarm", state)
		}
	})
}

// TestHeldPublisherGetsWhatOthersPublish, and what was confirmed before.
func TestHeldPublisherGetsWhatOthersPublish(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p, other := openChannel(t, s, 0), openChannel(t, s, 0)
		p.send(1, &amqp.QueueDeclare{Queue: "q", NoWait: true})
		p.consume(1, "c")
		p.send(1, &amqp.ConfirmSelect{})
		p.expect(1, &amqp.ConfirmSelectOk{})
		s.broker.Alarms.Set(broker.Disk, true)
		p.publish(1, "", "none", "")
		p.expect(1, &amqp.BasicAck{DeliveryTag: 1})
		p.expect(0, &amqp.ConnectionBlocked{Reason: "low on disk"})
		other.publish(1, "", "q", "") // complete with its header, which is what holds this connection, too
		p.delivery()
	})
}

// TestHeldInTheMiddleOfAMessage: the header is enough, and the rest arrives unharmed.
func TestHeldInTheMiddleOfAMessage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p := openChannel(t, s, 0)
		p.send(1, &amqp.QueueDeclare{Queue: "q", NoWait: true})
		p.consume(1, "c")
		frames := publishFrames(1, "", "q", string(make([]byte, 200<<10)))
		p.ping()
		s.broker.Alarms.Set(broker.Memory, true)
		go p.conn.Write(frames)
		p.expect(0, &amqp.ConnectionBlocked{Reason: "low on memory"})
		s.broker.Alarms.Set(broker.Memory, false)
		p.expect(0, &amqp.ConnectionUnblocked{})
		if _, body := p.delivery(); len(body) != 200<<10 {
			t.Errorf("%d bytes arrived", len(body))
		}
	})
}

// TestBothAlarmsHaveToEnd; both are told.
func TestBothAlarmsHaveToEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p := openChannel(t, s, 0)
		s.broker.Alarms.Set(broker.Memory, true)
		s.broker.Alarms.Set(broker.Disk, true)
		s.broker.Alarms.Set(broker.Disk, true)
		p.publish(1, "", "q", "")
		p.expect(0, &amqp.ConnectionBlocked{Reason: "low on memory & low on disk"})
		s.broker.Alarms.Set(broker.Memory, false)
		if state := stateOf(t, s); state != "blocked" {
			t.Errorf("state %s while one alarm is left", state)
		}
		s.broker.Alarms.Set(broker.Disk, false)
		p.expect(0, &amqp.ConnectionUnblocked{})
		p.ping()
	})
}

// TestEachEpisodeIsToldOnce, and only to clients that can take it; the others are held as well.
func TestEachEpisodeIsToldOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p := openChannel(t, s, 0)
		plain := connect(t, s)
		plain.write([]byte("AMQP\x00\x00\x09\x01"))
		plain.skip(&amqp.ConnectionStart{})
		plain.send(0, &amqp.ConnectionStartOk{Mechanism: "PLAIN", Response: []byte("\x00guest\x00guest")})
		plain.skip(&amqp.ConnectionTune{})
		plain.send(0, &amqp.ConnectionTuneOk{ChannelMax: 1, FrameMax: 4096})
		plain.send(0, &amqp.ConnectionOpen{VirtualHost: "/"})
		plain.expect(0, &amqp.ConnectionOpenOk{})
		plain.send(1, &amqp.ChannelOpen{})
		plain.expect(1, &amqp.ChannelOpenOk{})
		for range 3 {
			s.broker.Alarms.Set(broker.Memory, true)
			for _, c := range []*peer{p, plain} {
				c.publish(1, "", "q", "body")
			}
			p.expect(0, &amqp.ConnectionBlocked{Reason: "low on memory"})
			start := time.Now()
			time.AfterFunc(time.Second, func() { s.broker.Alarms.Set(broker.Memory, false) })
			plain.ping()
			if d := since(start); d != time.Second {
				t.Errorf("the client that is told nothing was held for %v", d)
			}
			p.expect(0, &amqp.ConnectionUnblocked{})
			p.ping()
		}
	})
}

// TestConnectionOpenedDuringAnAlarmIsNotToldAtOnce.
func TestConnectionOpenedDuringAnAlarmIsNotToldAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		s.broker.Alarms.Set(broker.Memory, true)
		p := openChannel(t, s, 0)
		p.send(1, &amqp.QueueDeclare{Queue: "q"})
		p.skip(&amqp.QueueDeclareOk{})
		p.ping()
		p.publish(1, "", "q", "")
		p.expect(0, &amqp.ConnectionBlocked{Reason: "low on memory"})
	})
}

// TestHeldPublisherCanBeClosed by an operator, who need not wait for the alarm to end.
func TestHeldPublisherCanBeClosed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		s.broker.Alarms.Set(broker.Memory, true)
		p := openChannel(t, s, 0)
		p.publish(1, "", "q", "")
		p.expect(0, &amqp.ConnectionBlocked{Reason: "low on memory"})
		start := time.Now()
		s.broker.Connections()[0].Close("enough")
		p.expect(0, connectionClose(amqp.ConnectionForced, "CONNECTION_FORCED - enough", 0))
		p.send(0, &amqp.ConnectionCloseOk{})
		if d := p.expectEnd().Sub(start); d != 0 {
			t.Errorf("ended after %v", d)
		}
	})
}

// TestUpdateSecretIsAnswered: the internal users have no secrets that expire.
func TestUpdateSecretIsAnswered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p := openChannel(t, s, 0)
		p.send(0, &amqp.ConnectionUpdateSecret{NewSecret: []byte("new"), Reason: "expired"})
		p.expect(0, &amqp.ConnectionUpdateSecretOk{})
		p.ping()
	})
}
