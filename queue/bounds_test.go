package queue_test

import (
	"fmt"
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/queue"
)

// TestExactExpiryRemembersBlocksAndNotMessages, and nothing of what has gone.
func TestExactExpiryRemembersBlocksAndNotMessages(t *testing.T) {
	s := &sink{}
	q, subs := benchQueueOf(t, amqp.Table{{Name: "x-exact-ttl", Value: true}}, s)
	msgs, idx := benchMessages(1)
	for i := range msgs {
		msgs[i].HasTTL, msgs[i].TTL = true, 1_000_000+int64(i*7919%1000)
	}
	fx := new(queue.Effects)
	const count = 50_000
	for range count / benchBatch {
		q.Publish(0, msgs, idx, fx)
		fx.Reset()
	}
	if n := q.ExpiryEntries(); n > count/64+1 {
		t.Errorf("%d times are remembered for %d messages", n, count)
	}
	for range 10 {
		s.credit += count
		q.Resume(0, subs[0], fx)
		q.Settle(0, &queue.Settlement{Acked: s.unacked}, fx)
		s.unacked = s.unacked[:0]
		q.Publish(0, msgs, idx, fx)
		fx.Reset()
	}
	if n := q.ExpiryEntries(); n > 2 {
		t.Errorf("%d times are remembered when nearly nothing is left", n)
	}
}

// TestKeysAreKnownWhileTheyAreInFlight, whatever their number and the backlog.
func TestKeysAreKnownWhileTheyAreInFlight(t *testing.T) {
	s := &sink{credit: 100}
	q, subs := benchQueueOf(t, amqp.Table{{Name: "x-ordering-key", Value: "routing-key"}}, s)
	msgs, idx := benchMessages(1)
	fx := new(queue.Effects)
	const batches = 200
	for n := range batches {
		for i := range msgs {
			msgs[i].RoutingKey = fmt.Append(nil, n*benchBatch+i)
		}
		q.Publish(0, msgs, idx, fx)
		fx.Reset()
	}
	settlement := new(queue.Settlement)
	for done := 0; done < batches*benchBatch; {
		if keys, passed := q.KnownKeys(); keys > 100 || passed > 0 {
			t.Fatalf("%d keys are known and %d messages passed, with 100 in flight", keys, passed)
		}
		done += len(s.unacked)
		settlement.Acked = append(settlement.Acked[:0], s.unacked...)
		s.credit, s.unacked = s.credit+len(s.unacked), s.unacked[:0]
		settlement.Resume = append(settlement.Resume[:0], subs[0])
		q.Settle(0, settlement, fx)
		fx.Reset()
	}
	if keys, _ := q.KnownKeys(); keys != 0 {
		t.Errorf("%d keys are known in an empty queue", keys)
	}
}
