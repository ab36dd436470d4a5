package core_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/amqptest"
	"github.com/warren-mq/warren/server"
)

// exists asks on channel 2 whether a queue exists, and opens the channel again if not.
func (c *client) exists(queue string) bool {
	c.t.Helper()
	c.send(2, &amqp.QueueDeclare{Queue: queue, Passive: true})
	_, m := c.method()
	if m.ID() == amqp.QueueDeclareOkID {
		return true
	}
	if m.ID() != amqp.ChannelCloseID {
		c.t.Fatalf("got %v %+v", m.ID(), m)
	}
	c.send(2, &amqp.ChannelCloseOk{})
	c.openChannels(2, 2)
	return false
}

// TestExclusiveQueueIsGoneBeforeCloseOk, so that the next connection can declare it again at once.
func TestExclusiveQueueIsGoneBeforeCloseOk(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement())
	for range 50 {
		c := openChannel(t, s)
		c.declare("q") // fails if the last one's is still there
		c.publish(1, to("q"), nil, []byte("lost"))
		c.send(1, &amqp.BasicConsume{Queue: "q", ConsumerTag: "t"})
		c.expect(1, &amqp.BasicConsumeOk{ConsumerTag: "t"})
		c.skip(amqp.BasicDeliverID)
		c.body()
		c.close() // nothing but close-ok comes: no basic.cancel
	}
}

// TestExclusiveQueueGoesWithItsConnection, however that ends, and is nobody else's until then.
func TestExclusiveQueueGoesWithItsConnection(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement(), amqptest.WithServer(server.Config{MaxPausing: -1}))
	vh, _ := s.Broker.VHost("/")
	for name, end := range map[string]func(c *client){
		"cut":        func(c *client) { c.socket.Close() },
		"reset":      func(c *client) { c.socket.SetLinger(0); c.socket.Close() },
		"error":      func(c *client) { c.send(9, &amqp.BasicGet{}) },
		"operator":   func(c *client) { s.Broker.Connections()[0].Close("bye") },
		"frame":      func(c *client) { c.write(make([]byte, 8)) },
		"connection": func(c *client) { c.send(0, &amqp.ConnectionClose{}) },
	} {
		c := openChannel(t, s)
		c.declare("mine")
		c.send(1, &amqp.ChannelClose{}) // it is the connection's, not the channel's
		c.expect(1, &amqp.ChannelCloseOk{})
		if vh.QueueCount() != 1 {
			t.Errorf("%s: %d queues", name, vh.QueueCount())
		}
		end(c)
		eventually(t, name+": the queue is gone", func() bool { return vh.QueueCount() == 0 })
		c.socket.Close()
		eventually(t, name+": the connection is gone", func() bool { return len(s.Broker.Connections()) == 0 })
	}
}

// TestAutoDeleteQueueGoesWithItsLastConsumer: cancelled, its channel closed, its connection lost; and not before.
func TestAutoDeleteQueueGoesWithItsLastConsumer(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement())
	watcher := open(t, s)
	watcher.openChannels(1, 2)
	for name, end := range map[string]func(c *client){
		"cancel": func(c *client) {
			c.send(1, &amqp.BasicCancel{ConsumerTag: "b"})
			c.expect(1, &amqp.BasicCancelOk{ConsumerTag: "b"})
		},
		"channel close": func(c *client) {
			c.send(1, &amqp.ChannelClose{})
			c.expect(1, &amqp.ChannelCloseOk{})
		},
		"channel error": func(c *client) {
			c.send(1, &amqp.BasicAck{DeliveryTag: 99})
			c.skip(amqp.ChannelCloseID)
		},
		"connection close": func(c *client) { c.close() },
	} {
		c := openChannel(t, s)
		c.send(1, &amqp.QueueDeclare{Queue: "q", AutoDelete: true})
		c.skip(amqp.QueueDeclareOkID)
		c.publish(1, to("q"), nil, nil)
		c.send(1, &amqp.BasicGet{Queue: "q"}) // does not count
		c.skip(amqp.BasicGetOkID)
		c.body()
		for _, tag := range []string{"a", "b"} {
			c.send(1, &amqp.BasicConsume{Queue: "q", ConsumerTag: tag})
			c.expect(1, &amqp.BasicConsumeOk{ConsumerTag: tag})
		}
		c.send(1, &amqp.BasicCancel{ConsumerTag: "a"})
		c.expect(1, &amqp.BasicCancelOk{ConsumerTag: "a"})
		if !watcher.exists("q") {
			t.Errorf("%s: it goes with its first consumer", name)
		}
		end(c)
		if watcher.exists("q") {
			t.Errorf("%s: it stays", name)
		}
		c.socket.Close()
	}
}

