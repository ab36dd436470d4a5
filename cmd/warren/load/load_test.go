package load_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"

	"github.com/warren-mq/warren/amqptest"
	"github.com/warren-mq/warren/cmd/warren/load"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// options are a short run against a broker.
func options(uri string) load.Options {
	return load.Options{
		URIs: []string{uri}, Producers: 1, Consumers: 1, Queues: 1, QueueName: "load", ExchangeType: "direct",
		Size: 100, Count: 500, Prefetch: 50, AckEvery: 1, Interval: time.Hour,
	}
}

func ignore(load.Interval) {}

func TestEveryMessageIsCounted(t *testing.T) {
	tests := []struct {
		name                           string
		change                         func(*load.Options)
		published, confirmed, received int64
		latencies, confirms            int64
	}{
		{"one producer, one consumer", func(*load.Options) {}, 500, 0, 500, 500, 0},
		{"confirms", func(o *load.Options) { o.Window, o.Persistent = 7, true }, 500, 500, 500, 500, 500},
		{"several queues in turn", func(o *load.Options) { o.Producers, o.Consumers, o.Queues = 3, 4, 2 }, 1500, 0, 1500, 1500, 0},
		{"automatic acknowledgement", func(o *load.Options) { o.AutoAck = true }, 500, 0, 500, 500, 0},
		{"one acknowledgement for many", func(o *load.Options) { o.AckEvery = 7 }, 500, 0, 500, 500, 0},
		{"a body without room for a stamp", func(o *load.Options) { o.Size = 15 }, 500, 0, 500, 0, 0},
		{"a direct exchange", func(o *load.Options) { o.Exchange = "loads" }, 500, 0, 500, 500, 0},
		{"nobody consumes", func(o *load.Options) { o.Consumers = 0 }, 500, 0, 0, 0, 0},
		{"a rate", func(o *load.Options) { o.Rate, o.Count = 2000, 100 }, 100, 0, 100, 100, 0},
	}
	broker := amqptest.NewServer(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := options(broker.URL)
			test.change(&o)
			r, err := load.Run(t.Context(), o, ignore)
			if err != nil {
				t.Fatal(err)
			}
			if c := r.Counts; c.Published != test.published || c.Confirmed != test.confirmed || c.Received != test.received || c.Refused+c.Returned+c.Redelivered != 0 {
				t.Errorf("counts are %+v", c)
			}
			if n := count(r.Latency); n != test.latencies {
				t.Errorf("latency of %d messages, want %d", n, test.latencies)
			}
			if n := count(r.Confirm); n != test.confirms {
				t.Errorf("confirm latency of %d messages, want %d", n, test.confirms)
			}
			if r.Rates.Published <= 0 || (test.received > 0) != (r.Rates.Received > 0) {
				t.Errorf("rates are %+v", r.Rates)
			}
		})
	}
}

func count(l *load.Latency) int64 {
	if l == nil {
		return 0
	}
	return l.Count
}

func TestFanoutReachesEveryQueue(t *testing.T) {
	o := options(amqptest.NewServer(t).URL)
	o.Exchange, o.ExchangeType, o.Queues, o.Consumers = "loads", "fanout", 3, 3
	r, err := load.Run(t.Context(), o, ignore)
	if err != nil || r.Counts.Published != 500 || r.Counts.Received != 1500 {
		t.Fatalf("%+v, %v", r.Counts, err)
	}
}

func TestRefusedAndReturnedAreCounted(t *testing.T) {
	o := options(amqptest.NewServer(t).URL)
	o.Consumers, o.Window = 0, 100
	o.Arguments = amqp.Table{"x-max-length": 10, "x-overflow": "reject-publish"}
	r, err := load.Run(t.Context(), o, ignore)
	if err != nil || r.Counts.Confirmed != 10 || r.Counts.Refused != 490 {
		t.Fatalf("%+v, %v", r.Counts, err)
	}
}

