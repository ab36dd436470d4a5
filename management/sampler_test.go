package management

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warren-mq/warren/broker"
)

// figures are the fields of a queue, a vhost or the overview that are read here.
type figures struct {
	Messages        int     `json:"messages"`
	MessagesDetails details `json:"messages_details"`
	IdleSince       *string `json:"idle_since"`
	MessageStats    *struct {
		Publish        int     `json:"publish"`
		PublishDetails details `json:"publish_details"`
	} `json:"message_stats"`
	QueueTotals struct {
		MessagesDetails details `json:"messages_details"`
	} `json:"queue_totals"`
	ChurnRates struct {
		QueueCreatedDetails details `json:"queue_created_details"`
	} `json:"churn_rates"`
}

// sampling runs the sampler of a server in virtual time until the test ends.
func sampling(t *testing.T) *Server {
	s := newServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.samples.run(ctx)
	}()
	synctest.Wait() // the first round is through
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return s
}

func TestRatesAreThoseOfTheLastInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sampling(t)
		a := session(t, s, "/")
		declare(t, a, "q")
		look := func(path string, count int, rate float64) {
			t.Helper()
			q := get[figures](t, s, path)
			if q.MessageStats.Publish != count || q.MessageStats.PublishDetails.Rate != rate {
				t.Errorf("%s at %v: published %d, %v/s, want %d, %v/s", path, s.broker.Now().Sub(s.broker.Started()),
					q.MessageStats.Publish, q.MessageStats.PublishDetails.Rate, count, rate)
			}
		}
		publish(t, a, "q", 10)
		const path = "/api/queues/%2F/q"
		look(path, 10, 0) // the counter is of now, the rate of the last interval
		<-time.After(sampleInterval)
		synctest.Wait()
		look(path, 10, 2) // the queue is new: all came in this interval
		publish(t, a, "q", 25)
		look(path, 35, 2)
		<-time.After(sampleInterval - time.Millisecond)
		look(path, 35, 2)
		<-time.After(time.Millisecond)
		synctest.Wait()
		look(path, 35, 5)
		if q := get[figures](t, s, path); q.Messages != 35 || q.MessagesDetails.Rate != 5 {
			t.Errorf("the queue has %d messages, %v/s", q.Messages, q.MessagesDetails.Rate)
		}
		if o := get[figures](t, s, "/api/overview"); o.QueueTotals.MessagesDetails.Rate != 5 || o.ChurnRates.QueueCreatedDetails.Rate != 0 {
			t.Errorf("the overview has %+v", o)
		}
		if v := get[figures](t, s, "/api/vhosts/%2F"); v.MessagesDetails.Rate != 5 {
			t.Errorf("the vhost has %+v", v)
		}
		<-time.After(sampleInterval)
		synctest.Wait()
		look(path, 35, 0)
	})
}

func TestRatesOfWhatIsInQueuesMayBeNegative(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sampling(t)
		a := session(t, s, "/")
		q := declare(t, a, "q")
		publish(t, a, "q", 10)
		<-time.After(sampleInterval)
		synctest.Wait()
		var fx broker.Effects
		q.Purge(&fx.Effects)
		<-time.After(sampleInterval)
		synctest.Wait()
		f := get[figures](t, s, "/api/queues/%2F/q")
		if f.MessagesDetails.Rate != -2 || f.MessageStats.PublishDetails.Rate != 0 {
			t.Errorf("rates are %v and %v", f.MessagesDetails.Rate, f.MessageStats.PublishDetails.Rate)
		}
	})
}

func TestIdleSinceIsTheLastChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sampling(t)
		a := session(t, s, "/")
		declare(t, a, "q")
		look := func(want string) {
			t.Helper()
			got := "nothing"
			if since := get[figures](t, s, "/api/queues/%2F/q").IdleSince; since != nil {
				got = *since
			}
			if got != want {
				t.Errorf("idle since %s, want %s", got, want)
			}
		}
		rounds := func(n int) {
			<-time.After(time.Duration(n) * sampleInterval)
			synctest.Wait()
		}
		look("nothing")
		rounds(1)
		look("nothing")
		rounds(2)
		look("2000-01-01T00:00:05.000+00:00") // the round that saw it first
		publish(t, a, "q", 1)
		look("2000-01-01T00:00:05.000+00:00") // not seen yet
		rounds(1)
		look("nothing")
		rounds(5)
		look("2000-01-01T00:00:20.000+00:00")
	})
}

// TestWhatWasCountedBeforeTheFirstRoundIsNoRate: a node that starts with a million messages has not just got them.
func TestWhatWasCountedBeforeTheFirstRoundIsNoRate(t *testing.T) {
	s := newServer(t)
	a := session(t, s, "/")
	declare(t, a, "q")
	publish(t, a, "q", 10)
	now := time.Now()
	for i := range 2 {
		s.samples.sample(now.Add(time.Duration(i) * sampleInterval))
		if f := get[figures](t, s, "/api/queues/%2F/q"); f.MessagesDetails.Rate != 0 {
			t.Errorf("round %d: %v/s", i, f.MessagesDetails.Rate)
		}
	}
}

