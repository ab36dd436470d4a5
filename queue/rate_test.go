package queue_test

import (
	"fmt"
	"testing"

	"github.com/warren-mq/warren/queue"
)

func TestRateLimitsAreChecked(t *testing.T) {
	const limit = "x-rate-limit" + forQ
	q := queue.New(queue.Config{Name: "q", VHost: "/"}, newMemoryLog)
	for _, test := range []struct {
		value any
		want  string
	}{
		{int32(1), ""},
		{uint8(100), ""},
		{int64(1_000_000_000), ""},
		{"100", ""},
		{"100/s", ""},
		{"6000/m", ""},
		{"1/h", ""},
		{"100/s burst 500", ""},
		{"100 burst 1000000000", ""},
		{int32(0), "{value_zero,0}"},
		{int32(-1), "{value_negative,-1}"},
		{int64(1_000_000_001), "{value_too_large,1000000001}"},
		{1.5, "{unacceptable_type,double}"},
		{true, "{unacceptable_type,bool}"},
		{"", `"unsupported rate limit ''"`},
		{"0/s", `"unsupported rate limit '0/s'"`},
		{"-1/s", `"unsupported rate limit '-1/s'"`},
		{"1.5/s", `"unsupported rate limit '1.5/s'"`},
		{"100/", `"unsupported rate limit '100/'"`},
		{"100/d", `"unsupported rate limit '100/d'"`},
		{"1000000001", `"unsupported rate limit '1000000001'"`},
		{"100 burst", `"unsupported rate limit '100 burst'"`},
		{"100 burst 0", `"unsupported rate limit '100 burst 0'"`},
		{"100/s burst 5/s", `"unsupported rate limit '100/s burst 5/s'"`},
	} {
		want := test.want
		if want != "" {
			want = invalidArg + limit + want
		}
		args := table("x-rate-limit", test.value)
		if got := reply(t, queue.CheckArguments("q", "/", true, false, false, false, args)); got != want {
			t.Errorf("queue with %v:\n got %q\nwant %q", test.value, got, want)
		}
		var fx queue.Effects
		s, err := q.Subscribe(&client{}, queue.SubscribeOptions{Arguments: args}, &fx)
		if got := reply(t, err); got != want {
			t.Errorf("consumer with %v:\n got %q\nwant %q", test.value, got, want)
		}
		if err == nil {
			q.Cancel(0, s, &fx)
		}
	}
}

// TestRatesAreKeptInFewTicks: a high rate costs a tick for each hundredth of a second, not for each message.
func TestRatesAreKeptInFewTicks(t *testing.T) {
	for _, test := range []struct {
		limit          string
		messages       int
		millis, ticks  int64 // how long it takes, and in how many ticks at the most
		ofTheConsumers bool
	}{
		{"50000/s", 50_000, 900, 91, false},
		{"50000/s burst 1", 10_500, 200, 21, false}, // what comes in a hundredth of a second is the least burst
		{"100/s", 110, 1000, 101, false},
		{"6000/m", 110, 1000, 101, false},
		{"1000000000", 100_000, 0, 0, false},
		{"50000/s", 50_000, 900, 91, true},
	} {
		c := queue.Config{Name: "q"}
		o := queue.SubscribeOptions{NoAck: true}
		if args := table("x-rate-limit", test.limit); test.ofTheConsumers {
			o.Arguments = args
		} else {
			c.Arguments = args
		}
		q := queue.New(c, newMemoryLog)
		var fx queue.Effects
		var shared deliveries
		consumer := &client{credit: -1, noAck: true, shared: &shared}
		consumer.sub, _ = q.Subscribe(consumer, o, &fx)
		const start = 1_000_000
		now, ticks := int64(start), int64(0)
		q.Resume(now, consumer.sub, &fx)
		var bodies []string
		for i := range test.messages {
			bodies = append(bodies, fmt.Sprint(i))
		}
		msgs, idx := batch(bodies...)
		q.Publish(now, msgs, idx, &fx)
		for fx.WakeAt != 0 {
			now = fx.WakeAt
			fx.Reset()
			q.Tick(now, &fx)
			ticks++
		}
		for i, d := range shared.all {
			if d.body != bodies[i] {
				t.Fatalf("%s: delivery %d is %s", test.limit, i, d.body)
			}
		}
		if len(shared.all) != test.messages || now-start != test.millis || ticks > test.ticks {
			t.Errorf("%s (of the consumer: %t): %d messages took %d ms and %d ticks, want %d, %d ms and %d ticks",
				test.limit, test.ofTheConsumers, len(shared.all), now-start, ticks, test.messages, test.millis, test.ticks)
		}
	}
}
