package server

import (
	"fmt"
	"strings"
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/broker"
)

// TestAPublisherThatWaitsForTheDiskHearsOfAnAlarm, which is raised only after the disk has stopped taking anything.
func TestAPublisherThatWaitsForTheDiskHearsOfAnAlarm(t *testing.T) {
	d := newHeldDisk(t, "")
	p := d.peer
	d.publish("", "os")
	d.confirmed(1, 1) // written; its sync is held, so nothing is written after it
	b := amqp.AppendMethod(nil, 1, &amqp.BasicPublish{RoutingKey: []byte("memory")})
	b = amqp.AppendContentHeader(b, 1, classBasic, 100_000, []byte{0x10, 0, 2})
	p.write(amqp.AppendBody(b, 1, []byte(strings.Repeat("m", 100_000)), 131072))
	d.confirmed(2, 2) // more than may wait
	for range 2 {
		d.server.broker.Alarms.Set(broker.Disk, true)
		p.expect(0, &amqp.ConnectionBlocked{Reason: "low on disk"})
		d.server.broker.Alarms.Set(broker.Disk, false)
		p.expect(0, &amqp.ConnectionUnblocked{})
	}
	d.letGo()
	d.publish("", "fsync")
	d.confirmed(3, 3)
}

// TestOneReadToManyQueuesIsNotSettledAtOnce: others get their turn, and the disk, though all has been read.
func TestOneReadToManyQueuesIsNotSettledAtOnce(t *testing.T) {
	d := newHeldDisk(t, "")
	p := d.peer
	const queues, messages = broker.ManyCopies / 16, 40
	for n := range queues {
		name := fmt.Sprint("copy", n)
		p.send(1, &amqp.QueueDeclare{Queue: name, Durable: true, NoWait: true, Arguments: amqp.Table{
			{Name: "x-durability", Value: "memory"},
		}})
		p.send(1, &amqp.QueueBind{Queue: name, Exchange: "amq.fanout", NoWait: true})
	}
	var b []byte
	for range messages {
		b = amqp.AppendMethod(b, 1, &amqp.BasicPublish{Exchange: []byte("amq.fanout")})
		b = amqp.AppendContentHeader(b, 1, classBasic, 0, []byte{0x10, 0, 2})
	}
	p.write(b)
	d.confirmed(1, 16) // and not one of what comes behind: more waits for the disk than may
	d.letGo()
	d.confirmed(17, messages)
}
