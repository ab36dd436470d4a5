package broker

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/queue"
	"github.com/warren-mq/warren/storage"
)

// bench is a broker with a session and a publisher, for tests on virtual time.
type bench struct {
	*testing.T
	broker  *Broker
	session *Session
	pub     *Publisher
	fx      Effects
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := b.Open(b.Users.Lookup("guest"), "/", new(int))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return &bench{T: t, broker: b, session: s, pub: s.NewPublisher()}
}

// smallStore suits tests.
var smallStore = storage.Options{SegmentBytes: 1 << 20, ValueLogBytes: 1 << 20}

// reopen starts a broker on the store in a folder; stop ends both.
func reopen(t *testing.T, dir string, o storage.Options, now func() time.Time) (b *bench, stop func()) {
	t.Helper()
	store, err := storage.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	core, err := New(Config{Store: store, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	s, err := core.Open(core.Users.Lookup("guest"), "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	return &bench{T: t, broker: core, session: s, pub: s.NewPublisher()}, func() {
		core.Close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
}

// declare makes a queue with arguments given as names without x- and values.
func (b *bench) declare(name string, args ...any) *Queue {
	b.Helper()
	var table amqp.Table
	for i := 0; i < len(args); i += 2 {
		table = append(table, amqp.Field{Name: "x-" + args[i].(string), Value: args[i+1]})
	}
	q, err := b.session.DeclareQueue(QueueDeclaration{Name: name, Arguments: table})
	if err != nil {
		b.Fatal(err)
	}
	return q
}

// publish sends bodies to a queue and returns which were refused.
func (b *bench) publish(queue string, bodies ...string) []int32 {
	b.Helper()
	for _, body := range bodies {
		if _, err := b.pub.Publish(&Message{RoutingKey: []byte(queue), Properties: []byte{0, 0}, Body: []byte(body)}); err != nil {
			b.Fatal(err)
		}
	}
	refused := b.pub.Settle(b.broker.nowMillis(), &b.fx)
	b.fx.Run()
	return refused
}

// ready says how many messages a queue must have ready.
func (b *bench) ready(q *Queue, want int) {
	b.Helper()
	if got := q.Stats().Ready; got != want {
		b.Errorf("%s has %d ready, want %d", q.Name(), got, want)
	}
}

// after lets virtual time pass until what is due then has been done.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestMessagesExpireOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		dead := b.declare("dead")
		q := b.declare("q", "message-ttl", int32(100), "dead-letter-exchange", "", "dead-letter-routing-key", "dead")
		b.publish("q", "a")
		after(50 * time.Millisecond)
		b.publish("q", "b")
		after(49 * time.Millisecond)
		b.ready(q, 2)
		after(time.Millisecond)
		b.ready(q, 1)
		b.ready(dead, 1)
		after(50 * time.Millisecond)
		b.ready(q, 0)
		b.ready(dead, 2)
	})
}

func TestALongBacklogExpiresInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		dead := b.declare("dead")
		q := b.declare("q", "message-ttl", int32(100), "dead-letter-exchange", "", "dead-letter-routing-key", "dead")
		const n = 2500 // several slices
		for i := range n {
			b.publish("q", fmt.Sprint(i))
		}
		after(100 * time.Millisecond)
		b.ready(q, 0)
		b.ready(dead, n)
		g := &getter{}
		for i := range n {
			if ok, _ := dead.Get(g, true, b.broker.nowMillis(), &b.fx); !ok || g.body != fmt.Sprint(i) {
				t.Fatalf("got %q, want %d", g.body, i)
			}
		}
	})
}

func TestAnUnusedQueueIsDeletedOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.declare("q", "expires", int32(100))
		after(60 * time.Millisecond)
		if _, err := b.session.CheckQueue("q"); err != nil { // which uses it
			t.Fatal(err)
		}
		b.publish("q", "a") // which does not
		after(99 * time.Millisecond)
		if _, ok := b.session.VHost().Queue("q"); !ok {
			t.Fatal("deleted too early")
		}
		after(time.Millisecond)
		if _, ok := b.session.VHost().Queue("q"); ok {
			t.Error("still there")
		}
	})
}

func TestADeletedQueueIsNotWokenAndAClosedBrokerWakesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.declare("q", "message-ttl", int32(100))
		kept := b.declare("kept", "message-ttl", int32(100))
		b.publish("q", "a")
		b.publish("kept", "a")
		if n := len(b.broker.timers.due); n != 2 {
			t.Fatalf("%d appointments, want 2", n)
		}
		if _, err := b.session.DeleteQueue("q", false, false, &b.fx); err != nil {
			t.Fatal(err)
		}
		if n := len(b.broker.timers.due); n != 1 {
			t.Errorf("%d appointments, want that of the queue that is left", n)
		}
		b.broker.Close()
		after(time.Second)
		b.ready(kept, 1)
	})
}

func TestAnAppointmentOnlyMovesToAnEarlierTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		q, now := b.declare("q"), b.broker.nowMillis()
		for _, step := range []struct{ set, want int64 }{{300, 300}, {500, 300}, {200, 200}, {300, 200}} {
			b.broker.timers.set(q, now+step.set)
			if got := q.appointment.at - now; got != step.want {
				t.Errorf("after %d: in %d ms, want %d", step.set, got, step.want)
			}
		}
		after(200 * time.Millisecond)
		if q.appointment.place >= 0 {
			t.Error("not kept on time")
		}
	})
}

func TestALongChainOfDeathsEndsInOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		const n = 300
		for i := range n {
			b.declare(fmt.Sprint(i), "message-ttl", int32(0), "dead-letter-exchange", "", "dead-letter-routing-key", fmt.Sprint(i+1))
		}
		last := b.declare(fmt.Sprint(n))
		b.publish("0", "a")
		b.ready(last, 1)
	})
}

func TestSettleTellsWhichMessagesWereRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.declare("free")
		b.declare("full", "max-length", int32(1), "overflow", "reject-publish-dlx", "dead-letter-exchange", "", "dead-letter-routing-key", "full")
		b.pub.Publish(&Message{RoutingKey: []byte("free"), Properties: []byte{0, 0}})
		if got := b.publish("full", "a", "b", "c"); fmt.Sprint(got) != "[2 3]" {
			t.Errorf("refused %v, want the third and the fourth", got)
		}
		if got := b.publish("free", "a"); len(got) != 0 {
			t.Errorf("refused %v, want nothing", got)
		}
	})
}

// getter takes what basic.get gets.
type getter struct{ body string }

func (g *getter) Acquire() {}
func (g *getter) Release() {}
func (g *getter) Wake()    {}

func (g *getter) Deliver(d *queue.Delivery) bool {
	g.body = string(d.Message.Body)
	return true
}
