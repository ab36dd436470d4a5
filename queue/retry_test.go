package queue_test

import (
	"strings"
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/queue"
)

func TestRetryArgumentsAreChecked(t *testing.T) {
	const (
		ladder = "x-retry" + forQ
		kind   = "x-delayed-retry-type" + forQ
		least  = "x-delayed-retry-min" + forQ
		most   = "x-delayed-retry-max" + forQ
	)
	quorum := func(more ...any) amqp.Table { return append(table("x-queue-type", "quorum"), table(more...)...) }
	for _, test := range []struct {
		args amqp.Table
		want string
	}{
		{table("x-retry", "1s"), ""},
		{table("x-retry", "0ms, 1s,5m ,3650d"), ""},
		{table("x-retry", "1s,5s jitter"), ""},
		{table("x-retry", "exponential 1s..10m x5"), ""},
		{table("x-retry", "exponential 1s..1s x1000 jitter"), ""},
		{table("x-retry", strings.Repeat("1s,", 999)+"1s"), ""},
		{quorum("x-retry", "1s", "x-delivery-limit", int32(5)), ""},
		{quorum("x-retry", "1s", "x-delayed-retry-type", "disabled"), ""},
		{table("x-retry", int32(5)), ladder + "{unacceptable_type,signedint}"},
		{table("x-retry", ""), ladder + `"unsupported retry step ''"`},
		{table("x-retry", "5"), ladder + `"unsupported retry step '5'"`},
		{table("x-retry", "1s,,5s"), ladder + `"unsupported retry step ''"`},
		{table("x-retry", "-1s"), ladder + `"unsupported retry step '-1s'"`},
		{table("x-retry", "1.5s"), ladder + `"unsupported retry step '1.5s'"`},
		{table("x-retry", "1w"), ladder + `"unsupported retry step '1w'"`},
		{table("x-retry", "99999999999999999999s"), ladder + `"unsupported retry step '99999999999999999999s'"`},
		{table("x-retry", "1s,3651d"), ladder + `"retry step '3651d' is longer than ten years"`},
		{table("x-retry", "9223372036854775807ms"), ladder + `"retry step '9223372036854775807ms' is longer than ten years"`},
		{table("x-retry", strings.Repeat("1s,", 1000)+"1s"), ladder + `"a retry ladder has at most 1000 steps, this one 1001"`},
		{table("x-retry", "exponential 1s..10s x1001"), ladder + `"a retry ladder has at most 1000 steps, this one 1001"`},
		{table("x-retry", "exponential"), ladder + `"unsupported retry step 'exponential'"`},
		{table("x-retry", "exponential 1s..10s"), ladder + `"unsupported retry ladder 'exponential 1s..10s'"`},
		{table("x-retry", "exponential 10s..1s x5"), ladder + `"unsupported retry ladder 'exponential 10s..1s x5'"`},
		{table("x-retry", "exponential 0s..1s x5"), ladder + `"unsupported retry ladder 'exponential 0s..1s x5'"`},
		{table("x-retry", "exponential 1s..10s x0"), ladder + `"unsupported retry ladder 'exponential 1s..10s x0'"`},
		{table("x-retry", "exponential 1..10s x5"), ladder + `"unsupported retry step '1'"`},
		{table("x-retry", strings.Repeat("1", 300)), ladder + `"unsupported retry step '` + strings.Repeat("1", 60) + `'"`},
		{quorum("x-retry", "1s", "x-delayed-retry-type", "all", "x-delayed-retry-min", int32(1)),
			ladder + `"unsupported together with x-delayed-retry-type"`},

		{quorum("x-delayed-retry-type", "all", "x-delayed-retry-min", int32(0)), ""},
		{quorum("x-delayed-retry-type", "failed", "x-delayed-retry-min", int32(5), "x-delayed-retry-max", tenYears), ""},
		{quorum("x-delayed-retry-type", "returned", "x-delayed-retry-min", int32(5), "x-delayed-retry-max", int32(5)), ""},
		{quorum("x-delayed-retry-min", int32(5)), ""},
		{quorum("x-delayed-retry-type", "none"), kind + "invalid_delayed_retry_type"},
		{quorum("x-delayed-retry-type", true), kind + "{unacceptable_type,bool}"},
		{quorum("x-delayed-retry-type", "all"), kind + "delayed_retry_type_but_no_delayed_retry_min_defined"},
		{quorum("x-delayed-retry-min", int32(-1)), least + "{value_negative,-1}"},
		{quorum("x-delayed-retry-min", "5"), least + `"expected integer, got longstr"`},
		{quorum("x-delayed-retry-max", tenYears+1), most + "{value_too_large,315360000001}"},
		{quorum("x-delayed-retry-min", int32(5), "x-delayed-retry-max", int32(4)), most + "delayed_retry_max_below_delayed_retry_min"},
		{table("x-delayed-retry-type", "all"),
			"x-delayed-retry-type' for queue 'q' in vhost '/' of queue type rabbit_classic_queue"},
	} {
		want := test.want
		if want != "" {
			want = invalidArg + want
		}
		if got := reply(t, queue.CheckArguments("q", "/", true, false, false, false, test.args)); got != want {
			t.Errorf("%v:\n got %q\nwant %q", test.args, got, want)
		}
	}
}

