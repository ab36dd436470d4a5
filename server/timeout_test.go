package server

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/broker"
)

// timedOut is what closes a channel whose client owes an acknowledgement.
func timedOut(channel int, timeout time.Duration) amqp.Method {
	return &amqp.ChannelClose{ReplyCode: 406, ReplyText: fmt.Sprintf("PRECONDITION_FAILED - delivery acknowledgement on "+
		"channel %d timed out. Timeout value used: %d ms. This timeout value can be configured, see consumers doc guide to learn more",
		channel, timeout.Milliseconds())}
}

// consuming opens a channel with a consumer of a queue, and publishes so many messages to it.
func consuming(t *testing.T, s *Server, messages int) *peer {
	t.Helper()
	p := openChannel(t, s, 0)
	p.send(1, &amqp.QueueDeclare{Queue: "q", NoWait: true})
	p.send(1, &amqp.BasicConsume{Queue: "q", ConsumerTag: "c", NoWait: true})
	for n := range messages {
		p.publish(1, "", "q", fmt.Sprint(n))
		p.delivery()
	}
	return p
}

func TestADeliveryThatIsNotAcknowledgedInTimeClosesItsChannel(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		start := time.Now()
		p := consuming(t, s, 2)
		p.send(2, &amqp.ChannelOpen{})
		p.expect(2, &amqp.ChannelOpenOk{})
		p.send(1, &amqp.BasicAck{DeliveryTag: 1})
		p.expect(1, timedOut(1, DefaultConsumerTimeout))
		if d := since(start); d <= DefaultConsumerTimeout || d > DefaultConsumerTimeout+sweepInterval {
			t.Errorf("closed after %v", d)
		}
		q, _ := p.vhost(s).Queue("q")
		if st := q.Stats(); st.Ready != 1 || st.Unacked != 0 || st.Consumers != 0 {
			t.Errorf("the queue has %d ready, %d unacked messages, %d consumers", st.Ready, st.Unacked, st.Consumers)
		}
		p.send(2, &amqp.BasicGet{Queue: "q"}) // the connection lives on
		p.expect(2, &amqp.BasicGetOk{DeliveryTag: 1, Redelivered: true, RoutingKey: []byte("q")})
		if body := p.content(); body != "1" {
			t.Errorf("got %q", body)
		}
		p.expect(2, timedOut(2, DefaultConsumerTimeout)) // what was got counts too
	})
}

// TestOnlyTheOldestDeliveryCounts: a client that goes on acknowledging may have as much outstanding as it likes.
func TestOnlyTheOldestDeliveryCounts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const timeout = 5 * time.Minute
		s := newServer(t, Config{ConsumerTimeout: timeout}, broker.Config{})
		p := consuming(t, s, 0)
		for n := range 100 { // each is acknowledged four minutes after it came
			p.publish(1, "", "q", fmt.Sprint(n))
			if tag, _ := p.delivery(); tag > 4 {
				p.send(1, &amqp.BasicAck{DeliveryTag: tag - 4, Multiple: n%2 == 0})
			}
			time.Sleep(time.Minute)
		}
		if n := marks(s); n > 10 {
			t.Errorf("%d marks are kept", n)
		}
		start := time.Now()
		p.expect(1, timedOut(1, timeout))
		if d := since(start); d > 2*time.Minute+sweepInterval {
			t.Errorf("closed after %v", d)
		}
	})
}

func TestAConsumerTimeoutBelowTheSweepFiresWithIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{ConsumerTimeout: time.Second}, broker.Config{})
		start := time.Now()
		p := consuming(t, s, 1)
		p.expect(1, timedOut(1, time.Second))
		if d := since(start); d != sweepInterval {
			t.Errorf("closed after %v", d)
		}
	})
}

func TestWithoutAConsumerTimeoutNothingIsRemembered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{ConsumerTimeout: -1}, broker.Config{})
		p := consuming(t, s, 3)
		time.Sleep(100 * time.Hour)
		p.ping()
		if n := marks(s); n != 0 {
			t.Errorf("%d marks are kept", n)
		}
	})
}

// TestAConsumerTimesOutWhateverItsReaderWaitsFor: for an alarm to end, or for a client that does not read.
func TestAConsumerTimesOutWhateverItsReaderWaitsFor(t *testing.T) {
	t.Run("alarm", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			s := newServer(t, Config{ConsumerTimeout: time.Minute}, broker.Config{})
			p := consuming(t, s, 1)
			s.broker.Alarms.Set(broker.Memory, true)
			p.publish(1, "", "", "held")
			p.skip(&amqp.ConnectionBlocked{})
			p.expect(1, timedOut(1, time.Minute))
			s.broker.Alarms.Set(broker.Memory, false)
			p.skip(&amqp.ConnectionUnblocked{})
			p.send(1, &amqp.ChannelCloseOk{})
			p.send(1, &amqp.ChannelOpen{})
			p.expect(1, &amqp.ChannelOpenOk{})
		})
	})
	t.Run("crowded", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			s := newServer(t, Config{ConsumerTimeout: time.Minute}, broker.Config{})
			p := consuming(t, s, 0)
			p.publish(1, "", "q", "owed")
			p.delivery()
			p.send(1, &amqp.QueueDeclare{Queue: "large", NoWait: true})
			p.publish(1, "", "large", string(make([]byte, 100<<10)))
			gets := []byte(nil)
			for range 100 {
				gets = amqp.AppendMethod(gets, 1, &amqp.BasicGet{Queue: "large"})
			}
			p.send(1, &amqp.QueueDeclare{Queue: "other", NoWait: true})
			go p.conn.Write(append(gets, gets...))
			synctest.Wait()
			time.Sleep(3 * time.Minute)
			synctest.Wait()
			if q, _ := p.vhost(s).Queue("q"); q.Stats().Unacked != 0 {
				t.Error("the message did not return")
			}
		})
	})
}

// marks is how many times of deliveries are remembered for channel 1 of all connections.
func marks(s *Server) (n int) {
	synctest.Wait()
	for c := range s.conns {
		c.out.mu.Lock()
		n += len(c.channels[1].unacked.ages.marks)
		c.out.mu.Unlock()
	}
	return n
}
