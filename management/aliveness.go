package management

import (
	"errors"
	"net/http"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/broker"
	"github.com/warren-mq/warren/queue"
)

// alivenessQueue is what the test declares, and leaves behind for the next one.
const alivenessQueue = "aliveness-test"

// aliveness declares a queue, publishes a message to it and fetches it again, as the user who asks may
// (RabbitMQ 3.10.8 behaviour).
func (s *Server) aliveness(r *request) (any, error) {
	vh, err := r.vhost()
	if err != nil {
		return nil, err
	}
	if err := s.passMessage(r, vh); err != nil {
		if e, ok := errors.AsType[*amqp.Error](err); ok {
			if e.Code == amqp.AccessRefused {
				return nil, unauthorised("Access refused.")
			}
			return nil, badRequest(e.ReplyText())
		}
		return nil, err
	}
	return map[string]string{"status": "ok"}, nil
}

func (s *Server) passMessage(r *request, vh *broker.VHost) error {
	session, err := s.broker.Open(r.user, vh.Name(), nil)
	if err != nil {
		return err
	}
	defer session.Close()
	var fx broker.Effects
	var got taker
	s.broker.Enter()
	defer fx.Run()
	defer s.broker.Leave()
	q, err := session.DeclareQueue(broker.QueueDeclaration{Name: alivenessQueue})
	if err != nil {
		return err
	}
	p := session.NewPublisher()
	if _, err := p.Publish(&broker.Message{RoutingKey: []byte(alivenessQueue), Properties: []byte{0, 0}, Body: []byte("test_message")}); err != nil {
		return err
	}
	now := s.broker.Now().UnixMilli()
	p.Settle(now, &fx)
	if _, err := session.ReadQueue(alivenessQueue); err != nil {
		return err
	}
	if ok, _ := q.Get(&got, true, now, &fx); !ok {
		return &fault{status: http.StatusServiceUnavailable, Name: "failed", Reason: "the message did not come back"}
	}
	return nil
}

// taker takes a message and forgets it.
type taker struct{}

func (*taker) Acquire()                     {}
func (*taker) Release()                     {}
func (*taker) Wake()                        {}
func (*taker) Deliver(*queue.Delivery) bool { return true }