func TestTheSamplerForgetsWhatIsGone(t *testing.T) {
	s := newServer(t)
	a := session(t, s, "/")
	declare(t, a, "q")
	c := &fakeConnection{name: "c"}
	s.broker.AddConnection(c)
	now := time.Now()
	s.samples.sample(now)
	queues, channels := len(s.samples.queues.traces), len(s.samples.channels.traces)
	if queues != 1 || channels != 1 || len(s.samples.connections.traces) != 1 {
		t.Fatalf("%d queues, %d channels", queues, channels)
	}
	var fx broker.Effects
	_, err := a.DeleteQueue("q", false, false, &fx)
	check(t, err)
	s.broker.RemoveConnection(c)
	s.samples.sample(now.Add(sampleInterval))
	if n := len(s.samples.queues.traces) + len(s.samples.channels.traces) + len(s.samples.connections.traces); n != 0 {
		t.Errorf("%d traces are left", n)
	}
}

// TestSumsDoNotForgetWhatIsGone: the channel and the queue count on in the overview, and the rates hold.
func TestSumsDoNotForgetWhatIsGone(t *testing.T) {
	s := newServer(t)
	a := session(t, s, "/")
	c := &fakeConnection{name: "c", stats: broker.ChannelStats{Published: 7, Confirmed: 5}}
	s.broker.AddConnection(c)
	now := time.Now()
	s.samples.sample(now)
	declare(t, a, "q")
	publish(t, a, "q", 7)
	var fx broker.Effects
	_, err := a.DeleteQueue("q", false, false, &fx)
	check(t, err)
	s.broker.RemoveConnection(c)
	s.broker.ChannelEnded("/", c.stats)
	s.samples.sample(now.Add(sampleInterval))
	for _, path := range []string{"/api/overview", "/api/vhosts/%2F"} {
		if f := get[figures](t, s, path); f.MessageStats.Publish != 7 || f.MessageStats.PublishDetails.Rate != 0 {
			t.Errorf("%s: %+v", path, f.MessageStats)
		}
	}
}

// TestAChannelNumberThatIsUsedAgainHasNoNegativeRate: the new channel counts from 0.
func TestAChannelNumberThatIsUsedAgainHasNoNegativeRate(t *testing.T) {
	s := newServer(t)
	c := &fakeConnection{name: "c", stats: broker.ChannelStats{Published: 100}}
	s.broker.AddConnection(c)
	now := time.Now()
	s.samples.sample(now)
	c.stats.Published = 1
	s.samples.sample(now.Add(sampleInterval))
	if f := get[figures](t, s, "/api/channels/c%20(1)"); f.MessageStats.PublishDetails.Rate != 0 {
		t.Errorf("%+v", f.MessageStats)
	}
}

// fakeConnection is an AMQP connection with one channel.
type fakeConnection struct {
	name   string
	user   string
	stats  broker.ChannelStats
	reason string // that it was closed for
}

func (c *fakeConnection) Name() string { return c.name }

func (c *fakeConnection) Info() broker.ConnectionInfo {
	return broker.ConnectionInfo{Name: c.name, User: c.user, VHost: "/", State: "running", PeerHost: "192.0.2.1", PeerPort: 1}
}

func (c *fakeConnection) Channels() []broker.ChannelInfo {
	return []broker.ChannelInfo{{Number: 1, Stats: c.stats}}
}

func (c *fakeConnection) Close(reason string) { c.reason = reason }

// BenchmarkSample is one round of the sampler, of which there is one in five seconds.
func BenchmarkSample(b *testing.B) {
	for _, n := range []int{100, 100_000} {
		b.Run(fmt.Sprintf("queues=%d", n), func(b *testing.B) {
			s := manyQueues(b, n)
			now := time.Now()
			b.ReportAllocs()
			for b.Loop() {
				now = now.Add(sampleInterval)
				s.samples.sample(now)
			}
		})
	}
}

// BenchmarkListQueues is the whole list, and a page of it as the console asks for it.
func BenchmarkListQueues(b *testing.B) {
	s := manyQueues(b, 100_000)
	for name, path := range map[string]string{
		"all":     "/api/queues",
		"columns": "/api/queues?columns=name,messages",
		"page":    "/api/queues?page=1&page_size=100",
		"sorted":  "/api/queues?page=1&page_size=100&sort=messages&sort_reverse=true",
		"name":    "/api/queues?page=1&page_size=100&name=99",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if w := ask(s, http.MethodGet, path); w.Code != http.StatusOK {
					b.Fatal(w.Code)
				}
			}
		})
	}
}

func manyQueues(b *testing.B, n int) *Server {
	s := newServer(b)
	a := session(b, s, "/")
	for i := range n {
		declare(b, a, fmt.Sprintf("queue number %d", i))
	}
	publish(b, a, "queue number 7", 3)
	s.samples.sample(time.Now())
	return s
}
