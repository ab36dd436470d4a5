package queue_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/warren-mq/warren/amqp"
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
		{"100/s burst -5", `"unsupported rate limit '100/s burst -5'"`},
		{"100/s burst 1000000001", `"unsupported rate limit '100/s burst 1000000001'"`},
		{"100/s burst 18446744073709551617", `"unsupported rate limit '100/s burst 18446744073709551617'"`},
		{"+5", `"unsupported rate limit '+5'"`},
		{"NaN", `"unsupported rate limit 'NaN'"`},
		{"1e3/s", `"unsupported rate limit '1e3/s'"`},
		{math.NaN(), "{unacceptable_type,double}"},
		{amqp.Table{}, "{unacceptable_type,table}"},
		{strings.Repeat("é", 1<<20), `"unsupported rate limit '` + strings.Repeat("é", 60) + `'"`}, // cut between characters
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
		{"1/s", 101, 100_000, 100, false},
		{"1/h", 11, 36_000_000, 10, false},
		{"100000/s", 1_010_000, 10_000, 1000, false},
		{"99999/s burst 1", 100_998, 1000, 101, false},
		{"150/s burst 1", 151, 1000, 151, false},
		{"333/s burst 1", 336, 1000, 112, false},
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

// FuzzRateLimit: what is accepted never lets more go than the burst and what has come since, wherever the clock jumps, and lets
// something go when it says so.
func FuzzRateLimit(f *testing.F) {
	for _, s := range []string{"1/s", "100/s burst 500", "1000000000 burst 1000000000", "1/h burst 1000000000", "0", "7/m", "burst"} {
		f.Add(s, []byte{1, 200, 255, 0, 3})
	}
	f.Fuzz(func(t *testing.T, limit string, jumps []byte) {
		args := table("x-rate-limit", limit)
		if queue.CheckArguments("q", "/", true, false, false, false, args) != nil {
			return
		}
		b := queue.NewBucket(args)
		now, went, came := int64(1_000_000_000_000), 0.0, 0.0
		for _, j := range jumps {
			for n := 0; n < 100 && b.Take(now); n++ {
				went++
			}
			if most := b.Burst() + came; went > most+0.001 {
				t.Fatalf("%q: %g went of %g", limit, went, most)
			}
			if next := b.Next(); next <= now || !b.Clone().Take(next) {
				t.Fatalf("%q: at %d it says to ask at %d, and gives nothing then", limit, now, next)
			}
			step := int64(1) << (j % 48) // up to thousands of years
			if j >= 128 {
				step = -step
			}
			now += step
			came += float64(max(step, 0)) * b.PerMilli()
		}
	})
}

// TestWhatNobodyTakesAsksForNoTick: a rate limit costs timers while it holds something back, and nothing else does.
func TestWhatNobodyTakesAsksForNoTick(t *testing.T) {
	q := queue.New(queue.Config{Name: "q", Arguments: table("x-rate-limit", "10/s")}, newMemoryLog)
	var fx queue.Effects
	publish := func() {
		msgs, idx := batch("a", "b", "c")
		q.Publish(0, msgs, idx, &fx)
	}
	if publish(); fx.WakeAt != 0 {
		t.Errorf("without consumers a Tick is asked for at %d", fx.WakeAt)
	}
	c := &client{name: "c", credit: 1, shared: &deliveries{}}
	c.sub, _ = q.Subscribe(c, queue.SubscribeOptions{}, &fx)
	q.Resume(0, c.sub, &fx)
	fx.Reset()
	for now := range int64(1000) {
		q.Tick(now, &fx)
	}
	fx.Reset()
	if publish(); len(c.unacked) != 1 || fx.WakeAt != 0 {
		t.Errorf("with a consumer that is full, %d messages went and a Tick is asked for at %d", len(c.unacked), fx.WakeAt)
	}
}
