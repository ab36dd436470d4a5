package load_test

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/amqptest"
	"github.com/warren-mq/warren/cmd/warren/load"
)

// proxy stands between clients and a broker, and can stop passing anything on over the connections that there are.
type proxy struct {
	listener net.Listener
	broker   string
	wg       sync.WaitGroup

	mu      sync.Mutex
	sockets []net.Conn
	stalled chan struct{} // of the connections since the last stall
	ended   chan struct{}
}

func newProxy(t *testing.T, broker string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, broker: broker, stalled: make(chan struct{}), ended: make(chan struct{})}
	p.wg.Go(p.serve)
	t.Cleanup(func() {
		close(p.ended)
		l.Close()
		p.mu.Lock()
		for _, s := range p.sockets {
			s.Close()
		}
		p.mu.Unlock()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) url() string { return "amqp://guest:guest@" + p.listener.Addr().String() + "/" }

func (p *proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		broker, err := net.Dial("tcp", p.broker)
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		p.sockets = append(p.sockets, client, broker)
		stalled := p.stalled
		p.mu.Unlock()
		p.wg.Go(func() { p.forward(client, broker, stalled) })
		p.wg.Go(func() { p.forward(broker, client, stalled) })
	}
}

// forward passes on what comes, until a stall: then it holds on to the sockets until the test ends.
func (p *proxy) forward(from, to net.Conn, stalled <-chan struct{}) {
	defer to.Close()
	buf := make([]byte, 4096)
	for {
		select {
		case <-stalled:
			<-p.ended
			return
		default:
		}
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (p *proxy) stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.stalled)
	p.stalled = make(chan struct{})
}

// address is the host and port of a broker's URL.
func address(url string) string {
	_, rest, _ := strings.Cut(url, "@")
	return strings.TrimSuffix(rest, "/")
}

func TestRunEndsWithItsContextThoughTheBrokerTakesNothing(t *testing.T) {
	broker := amqptest.NewServer(t)
	p := newProxy(t, address(broker.URL))
	o := options(p.url())
	o.Count, o.Duration, o.Interval, o.Consumers = 0, time.Hour, 20*time.Millisecond, 0
	ctx, cancel := context.WithCancel(t.Context())
	stalled, still := false, 0
	began := time.Now()
	_, err := load.Run(ctx, o, func(i load.Interval) {
		switch {
		case !stalled:
			if stalled = i.Counts.Published > 0; stalled {
				p.stall()
			}
		case i.Counts.Published > 0:
			still = 0
		default:
			if still++; still == 20 { // so the sockets take no more
				cancel()
			}
		}
	})
	if err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
	queues(t, broker.URL, map[string]bool{"load": false})
}

func TestRunEndsWhenTheBrokerFallsSilent(t *testing.T) {
	broker := amqptest.NewServer(t)
	p := newProxy(t, address(broker.URL))
	o := options(p.url() + "?heartbeat=1")
	o.Count, o.Duration, o.Interval, o.Consumers = 0, time.Hour, 20*time.Millisecond, 0
	stalled := false
	began := time.Now()
	_, err := load.Run(t.Context(), o, func(i load.Interval) {
		if !stalled && i.Counts.Published > 0 {
			stalled = true
			p.stall()
		}
	})
	if err == nil || !strings.Contains(err.Error(), "closed a connection") {
		t.Error(err)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestRefusedMessagesAreNotWaitedFor(t *testing.T) {
	o := options(amqptest.NewServer(t).URL)
	o.Window, o.Prefetch, o.TakeRate = 100, 1, 100
	o.Arguments = amqp.Table{"x-max-length": 10, "x-overflow": "reject-publish"}
	began := time.Now()
	r, err := load.Run(t.Context(), o, ignore)
	if err != nil || r.Counts.Refused == 0 || r.Counts.Received != r.Counts.Confirmed {
		t.Fatalf("%+v, %v", r.Counts, err)
	}
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestDroppedMessagesAreNotWaitedForLong(t *testing.T) {
	o := options(amqptest.NewServer(t).URL)
	o.Prefetch, o.TakeRate, o.Arguments = 1, 100, amqp.Table{"x-max-length": 10}
	began := time.Now()
	r, err := load.Run(t.Context(), o, ignore)
	if err != nil || r.Counts.Received >= r.Counts.Published {
		t.Fatalf("%+v, %v", r.Counts, err)
	}
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestQueueThatWasThereIsLeft(t *testing.T) {
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
	if _, err := ch.QueueDeclare("load-1", false, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	o := options(broker.URL)
	o.Queues, o.Consumers = 2, 2
	if _, err := load.Run(t.Context(), o, ignore); err != nil {
		t.Fatal(err)
	}
	queues(t, broker.URL, map[string]bool{"load-1": true, "load-2": false})
}

func TestNothingIsLeftWhenTheSetUpFails(t *testing.T) {
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
	if _, err := ch.QueueDeclare("load-2", true, false, false, false, nil); err != nil { // durable, so not as the run wants it
		t.Fatal(err)
	}
	o := options(broker.URL)
	o.Queues, o.Consumers, o.Exchange = 2, 2, "loads"
	if r, err := load.Run(t.Context(), o, ignore); err == nil || !strings.Contains(err.Error(), "queue load-2") {
		t.Fatalf("%+v, %v", r, err)
	}
	queues(t, broker.URL, map[string]bool{"load-1": false, "load-2": true})
	if err := ch.ExchangeDeclare("loads", "topic", false, false, false, false, nil); err != nil {
		t.Errorf("the exchange was left behind: %v", err) // and so cannot be declared with another type
	}
}

// queues checks which queues are there.
func queues(t *testing.T, url string, want map[string]bool) {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for name, want := range want {
		ch, err := conn.Channel()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ch.QueueDeclarePassive(name, false, false, false, false, nil); (err == nil) != want {
			t.Errorf("queue %s: %v", name, err)
		}
	}
}
