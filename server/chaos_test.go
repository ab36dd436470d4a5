package server

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/warren-mq/warren/broker"
	"github.com/warren-mq/warren/storage"
)

// TestChaos lets many clients send what they like at once, some without ever reading, while alarms come and go, an
// operator closes connections and somebody looks at them all. Afterwards nothing may be left.
func TestChaos(t *testing.T) {
	t.Run("in memory", func(t *testing.T) { chaos(t, nil) })
	t.Run("on disk", func(t *testing.T) {
		store, err := storage.Open(t.TempDir(), storage.Options{SegmentBytes: 4 << 20, ValueLogBytes: 4 << 20})
		if err != nil {
			t.Fatal(err)
		}
		chaos(t, store)
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
}

func chaos(t *testing.T, store *storage.Store) {
	const clients, rounds = 8, 25
	core, err := broker.New(broker.Config{MaxMessageSize: 50_000, Store: store})
	if err != nil {
		t.Fatal(err)
	}
	s := New(Config{MaxPausing: 3, MaxUnfinishedBytes: 60_000, MaxUnfinishedBytesTotal: 100_000, Heartbeat: -1}, core, zerolog.Nop())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() { s.Serve(l) })
	seed := rand.Uint64()
	t.Log("seed", seed)

	ended := make(chan struct{})
	all.Go(func() { meddle(core, rand.New(rand.NewPCG(seed, 99)), ended) })
	var sending sync.WaitGroup
	for n := range clients {
		r := rand.New(rand.NewPCG(seed, uint64(n)))
		sending.Go(func() {
			for range rounds {
				if err := misbehave(l.Addr().String(), r); err != nil {
					t.Error(err)
				}
			}
		})
	}
	sending.Wait()
	close(ended)
	if err := shutdown(s, 20*time.Second); err != nil {
		t.Error(err)
	}
	all.Wait()
	if n, m := s.pausing.Load(), s.unfinished.Load(); n != 0 || m != 0 {
		t.Errorf("%d connections are counted as pausing and %d bytes as unfinished", n, m)
	}
	if n := len(core.Connections()); n != 0 || len(s.conns) != 0 {
		t.Errorf("%d and %d connections are left", n, len(s.conns))
	}
	vh, _ := core.VHost("/")
	for _, q := range vh.Queues() {
		if st := q.Stats(); q.Exclusive() || st.Unacked != 0 || st.Consumers != 0 {
			t.Errorf("queue %s is left with %+v", q.Name(), st)
		}
	}
	if o, c := core.Totals.ChannelsOpened.Load(), core.Totals.ChannelsClosed.Load(); o != c {
		t.Errorf("%d channels were opened and %d closed", o, c)
	}
}

// misbehave is one client: it says what a fuzzer might, in pieces, reads or does not, and goes.
func misbehave(addr string, r *rand.Rand) error {
	socket, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer socket.Close()
	socket.SetDeadline(time.Now().Add(200 * time.Millisecond)) // an alarm or a full socket may hold it
	data := make([]byte, r.IntN(600))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	sent := append(opening(r.IntN(2) == 0), clientBytes(data)...)
	var reading sync.WaitGroup
	if r.IntN(4) > 0 {
		reading.Go(func() { io.Copy(io.Discard, socket) })
	}
	for len(sent) > 0 {
		n := min(1+r.IntN(5000), len(sent))
		if _, err := socket.Write(sent[:n]); err != nil {
			break
		}
		sent = sent[n:]
	}
	if r.IntN(2) == 0 {
		socket.(*net.TCPConn).SetLinger(0)
	}
	socket.Close()
	reading.Wait()
	return nil
}

// meddle is everything that does not come from the clients themselves.
func meddle(core *broker.Broker, r *rand.Rand, ended <-chan struct{}) {
	defer core.Alarms.Set(broker.Memory, false)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return
		case <-tick.C:
		}
		core.Alarms.Set(broker.Memory, r.IntN(10) == 0)
		list := core.Connections()
		for _, c := range list {
			c.Info()
			c.Channels()
		}
		if len(list) > 0 && r.IntN(5) == 0 {
			list[r.IntN(len(list))].Close("chaos")
		}
		vh, _ := core.VHost("/")
		for _, q := range vh.Queues() {
			q.Stats()
			q.Subscriptions()
		}
	}
}
