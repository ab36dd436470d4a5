package load

import (
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/warren-mq/warren/integration_test/bench/internal/nullbroker"
)

// serve starts a null broker.
func serve(t *testing.T) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go nullbroker.New().Serve(l)
	return l.Addr().String()
}

// small makes the defaults of a scenario small enough for a test.
func small(s *Scenario, addr string) Options {
	o := Defaults()
	s.Preset(&o)
	o.Addr, o.Pids = addr, []int{os.Getpid()}
	o.Stall, o.Timeout = time.Minute, 3*time.Minute // only a run that fails gets there
	o.Warmup, o.Settle = min(o.Warmup, 20*time.Millisecond), 0
	o.Duration = min(o.Duration, 50*time.Millisecond)
	if o.Count > 0 {
		o.Count = 2000
	}
	o.Rate = min(o.Rate, 1000) // with slow-consumer, what the sockets take: the null broker has no queue for more
	if o.Connections > 0 {
		o.Connections = 50
	}
	o.Producers, o.Consumers, o.Queues = min(o.Producers, 8), min(o.Consumers, 8), min(o.Queues, 8)
	return o
}

func TestEveryScenario(t *testing.T) {
	addr := serve(t)
	for _, s := range Scenarios { // in order: fill, ready, drain
		t.Run(s.Name, func(t *testing.T) {
			res, err := s.Run(small(s, addr))
			if err != nil {
				t.Fatal(err)
			}
			t.Log(res.Line())
		})
	}
}

func TestSizesAndModes(t *testing.T) {
	addr := serve(t)
	s := Find("throughput")
	for _, change := range []func(o *Options){
		func(o *Options) { o.Size = 0 },
		func(o *Options) { o.Size = 65536 },
		func(o *Options) { o.Size = 300_000 }, // more than one body frame
		func(o *Options) { o.Prefetch, o.AckEvery = 10, 1 },
		func(o *Options) { o.ConfirmWindow = 1 },
		func(o *Options) { o.ConfirmWindow, o.Producers = 7, 3 },
		func(o *Options) { o.Count, o.Duration, o.Producers = 1001, 0, 3 },
		func(o *Options) { o.Rate, o.Size, o.ConfirmWindow = 1000, 64, 50 },
	} {
		o := small(s, addr)
		change(&o)
		res, err := s.Run(o)
		if err != nil {
			t.Errorf("%+v: %v", o, err)
			continue
		}
		if res.Consumed == 0 || res.Consumed != res.Published {
			t.Errorf("%+v: %d published, %d consumed", o, res.Published, res.Consumed)
		}
		if o.Count > 0 && res.Published != uint64(o.Count) {
			t.Errorf("%d messages instead of %d", res.Published, o.Count)
		}
	}
}

// A broker that accepts connections and never answers must not hang a run.
func TestDeafBroker(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			if _, err := l.Accept(); err != nil {
				return
			}
		}
	}()
	o := Defaults()
	o.Addr, o.DialTimeout = l.Addr().String(), 200*time.Millisecond
	_, err = Find("throughput").Run(o)
	if err == nil || !strings.Contains(err.Error(), "timeout") {
		t.Fatalf("error %v", err)
	}
}

// A run whose broker stops taking part ends by itself.
func TestStall(t *testing.T) {
	o := Defaults()
	o.Addr = serve(t)
	o.Stall, o.Consumers, o.Queues = 600*time.Millisecond, 1, 2 // half of the messages have no consumer
	_, err := Find("throughput").Run(o)
	if err == nil || !strings.Contains(err.Error(), "no progress") {
		t.Fatalf("error %v", err)
	}
}
