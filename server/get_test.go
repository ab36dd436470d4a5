package server

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/broker"
)

// TestGettingFromManyQueuesKeepsFew: a channel that lives long must not remember every queue it ever got from, but all
// those of which it holds a delivery.
func TestGettingFromManyQueuesKeepsFew(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(t, Config{}, broker.Config{})
		p := openChannel(t, s, 0)
		const queues, held = 1000, 10
		for n := range queues {
			name := fmt.Sprint("q", n)
			p.send(1, &amqp.QueueDeclare{Queue: name, NoWait: true})
			if n < held {
				p.publish(1, "", name, "body")
				p.send(1, &amqp.BasicGet{Queue: name})
				p.skip(&amqp.BasicGetOk{})
				p.content()
			} else {
				p.send(1, &amqp.BasicGet{Queue: name})
				p.skip(&amqp.BasicGetEmpty{})
				p.send(1, &amqp.QueueDelete{Queue: name, NoWait: true})
			}
		}
		synctest.Wait()
		for c := range s.conns {
			if n := len(c.channels[1].getters); n > 2*minGetters {
				t.Errorf("%d queues are remembered", n)
			}
		}
		p.send(1, &amqp.BasicAck{Multiple: true})
		p.ping()
		for n := range held {
			q, _ := p.vhost(s).Queue(fmt.Sprint("q", n))
			if st := q.Stats(); st.Unacked != 0 || st.Ready != 0 {
				t.Errorf("queue %d has %d unacked and %d ready messages", n, st.Unacked, st.Ready)
			}
		}
	})
}

// vhost is the one that peers open.
func (p *peer) vhost(s *Server) *broker.VHost {
	p.t.Helper()
	vh, ok := s.broker.VHost("/")
	if !ok {
		p.t.Fatal("no vhost /")
	}
	return vh
}