func FuzzRetryLadder(f *testing.F) {
	for _, s := range []string{"1s,5s,30s", "exponential 1s..10m x5 jitter", "", ",", "exponential x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, ladder string) {
		args := table("x-retry", ladder)
		if queue.CheckArguments("q", "/", true, false, false, false, args) != nil {
			return
		}
		delays := queue.RetryDelays(args)
		if len(delays) == 0 || len(delays) > 1000 {
			t.Fatalf("%q has %d steps", ladder, len(delays))
		}
		for _, d := range delays {
			if d < 0 || d > tenYears {
				t.Fatalf("%q delays by %d", ladder, d)
			}
		}
	})
}

// TestJitterShortensByHalfAtTheMost, and tells messages apart.
func TestJitterShortensByHalfAtTheMost(t *testing.T) {
	seen := map[int64]bool{}
	for seq := range uint64(1000) {
		d := queue.RetryDelay(table("x-retry", "10s jitter"), seq, 1)
		if d < 5000 || d > 10_000 {
			t.Fatalf("a step of 10 s took %d ms", d)
		}
		seen[d] = true
	}
	if len(seen) < 500 {
		t.Errorf("1000 messages came back at %d different times", len(seen))
	}
}

// TestDeliveryCountsAreShown: on a queue of either type that lets messages wait, from the first return on, and on
// whatever basic.get gets.
func TestDeliveryCountsAreShown(t *testing.T) {
	for _, kind := range []string{"classic", "quorum"} {
		q := queue.New(queue.Config{Name: "q", Arguments: table("x-queue-type", kind, "x-retry", "1s,1s")}, newMemoryLog)
		var fx queue.Effects
		c := &headers{client: client{credit: -1, shared: new(deliveries)}}
		c.sub, _ = q.Subscribe(c, queue.SubscribeOptions{}, &fx)
		q.Resume(0, c.sub, &fx)
		msgs, idx := batch("a")
		q.Publish(0, msgs, idx, &fx)
		for now := range int64(2) {
			seq, _ := c.settle("a")
			q.Settle(now*1000, &queue.Settlement{Requeued: []uint64{seq}}, &fx)
			q.Tick(now*1000+1000, &fx)
		}
		want := []any{nil, int64(1), int64(2)}
		for i, d := range c.counts {
			if d != want[i] {
				t.Errorf("%s, delivery %d: x-delivery-count is %v, want %v", kind, i, d, want[i])
			}
		}
		if len(c.counts) != 3 {
			t.Errorf("%s: %d deliveries, want 3", kind, len(c.counts))
		}
	}
}

// headers is a client that looks at x-delivery-count.
type headers struct {
	client
	counts []any
}

func (h *headers) Deliver(d *queue.Delivery) bool {
	var p amqp.Properties
	var count any
	if p.Decode(d.Message.Properties) == nil && p.Has(amqp.FlagHeaders) {
		list, _ := p.Headers.Decode()
		count, _ = list.Get("x-delivery-count")
	}
	h.counts = append(h.counts, count)
	return h.client.Deliver(d)
}
