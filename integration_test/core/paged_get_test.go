package core_test

import (
	"context"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/amqptest"
)

// TestConnectionClosedWhileAGetWaitsForTheDisk: the broker goes on when a connection is closed from outside while its
// basic.get waits for a message that is not in memory.
func TestConnectionClosedWhileAGetWaitsForTheDisk(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithDataDir(t.TempDir()), amqptest.WithoutManagement())
	ch := durableChannel(t, s)
	must(t, ch.Confirm(false))
	_, err := ch.QueueDeclare("long", true, false, false, false, nil)
	must(t, err)
	const messages = 200
	var last *amqp091.DeferredConfirmation
	for range messages { // several times what the broker keeps in memory here
		last, err = ch.PublishWithDeferredConfirmWithContext(context.Background(), "", "long", false, false,
			amqp091.Publishing{DeliveryMode: amqp091.Persistent, Body: make([]byte, 128<<10)})
		must(t, err)
	}
	if !last.Wait() {
		t.Fatal("not confirmed")
	}
	for range 50 {
		c := openChannel(t, s)
		c.socket.SetReadBuffer(64 << 10)
		var gets []byte
		for range messages {
			gets = append(gets, amqp.AppendMethod(nil, 1, &amqp.BasicGet{Queue: "long"})...)
		}
		c.write(gets)
		for _, other := range s.Broker.Connections() {
			other.Close("by a test")
		}
		c.socket.Close()
	}
	ch = durableChannel(t, s)
	q, err := ch.QueueDeclarePassive("long", true, false, false, false, nil)
	if err != nil || q.Messages == 0 {
		t.Fatalf("%+v %v", q, err)
	}
}
