package nullbroker

import (
	"net"
	"testing"
	"time"

	"github.com/warren-mq/warren/integration_test/bench/internal/amqp"
)

const channel = 1

// dial connects to the broker at addr and opens a channel.
func dial(t *testing.T, addr string) *amqp.Conn {
	t.Helper()
	c, err := amqp.Dial(amqp.Config{Addr: addr, User: "guest", Password: "guest", Vhost: "/", Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Abort)
	if err := c.OpenChannel(channel); err != nil {
		t.Fatal(err)
	}
	return c
}

// consume sends a value for each message that the queue delivers to a connection of its own.
func consume(t *testing.T, addr, queue string, delivered chan<- struct{}) {
	t.Helper()
	c := dial(t, addr)
	if err := c.Consume(channel, queue, "c", true); err != nil {
		t.Fatal(err)
	}
	go func() { // ends when the connection is cut at the end of the test
		var d amqp.Deliveries
		for {
			before := d.Count
			n, err := d.Feed(c.Buffered())
			if err != nil {
				t.Error(err)
				return
			}
			c.Discard(n)
			for range d.Count - before {
				delivered <- struct{}{}
			}
			if c.Fill() != nil {
				return
			}
		}
	}()
}

func TestMessageThatComesInTwoReadsIsForwardedWhenItIsWhole(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go New().Serve(l)
	addr := l.Addr().String()

	publisher := dial(t, addr)
	if _, err := publisher.DeclareQueue(channel, amqp.Queue{Name: "q"}); err != nil {
		t.Fatal(err)
	}
	delivered := make(chan struct{}, 10)
	consume(t, addr, "q", delivered) // two, so that the message behind does not
	consume(t, addr, "q", delivered) // carry the one before along
	await := func(which string) {
		t.Helper()
		select {
		case <-delivered:
		case <-time.After(10 * time.Second):
			t.Fatalf("the %s message is not delivered", which)
		}
	}

	var w amqp.Writer
	w.Publish(channel, "", "q", false, []byte("first"), publisher.FrameMax)
	first := len(w.Buf)
	w.Publish(channel, "", "q", false, []byte("second"), publisher.FrameMax)
	cut := first + (len(w.Buf)-first)/2
	if err := publisher.Write(w.Buf[:cut]); err != nil {
		t.Fatal(err)
	}
	await("first") // so the broker has dealt with that read
	if err := publisher.Write(w.Buf[cut:]); err != nil {
		t.Fatal(err)
	}
	await("second")
}
