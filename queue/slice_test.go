package queue_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/queue"
)

// settleInSlices is what the server does with a large settlement.
func settleInSlices(t *testing.T, q *queue.Queue, s *queue.Settlement, fx *queue.Effects) (slices int) {
	for q.Arrange(s); s.Len() > queue.SettleSlice; slices++ {
		before := s.Len()
		q.SettleSome(0, s, fx)
		if before-s.Len() != queue.SettleSlice {
			t.Fatalf("a slice of %d", before-s.Len())
		}
		if err := q.Check(); err != nil {
			t.Fatal(err)
		}
	}
	q.Settle(0, s, fx)
	return slices
}

// TestSettlingInSlicesComesToTheSame settles the same in one queue at a stretch, in another in slices, and compares what
// is delivered then, to whom, and all counts.
func TestSettlingInSlicesComesToTheSame(t *testing.T) {
	const messages = 4 * queue.SettleSlice
	for name, args := range map[string]amqp.Table{
		"classic":        nil,
		"limited":        {{Name: "x-max-length", Value: int32(1000)}},
		"priorities":     {{Name: "x-max-priority", Value: int32(3)}},
		"quorum":         {{Name: "x-queue-type", Value: "quorum"}},
		"delivery limit": {{Name: "x-queue-type", Value: "quorum"}, {Name: "x-delivery-limit", Value: int32(1)}},
	} {
		t.Run(name, func(t *testing.T) {
			deliver := func(sliced bool) (log []delivered, stats queue.Stats) {
				rng := rand.New(rand.NewPCG(1, 2))
				fx, shared := new(queue.Effects), new(deliveries)
				q := queue.New(queue.Config{Name: "q", VHost: "/", Durable: true, Arguments: args}, newMemoryLog)
				holder := &client{name: "holder", credit: -1, shared: shared}
				other := &client{name: "other", shared: shared}
				for _, c := range []*client{holder, other} {
					var err error
					if c.sub, err = q.Subscribe(c, queue.SubscribeOptions{Tag: c.name}, fx); err != nil {
						t.Fatal(err)
					}
					q.Resume(0, c.sub, fx)
				}
				for i := range messages {
					m := message(fmt.Sprint(i))
					m.Priority = uint8(rng.IntN(4))
					q.Publish(0, []queue.Message{m}, []int32{0}, fx)
				}
				held := holder.unacked
				q.Cancel(0, holder.sub, fx)
				// As after redeliveries: what was delivered later may be the older.
				half := len(held) / 2
				held = append(slices.Clone(held[half:]), held[:half]...)
				var s queue.Settlement
				for i, d := range held {
					switch n := rng.IntN(10); {
					case n < 2:
						s.Acked = append(s.Acked, d.seq)
					case n < 3:
						s.Rejected = append(s.Rejected, d.seq)
					case n < 7:
						s.Returned = append(s.Returned, d.seq)
					default:
						if i%2 == 0 {
							s.Failed = append(s.Failed, len(s.Requeued))
						}
						s.Requeued = append(s.Requeued, d.seq)
					}
				}
				other.credit = -1
				s.Resume = append(s.Resume, other.sub)
				shared.all = nil
				if !sliced {
					q.Settle(0, &s, fx)
				} else if n := settleInSlices(t, q, &s, fx); n != 3 {
					t.Errorf("%d slices", n)
				}
				return shared.all, q.Stats()
			}
			wantLog, wantStats := deliver(false)
			log, stats := deliver(true)
			if len(wantLog) == 0 || !slices.Equal(log, wantLog) {
				at := 0
				for at < min(len(log), len(wantLog)) && log[at] == wantLog[at] {
					at++
				}
				t.Errorf("%d deliveries in slices, %d at a stretch; from %d on they are %v and %v", len(log), len(wantLog), at, log[at:][:5], wantLog[at:][:5])
			}
			if stats != wantStats {
				t.Errorf("in slices %+v, at a stretch %+v", stats, wantStats)
			}
		})
	}
}

// TestNothingIsDeliveredBeforeTheLastSlice lets a consumer with credit wait while much comes back.
func TestNothingIsDeliveredBeforeTheLastSlice(t *testing.T) {
	s, waits := &sink{credit: 2 * queue.SettleSlice}, &sink{credit: 0}
	q, subs := benchQueue(t, s, waits)
	msgs, idx := benchMessages(1)
	fx := new(queue.Effects)
	for len(s.unacked) < 2*queue.SettleSlice {
		q.Publish(0, msgs, idx, fx)
	}
	waits.credit = 1
	q.Settle(0, &queue.Settlement{Resume: subs[1:]}, fx)
	taken := len(waits.unacked)
	back := &queue.Settlement{Returned: slices.Clone(s.unacked)}
	waits.credit = 1
	q.SettleSome(0, back, fx)
	if len(waits.unacked) != taken {
		t.Error("delivered before all had come back")
	}
	q.Resume(0, subs[1], fx)
	q.Settle(0, back, fx)
	if err := q.Check(); err != nil {
		t.Error(err)
	}
}
