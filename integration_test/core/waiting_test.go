package core_test

import (
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/amqptest"
)

// answered fails the test if what f asks for is not answered.
func answered(t *testing.T, what string, f func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	case <-time.After(patience):
		t.Fatalf("%s is not answered", what)
	}
}

// durableChannel is a channel to a broker with a data folder, on which nothing else happens.
func durableChannel(t *testing.T, s *amqptest.Server) *amqp091.Channel {
	t.Helper()
	conn, err := amqp091.Dial(s.URL)
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	ch, err := conn.Channel()
	must(t, err)
	return ch
}

// What waits for the disk must not wait for a commit that never comes since nothing is in it.

func TestCommitOfATransactionThatChangesNothingDurableIsAnswered(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithDataDir(t.TempDir()), amqptest.WithoutManagement())
	ch := durableChannel(t, s)
	must(t, ch.Tx())
	answered(t, "an empty tx.commit", ch.TxCommit)
	q, err := ch.QueueDeclare("", false, true, false, false, nil)
	must(t, err)
	must(t, ch.PublishWithContext(t.Context(), "", q.Name, false, false, amqp091.Publishing{}))
	answered(t, "tx.commit of a publish to a transient queue", ch.TxCommit)
	d, ok, err := ch.Get(q.Name, false)
	if err != nil || !ok {
		t.Fatalf("get: %v %v", ok, err)
	}
	must(t, d.Ack(false))
	answered(t, "tx.commit of an ack in a transient queue", ch.TxCommit)
}

func TestAnswersAfterAnUnansweredDeclareAreSent(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithDataDir(t.TempDir()), amqptest.WithoutManagement())
	ch, other := durableChannel(t, s), durableChannel(t, s)
	if _, err := ch.QueueDeclare("silent", true, false, false, true, nil); err != nil {
		t.Fatal(err)
	}
	// When the other connection has seen the queue, and one of its own on disk after it, the first commit is over.
	answered(t, "queue.declare passive", func() error {
		for {
			if _, err := other.QueueDeclarePassive("silent", true, false, false, false, nil); err == nil {
				return nil
			}
			other = durableChannel(t, s) // it was too early, and closed the channel
		}
	})
	answered(t, "queue.declare", func() error {
		_, err := other.QueueDeclare("loud", true, false, false, false, nil)
		return err
	})
	answered(t, "basic.qos", func() error { return ch.Qos(1, 0, false) })
}
