package core_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/amqptest"
)

// TestLongBacklogComesInOrder: twice what the broker keeps in memory here, to a consumer with little credit that also
// gives things back.
func TestLongBacklogComesInOrder(t *testing.T) {
	s := amqptest.NewServer(t, amqptest.WithDataDir(t.TempDir()), amqptest.WithoutManagement())
	c := openChannel(t, s)
	c.send(1, &amqp.QueueDeclare{Queue: "long", Durable: true})
	c.skip(amqp.QueueDeclareOkID)
	c.send(1, &amqp.ConfirmSelect{})
	c.expect(1, &amqp.ConfirmSelectOk{})
	const count = 1000
	persistent := properties(amqp.Properties{Flags: amqp.FlagDeliveryMode, DeliveryMode: 2})
	for n := range count {
		body := make([]byte, 16<<10)
		binary.BigEndian.PutUint32(body, uint32(n))
		c.publish(1, to("long"), persistent, body)
	}
	c.fates(1, count)
	k := openChannel(t, s)
	k.send(1, &amqp.BasicQos{PrefetchCount: 3})
	k.expect(1, &amqp.BasicQosOk{})
	k.send(1, &amqp.BasicConsume{Queue: "long", ConsumerTag: "t"})
	k.expect(1, &amqp.BasicConsumeOk{ConsumerTag: "t"})
	next := func() (tag uint64, number int) {
		d := k.skip(amqp.BasicDeliverID).(*amqp.BasicDeliver)
		return d.DeliveryTag, int(binary.BigEndian.Uint32(k.body()))
	}
	for n := 0; n < count; {
		tag, number := next()
		if number != n {
			t.Fatalf("message %d came as the %dth", number, n)
		}
		if n%50 == 49 { // it comes again, among those that are on their way
			k.send(1, &amqp.BasicNack{DeliveryTag: tag, Requeue: true})
			var got []int
			for range min(3, count-n) {
				tag, number = next()
				got = append(got, number)
			}
			slices.Sort(got)
			if got[0] != n || got[len(got)-1] != n+len(got)-1 {
				t.Fatalf("after message %d was given back, %v came", n, got)
			}
			n = got[len(got)-1]
		}
		k.send(1, &amqp.BasicAck{DeliveryTag: tag, Multiple: true})
		n++
	}
	k.ping()
	vh, _ := s.Broker.VHost("/")
	q, _ := vh.Queue("long")
	if st := q.Stats(); st.Ready != 0 || st.Unacked != 0 {
		t.Errorf("%+v is left", st)
	}
}
