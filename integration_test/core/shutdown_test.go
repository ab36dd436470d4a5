package core_test

import (
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/amqptest"
)

// TestAClientLearnsThatTheBrokerGoes: it is told 320 and has the time to read it, whatever it is about to send.
func TestAClientLearnsThatTheBrokerGoes(t *testing.T) {
	for range 5 {
		b := amqptest.NewServer(t, amqptest.WithoutManagement())
		conn, err := amqp091.Dial(b.URL)
		if err != nil {
			t.Fatal(err)
		}
		closed := conn.NotifyClose(make(chan *amqp091.Error, 1))
		ch, err := conn.Channel()
		if err != nil {
			t.Fatal(err)
		}
		stop := make(chan struct{})
		go func() {
			defer close(stop)
			for ch.PublishWithContext(t.Context(), "", "nowhere", false, false, amqp091.Publishing{Body: make([]byte, 1000)}) == nil {
			}
		}()
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		select {
		case e := <-closed:
			if e == nil || e.Code != amqp091.ConnectionForced {
				t.Errorf("the client was told %v", e)
			}
		case <-time.After(10 * time.Second):
			t.Error("the client was not told")
		}
		<-stop
	}
}
