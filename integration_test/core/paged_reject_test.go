package core_test

import (
	"context"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/amqptest"
)

// TestDeadLetterIsThereForWhatFollowsItsReject: what a client asks for behind a reject finds the dead letter in its queue,
// also if the rejected message has to be read from disk first.
func TestDeadLetterIsThereForWhatFollowsItsReject(t *testing.T) {
	t.Run("confirms", func(t *testing.T) { rejectPaged(t, false) })
	t.Run("transactions", func(t *testing.T) { rejectPaged(t, true) })
}

func rejectPaged(t *testing.T, transactions bool) {
	s := amqptest.NewServer(t, amqptest.WithDataDir(t.TempDir()), amqptest.WithoutManagement())
	ch := durableChannel(t, s)
	must(t, ch.Confirm(false))
	_, err := ch.QueueDeclare("dead", true, false, false, false, nil)
	must(t, err)
	_, err = ch.QueueDeclare("work", true, false, false, false,
		amqp091.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"})
	must(t, err)
	const messages = 200
	var last *amqp091.DeferredConfirmation
	for range messages { // several times what the broker keeps in memory here
		last, err = ch.PublishWithDeferredConfirmWithContext(context.Background(), "", "work", false, false,
			amqp091.Publishing{DeliveryMode: amqp091.Persistent, Body: make([]byte, 128<<10)})
		must(t, err)
	}
	if !last.Wait() {
		t.Fatal("not confirmed")
	}

	c := openChannel(t, s)
	if transactions {
		c.send(1, &amqp.TxSelect{})
		c.expect(1, &amqp.TxSelectOk{})
	}
	for range messages {
		c.send(1, &amqp.BasicGet{Queue: "work"})
		c.skip(amqp.BasicGetOkID)
		c.body()
	}
	for tag := range uint64(50) { // the oldest are no longer in memory
		b := amqp.AppendMethod(nil, 1, &amqp.BasicReject{DeliveryTag: tag + 1})
		if transactions {
			c.write(amqp.AppendMethod(b, 1, &amqp.TxCommit{}))
			c.expect(1, &amqp.TxCommitOk{})
			b = nil
		}
		c.write(amqp.AppendMethod(b, 1, &amqp.BasicGet{Queue: "dead", NoAck: !transactions}))
		c.skip(amqp.BasicGetOkID)
		c.body()
	}
}
