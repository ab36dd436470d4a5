package server

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/broker"
	"github.com/warren-mq/warren/storage"
)

// heldDisk is a server on a store whose syncs wait while the test holds them.
type heldDisk struct {
	held    atomic.Bool
	release chan struct{}
	server  *Server
	peer    *peer
}

func newHeldDisk(t *testing.T, usual string) *heldDisk {
	t.Helper()
	store, err := storage.Open(t.TempDir(), storage.Options{SegmentBytes: 1 << 20, ValueLogBytes: 1 << 20, PendingBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	s := newServer(t, Config{Heartbeat: -1}, broker.Config{Store: store, Durability: usual})
	t.Cleanup(s.broker.Close)
	d := &heldDisk{release: make(chan struct{}), server: s, peer: openChannel(t, s, 0)}
	// It comes behind the broker's own call, so clients have been told of the write when the committer waits here.
	store.NotifyWritten(func(storage.Commit) {
		if d.held.Load() {
			<-d.release
		}
	})
	late := time.AfterFunc(20*time.Second, func() { d.peer.conn.Close() })
	t.Cleanup(func() { late.Stop() })
	t.Cleanup(d.letGo) // before all else, or nothing could end
	p := d.peer
	for name, args := range map[string]amqp.Table{
		"usual": nil,
		"fsync": {{Name: "x-durability", Value: "fsync"}}, "os": {{Name: "x-durability", Value: "os"}},
		"memory": {{Name: "x-durability", Value: "memory"}}, "quorum": {{Name: "x-queue-type", Value: "quorum"}},
	} {
		p.send(1, &amqp.QueueDeclare{Queue: name, Durable: true, Arguments: args})
		p.skip(&amqp.QueueDeclareOk{})
		for _, other := range []string{"fsync", "os", "memory"} { // exchanges that lead to several queues
			if name == "usual" || name == "quorum" {
				continue
			}
			p.send(1, &amqp.ExchangeDeclare{Exchange: other + "+", Type: "fanout"})
			p.skip(&amqp.ExchangeDeclareOk{})
			if name == other || name == "memory" {
				p.send(1, &amqp.QueueBind{Queue: name, Exchange: other + "+"})
				p.skip(&amqp.QueueBindOk{})
			}
		}
	}
	p.send(1, &amqp.ConfirmSelect{})
	p.expect(1, &amqp.ConfirmSelectOk{})
	d.held.Store(true)
	return d
}

func (d *heldDisk) letGo() {
	if d.held.Swap(false) {
		close(d.release)
	}
}

// publish sends a persistent message.
func (d *heldDisk) publish(exchange, key string) {
	b := amqp.AppendMethod(nil, 1, &amqp.BasicPublish{Exchange: []byte(exchange), RoutingKey: []byte(key)})
	b = amqp.AppendContentHeader(b, 1, classBasic, 1, []byte{0x10, 0, 2})
	d.peer.write(amqp.AppendBody(b, 1, []byte("m"), 131072))
}

// silent sees that nothing was confirmed: the answer to something else comes first.
func (d *heldDisk) silent() {
	d.peer.t.Helper()
	d.peer.send(1, &amqp.BasicQos{})
	d.peer.expect(1, &amqp.BasicQosOk{})
}

// confirmed waits for confirms of the next publishes, up to tag.
func (d *heldDisk) confirmed(from, to uint64) {
	d.peer.t.Helper()
	for from <= to {
		_, m := d.peer.method()
		ack, ok := m.(*amqp.BasicAck)
		if !ok || ack.DeliveryTag < from || ack.DeliveryTag > to || ack.DeliveryTag > from && !ack.Multiple {
			d.peer.t.Fatalf("got %T %+v, want confirms of %d to %d", m, m, from, to)
		}
		from = ack.DeliveryTag + 1
	}
}

func TestAConfirmWaitsForWhatTheQueuePromises(t *testing.T) {
	for _, c := range []struct {
		exchange, key string
		usual         string
		early         bool // confirmed before the sync
	}{
		{"", "fsync", "", false},
		{"", "fsync", "memory", false},
		{"", "os", "", true},
		{"", "memory", "", true},
		{"", "usual", "", false},
		{"", "usual", "fsync", false},
		{"", "usual", "os", true},
		{"", "usual", "memory", true},
		{"", "quorum", "memory", false},
		{"fsync+", "", "", false}, // with "memory": the strictest of the queues decides
		{"os+", "", "", true},
		{"memory+", "", "", true},
	} {
		t.Run(fmt.Sprint(c.exchange, c.key, "/", c.usual), func(t *testing.T) {
			d := newHeldDisk(t, c.usual)
			d.publish(c.exchange, c.key)
			if c.early {
				d.confirmed(1, 1)
				return
			}
			d.silent()
			d.letGo()
			d.confirmed(1, 1)
		})
	}
}

func TestConfirmsStayInOrderWhateverTheyWaitFor(t *testing.T) {
	d := newHeldDisk(t, "")
	d.publish("", "os")
	d.confirmed(1, 1) // written; its sync is held, so nothing is written after it
	d.publish("", "memory")
	d.confirmed(2, 2)
	d.publish("", "os")
	d.silent()
	d.publish("", "memory") // ready, but behind 3
	d.silent()
	d.publish("", "fsync")
	d.publish("", "memory")
	d.publish("", "nowhere")
	d.silent()
	d.letGo()
	d.confirmed(3, 7)
}

func TestMemoryConfirmsBeforeTheWrite(t *testing.T) {
	d := newHeldDisk(t, "")
	d.publish("", "os")
	d.confirmed(1, 1) // from here on the committer stands still
	for tag := uint64(2); tag < 10; tag++ {
		d.publish("", "memory")
		d.confirmed(tag, tag)
	}
	d.publish("", "os")
	d.silent()
}
