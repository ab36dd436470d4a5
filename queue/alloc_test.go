package queue_test

import (
	"testing"

	"github.com/warren-mq/warren/queue"
)

// TestPathOfAMessageAllocatesNothing is the budget of the hot paths: none, whatever the batch.
func TestPathOfAMessageAllocatesNothing(t *testing.T) {
	msgs, idx := benchMessages(100)
	var fx queue.Effects
	var settlement queue.Settlement
	acking, noAck := []*sink{{credit: 1000}, {credit: 1000}}, []*sink{{noAck: true}, {noAck: true}}
	ackQueue, subs := benchQueue(t, acking...)
	noAckQueue, _ := benchQueue(t, noAck...)
	getQueue, _ := benchQueue(t)

	take := func(dst *[]uint64) {
		for _, s := range acking {
			*dst = append(*dst, s.unacked...)
			s.credit += len(s.unacked)
			s.unacked = s.unacked[:0]
		}
	}
	for name, path := range map[string]func(){
		"publish and deliver, no ack": func() {
			noAckQueue.Publish(0, msgs, idx, &fx)
		},
		"publish, deliver, ack": func() {
			ackQueue.Publish(0, msgs, idx, &fx)
			take(&settlement.Acked)
			ackQueue.Settle(0, &settlement, &fx)
		},
		"publish, deliver, give back, deliver, ack": func() {
			ackQueue.Publish(0, msgs, idx, &fx)
			take(&settlement.Requeued)
			ackQueue.Settle(0, &settlement, &fx)
			settlement.Reset()
			take(&settlement.Acked)
			ackQueue.Settle(0, &settlement, &fx)
		},
		"publish, resume, ack": func() {
			for _, s := range acking {
				s.credit = 0
			}
			ackQueue.Publish(0, msgs, idx, &fx)
			for i, s := range acking {
				s.credit = 1000
				ackQueue.Resume(0, subs[i], &fx)
			}
			take(&settlement.Acked)
			ackQueue.Settle(0, &settlement, &fx)
		},
		"publish and get": func() {
			getQueue.Publish(0, msgs, idx, &fx)
			for ok := true; ok; ok, _ = getQueue.Get(noAck[0], true, 0, &fx) {
			}
		},
		"publish and purge": func() {
			getQueue.Publish(0, msgs, idx, &fx)
			getQueue.Purge(&fx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			run := func() {
				path()
				settlement.Reset()
				fx.Reset()
			}
			for range 20 {
				run() // grow what grows once
			}
			if n := testing.AllocsPerRun(100, run); n != 0 {
				t.Errorf("%v allocations in a batch of %d", n, len(idx))
			}
		})
	}
}
