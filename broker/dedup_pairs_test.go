package broker

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warren-mq/warren/amqp"
)

// duplicateArguments are the two ways in which a queue drops what was there before.
var duplicateArguments = map[string]amqp.Table{
	"window":  {{Name: "x-dedup-window", Value: "1h"}, {Name: "x-dedup-header", Value: "x-deduplication-header"}},
	"present": {{Name: "x-message-deduplication", Value: true}},
}

// alike publishes messages that the plugin's header names.
func (b *bench) alike(q *Queue, ids ...string) {
	b.Helper()
	b.broker.Enter()
	for _, id := range ids {
		p := amqp.Properties{Flags: amqp.FlagHeaders}
		p.Headers = amqp.AppendTableBody(nil, amqp.Table{{Name: "x-deduplication-header", Value: id}})
		if _, err := b.pub.Publish(&Message{RoutingKey: []byte(q.Name()), Properties: p.Append(nil), Body: []byte(id)}); err != nil {
			b.Fatal(err)
		}
	}
	b.pub.Settle(b.broker.nowMillis(), &b.fx)
	b.broker.Leave()
	b.fx.Run()
}

// TestAWindowRemembersWhatHasGone, whatever took it, and a queue that only asks whether it holds one alike does not.
func TestAWindowRemembersWhatHasGone(t *testing.T) {
	expires := func(*bench, *Queue) { after(time.Second) }
	fails := func(b *bench, q *Queue) { b.giveBack(q, b.hold(q)) }
	for name, way := range map[string]struct {
		args amqp.Table
		goes func(b *bench, q *Queue) // makes the first message go
	}{
		"drop-head":    {amqp.Table{{Name: "x-max-length", Value: int32(1)}}, func(b *bench, q *Queue) { b.alike(q, "other") }},
		"time to live": {amqp.Table{{Name: "x-message-ttl", Value: int32(100)}}, expires},
		"exact expiry": {amqp.Table{{Name: "x-message-ttl", Value: int32(100)}, {Name: "x-exact-ttl", Value: true}}, expires},
		"a delivery limit": {
			amqp.Table{{Name: "x-queue-type", Value: "quorum"}, {Name: "x-delivery-limit", Value: int32(0)}}, fails,
		},
		"a retry ladder": {amqp.Table{{Name: "x-retry", Value: "1s"}}, func(b *bench, q *Queue) {
			fails(b, q)
			after(time.Second)
			fails(b, q)
		}},
	} {
		for kind, args := range duplicateArguments {
			if kind == "present" && name == "a delivery limit" {
				continue // quorum queues do not take it
			}
			t.Run(name+"/"+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBench(t)
					q := b.declareDurable("q", slices.Concat(args, way.args))
					b.alike(q, "a")
					b.alike(q, "a")
					b.ready(q, 1)
					way.goes(b, q)
					b.contents(q)
					b.alike(q, "a")
					if kind == "window" {
						b.expect(q, "")
					} else {
						b.expect(q, "a")
					}
				})
			})
		}
	}
}

// TestWhatWaitsForARetryHasDuplicates and, when it comes back, is none.
func TestWhatWaitsForARetryHasDuplicates(t *testing.T) {
	for _, args := range duplicateArguments {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			q := b.declareDurable("q", args.With("x-retry", "1s,1s"))
			b.alike(q, "a")
			b.giveBack(q, b.hold(q))
			b.alike(q, "a", "b")
			b.ready(q, 1)
			after(time.Second)
			b.alike(q, "a")
			b.expect(q, "a b")
		})
	}
}
