package core_test

import (
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/amqptest"
)

// TestReplyConsumerHasATagLikeOthers, which cannot be used twice.
func TestReplyConsumerHasATagLikeOthers(t *testing.T) {
	const pseudo = "amq.rabbitmq.reply-to"
	s := amqptest.NewServer(t, amqptest.WithoutManagement())
	for _, order := range [][2]string{{pseudo, "q"}, {"q", pseudo}} {
		c := openChannel(t, s)
		c.declare("q")
		c.send(1, &amqp.BasicConsume{Queue: order[0], ConsumerTag: "t", NoAck: true})
		c.expect(1, &amqp.BasicConsumeOk{ConsumerTag: "t"})
		c.send(1, &amqp.BasicConsume{Queue: order[1], ConsumerTag: "t", NoAck: true})
		c.expect(0, closed(530, "NOT_ALLOWED - attempt to reuse consumer tag 't'", amqp.BasicConsumeID))
		c.send(0, &amqp.ConnectionCloseOk{})
		c.expectEnd()
	}
}