// TestCancelOkComesAfterTheLastDelivery, while others publish as fast as they can.
func TestCancelOkComesAfterTheLastDelivery(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement())
	c := openChannel(t, s)
	c.send(1, &amqp.QueueDeclare{Queue: "q"})
	c.skip(amqp.QueueDeclareOkID)
	stop := make(chan struct{})
	var publishing sync.WaitGroup
	defer publishing.Wait()
	defer close(stop)
	p := openChannel(t, s)
	publishing.Go(func() {
		b := message(1, to("q"), nil, make([]byte, 2000))
		for {
			select {
			case <-stop:
				return
			default:
				p.socket.Write(b)
			}
		}
	})
	for n := range 10 {
		tag := fmt.Sprint(n)
		c.send(1, &amqp.BasicConsume{Queue: "q", ConsumerTag: tag, NoAck: true})
		c.expect(1, &amqp.BasicConsumeOk{ConsumerTag: tag})
		c.send(1, &amqp.BasicCancel{ConsumerTag: tag})
		for {
			_, m := c.method()
			if m.ID() == amqp.BasicCancelOkID {
				break
			}
			if d, ok := m.(*amqp.BasicDeliver); !ok || string(d.ConsumerTag) != tag {
				t.Fatalf("got %v %+v while %s is cancelled", m.ID(), m, tag)
			}
			c.body()
		}
	}
	c.ping() // and nothing comes in between
}

// TestDeletedQueueCancelsItsConsumers, those of other connections and those of clients that take no cancel included.
func TestDeletedQueueCancelsItsConsumers(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement())
	told := openChannel(t, s)
	silent := connect(t, s)
	silent.logIn(nil, "guest", "guest")
	silent.skip(amqp.ConnectionTuneID)
	silent.send(0, &amqp.ConnectionTuneOk{ChannelMax: 10, FrameMax: 4096})
	silent.send(0, &amqp.ConnectionOpen{VirtualHost: "/"})
	silent.expect(0, &amqp.ConnectionOpenOk{})
	silent.openChannels(1, 1)
	told.send(1, &amqp.QueueDeclare{Queue: "q"})
	told.skip(amqp.QueueDeclareOkID)
	for _, c := range []*client{told, silent} {
		c.send(1, &amqp.BasicConsume{Queue: "q", ConsumerTag: "t"})
		c.expect(1, &amqp.BasicConsumeOk{ConsumerTag: "t"})
	}
	deleter := openChannel(t, s)
	deleter.send(1, &amqp.QueueDelete{Queue: "q"})
	deleter.skip(amqp.QueueDeleteOkID)
	told.expect(1, &amqp.BasicCancel{ConsumerTag: "t", NoWait: true})
	told.send(1, &amqp.BasicCancel{ConsumerTag: "t"}) // late, and no error
	told.expect(1, &amqp.BasicCancelOk{ConsumerTag: "t"})
	silent.ping()
}

// TestDeleteAndPublishInOneRead: what is pipelined behind a delete finds the others in place.
func TestDeleteAndPublishInOneRead(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement())
	c := openChannel(t, s)
	c.openChannels(2, 2)
	c.declare("stays")
	c.declare("goes")
	c.write(join(
		methodFrame(1, &amqp.QueueDelete{Queue: "goes", NoWait: true}),
		message(1, to("goes"), nil, []byte("lost")),
		message(1, to("stays"), nil, []byte("kept")),
		methodFrame(1, &amqp.BasicGet{Queue: "stays", NoAck: true}),
	))
	c.skip(amqp.BasicGetOkID)
	c.body()
	if !c.exists("stays") || c.exists("goes") {
		t.Error("the wrong queue is gone")
	}
}

// TestManyConsumersOnOneChannel come and go, and the others notice nothing.
func TestManyConsumersOnOneChannel(t *testing.T) {
	const count = 5000
	s := amqptest.NewServer(t, amqptest.WithoutManagement())
	bystander := openChannel(t, s)
	c := openChannel(t, s)
	c.declare("q")
	var all []byte
	for n := range count {
		all = append(all, methodFrame(1, &amqp.BasicConsume{Queue: "q", ConsumerTag: fmt.Sprint(n), NoWait: true})...)
	}
	c.write(all)
	c.ping()
	for range count {
		c.publish(1, to("q"), nil, nil)
	}
	seen := make(map[string]bool)
	for range count {
		seen[string(c.skip(amqp.BasicDeliverID).(*amqp.BasicDeliver).ConsumerTag)] = true
		c.body()
	}
	if len(seen) != count {
		t.Errorf("%d of %d consumers got something", len(seen), count)
	}
	bystander.ping()
	c.close()
	bystander.ping()
}

// TestOperatorCloseAndShutdownAreTold with 320 and their reasons.
func TestOperatorCloseAndShutdownAreTold(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithoutManagement(), amqptest.WithServer(server.Config{}))
	c := openChannel(t, s)
	s.Broker.Connections()[0].Close("Closed via management plugin")
	c.expect(0, closed(320, "CONNECTION_FORCED - Closed via management plugin", 0))
	c.send(0, &amqp.ConnectionCloseOk{})
	c.expectEnd()

	clients := make([]*client, 20)
	for i := range clients {
		clients[i] = openChannel(t, s)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for _, c := range clients {
		c.expect(0, closed(320, "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'", 0))
		c.expectEnd()
	}
}
