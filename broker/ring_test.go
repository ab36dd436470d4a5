package broker

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warren-mq/warren/amqp"
)

// TestARingOfDeathsIsSliced: queues in which everything dies at once, and whose deaths go to all the others, multiply a
// message by their number, then by one less, and so on. One publish does a bounded part of that; the rest is done by
// and by, and the broker stays at everybody's service meanwhile.
func TestARingOfDeathsIsSliced(t *testing.T) {
	for name, arg := range map[string]amqp.Field{
		"expiring": {Name: "x-message-ttl", Value: int32(0)},
		"limited":  {Name: "x-max-length", Value: int32(0)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				const ring = 8
				for n := range ring {
					q := fmt.Sprint("q", n)
					b.declare(q, "dead-letter-exchange", "amq.fanout", arg.Name[2:], arg.Value)
					b.topology(func() error { return b.session.BindQueue(q, "amq.fanout", "", nil) })
				}
				deaths := func() (n uint64) {
					for _, count := range b.broker.Totals.DeadLettered.Of("classic", AtMostOnce) {
						n += count
					}
					return n
				}
				b.publish("q0", "multiply")
				if n := deaths(); n > 2*maxDeaths*ring {
					t.Errorf("%d deaths in one call", n)
				}
				after(time.Second)
				want := uint64(0) // of paths through the ring that come to no queue twice
				for paths, n := uint64(1), ring-1; n >= 0; n-- {
					want += paths
					paths *= uint64(n)
				}
				if n := deaths(); n != want {
					t.Errorf("%d deaths, want %d", n, want)
				}
				for n := range ring {
					q, _ := b.session.VHost().Queue(fmt.Sprint("q", n))
					b.ready(q, 0)
				}
			})
		})
	}
}