func TestTopologyIsRemovedUnlessItExisted(t *testing.T) {
	broker := amqptest.NewServer(t)
	conn, err := amqp.Dial(broker.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	o := options(broker.URL)
	if _, err := load.Run(t.Context(), o, ignore); err != nil {
		t.Fatal(err)
	}
	_, err = ch.QueueDeclare("load", false, false, true, false, nil)
	if err == nil {
		_, err = ch.QueueDelete("load", false, false, false)
	}
	if err != nil {
		t.Fatalf("the queue was left behind: %v", err) // and so cannot be declared otherwise
	}
	if _, err := ch.QueueDeclare("load", false, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	o.Existing, o.Consumers = true, 0
	if _, err := load.Run(t.Context(), o, ignore); err != nil {
		t.Fatal(err)
	}
	if q, err := ch.QueueDeclarePassive("load", false, false, false, false, nil); err != nil || q.Messages != 500 {
		t.Fatalf("%+v, %v", q, err)
	}
	o.Existing, o.Keep = false, true
	if _, err := load.Run(t.Context(), o, ignore); err != nil {
		t.Fatal(err)
	}
	if q, err := ch.QueueDeclarePassive("load", false, false, false, false, nil); err != nil || q.Messages != 1000 {
		t.Fatalf("--keep: %+v, %v", q, err)
	}
}

func TestRunEndsWithItsTime(t *testing.T) {
	o := options(amqptest.NewServer(t).URL)
	o.Count, o.Duration, o.WarmUp, o.Interval = 0, 300*time.Millisecond, 100*time.Millisecond, 50*time.Millisecond
	intervals := 0
	r, err := load.Run(t.Context(), o, func(load.Interval) { intervals++ })
	if err != nil || intervals == 0 || len(r.Intervals) < intervals {
		t.Fatalf("%d intervals told, %d in the result, %v", intervals, len(r.Intervals), err)
	}
	var all, measured int64
	for _, i := range r.Intervals {
		all += i.Counts.Published
		if !i.WarmUp {
			measured += i.Counts.Published
		}
	}
	if !r.Intervals[0].WarmUp || measured != r.Counts.Published || measured >= all {
		t.Fatalf("%d of %d publishes are measured, %d are in the sum", measured, all, r.Counts.Published)
	}
}

func TestSlowConsumerLeavesABacklog(t *testing.T) {
	o := options(amqptest.NewServer(t).URL)
	o.TakeRate, o.Prefetch, o.Duration, o.Interval, o.Count = 1, 10, 50*time.Millisecond, 20*time.Millisecond, 0
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(200*time.Millisecond, cancel) // or the consumer would be waited for
	r, err := load.Run(ctx, o, ignore)
	if err != nil || r.Counts.Published <= 10 || r.Counts.Received > 10 {
		t.Fatalf("%+v, %v", r.Counts, err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	o := options(amqptest.NewServer(t).URL)
	o.Count, o.Duration, o.Interval = 0, time.Hour, 10*time.Millisecond
	ctx, cancel := context.WithCancelCause(t.Context())
	r, err := load.Run(ctx, o, func(load.Interval) { cancel(errors.New("enough")) })
	if err != nil || r.Counts.Published == 0 {
		t.Fatalf("%+v, %v", r, err)
	}
}

func TestBrokerThatGoesAwayEndsTheRun(t *testing.T) {
	broker, err := amqptest.Start()
	if err != nil {
		t.Fatal(err)
	}
	o := options(broker.URL)
	o.Count, o.Duration, o.Interval = 0, time.Hour, 10*time.Millisecond
	gone := false
	r, err := load.Run(t.Context(), o, func(load.Interval) {
		if !gone {
			gone = true
			broker.Close()
		}
	})
	if err == nil || r == nil {
		t.Fatalf("%+v, %v", r, err)
	}
}

func TestSenselessOptionsAreRefused(t *testing.T) {
	tests := []struct {
		flag   string
		change func(*load.Options)
	}{
		{"--uri", func(o *load.Options) { o.URIs = nil }},
		{"--producers", func(o *load.Options) { o.Producers, o.Consumers = 0, 0 }},
		{"--queues", func(o *load.Options) { o.Queues = 0 }},
		{"--queue", func(o *load.Options) { o.QueueName = "" }},
		{"--size", func(o *load.Options) { o.Size = -1 }},
		{"--size", func(o *load.Options) { o.Size = 1 << 30 }},
		{"--rate", func(o *load.Options) { o.Rate = -1 }},
		{"--rate", func(o *load.Options) { o.Rate = math.NaN() }},
		{"--rate", func(o *load.Options) { o.Rate = math.Inf(1) }},
		{"--consumer-rate", func(o *load.Options) { o.TakeRate = math.NaN() }},
		{"--consumer-rate", func(o *load.Options) { o.TakeRate = -1 }},
		{"--consumer-rate", func(o *load.Options) { o.TakeRate, o.AutoAck = 10, true }},
		{"--count", func(o *load.Options) { o.Count = -1 }},
		{"--duration", func(o *load.Options) { o.Count = 0 }},
		{"--duration", func(o *load.Options) { o.Producers = 0 }},
		{"--warmup", func(o *load.Options) { o.Duration, o.WarmUp = time.Second, time.Second }},
		{"--confirm", func(o *load.Options) { o.Window = -1 }},
		{"--confirm", func(o *load.Options) { o.Window = 1_000_001 }},
		{"--prefetch", func(o *load.Options) { o.Prefetch = 70000 }},
		{"--ack-every", func(o *load.Options) { o.AckEvery = 51 }},
		{"--interval", func(o *load.Options) { o.Interval = 0 }},
		{"--exchange-type", func(o *load.Options) { o.ExchangeType = "topic" }},
	}
	for _, test := range tests {
		o := options("amqp://nobody.invalid/")
		test.change(&o)
		if _, err := load.Run(t.Context(), o, ignore); err == nil || !strings.Contains(err.Error(), test.flag) {
			t.Errorf("%s: %v", test.flag, err)
		}
	}
}

func TestResultIsJSONAndAPicture(t *testing.T) {
	o := options(amqptest.NewServer(t).URL)
	o.Window, o.Interval = 10, 5*time.Millisecond
	r, err := load.Run(t.Context(), o, ignore)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back struct {
		Counts  struct{ Published int64 }
		Latency struct{ P99 int64 } `json:"latency_us"`
	}
	if err := json.Unmarshal(text, &back); err != nil || back.Counts.Published != 500 || back.Latency.P99 <= 0 {
		t.Fatalf("%+v, %v of %s", back, err, text)
	}
	var picture bytes.Buffer
	if err := r.Plot(&picture, "a run"); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"a run", "published", "confirmed", "received", "to delivery, p99", "to confirm, p99"} {
		if !bytes.Contains(picture.Bytes(), []byte(">"+text+"<")) {
			t.Errorf("the picture does not say %q", text)
		}
	}
	for d := xml.NewDecoder(&picture); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("the picture is no XML: %v", err)
		}
	}
}
