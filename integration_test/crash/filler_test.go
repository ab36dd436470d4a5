package crash_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// filler publishes to one durable queue as fast as it may, and notes what was confirmed. Once it was held and may go on, it
// publishes a little more and stops.
type filler struct {
	queue  string
	socket net.Conn
	conn   *amqp091.Connection

	held, released, stopped chan struct{} // closed when that happens first

	sent      atomic.Int64
	confirmed atomic.Int64
	work      sync.WaitGroup

	mu   sync.Mutex
	sure map[string]bool // ids of what was confirmed; guarded by mu
}

const (
	fillerBody  = 32 << 10
	fillerCoda  = 100 // messages after it was held
	fillerLimit = 1 << 20
)

// startFiller connects and begins to publish persistent messages with ids that no other queue has.
func startFiller(addr, queue string) (*filler, error) {
	f := &filler{queue: queue, sure: map[string]bool{},
		held: make(chan struct{}), released: make(chan struct{}), stopped: make(chan struct{})}
	var err error
	f.conn, err = amqp091.DialConfig("amqp://guest:guest@"+addr+"/", amqp091.Config{
		Dial: func(network, addr string) (net.Conn, error) {
			c, err := amqp091.DefaultDial(patience)(network, addr)
			f.socket = c
			return c, err
		},
	})
	if err != nil {
		return nil, err
	}
	blocked := f.conn.NotifyBlocked(make(chan amqp091.Blocking, 100))
	f.work.Go(func() { f.listen(blocked) })
	ch, err := f.conn.Channel()
	if err == nil {
		err = ch.Confirm(false)
	}
	if err == nil {
		_, err = ch.QueueDeclare(queue, true, false, false, false, nil)
	}
	if err != nil {
		return nil, errors.Join(err, f.socket.Close())
	}
	confirms := ch.NotifyPublish(make(chan amqp091.Confirmation, 10_000))
	f.work.Go(func() {
		for c := range confirms {
			if c.Ack {
				f.mu.Lock()
				f.sure[f.id(c.DeliveryTag)] = true
				f.mu.Unlock()
				f.confirmed.Add(1)
			}
		}
	})
	f.work.Go(func() {
		defer close(f.stopped)
		for tag, last := uint64(1), uint64(fillerLimit); tag <= last; tag++ {
			select {
			case <-f.released:
				last = min(last, tag+fillerCoda)
			default:
			}
			body := make([]byte, fillerBody)
			_, _ = rand.Read(body) // never fails
			m := amqp091.Publishing{DeliveryMode: amqp091.Persistent, MessageId: f.id(tag), Body: body}
			if ch.Publish("", queue, false, false, m) != nil { //nolint:staticcheck // its context does nothing
				return
			}
			f.sent.Add(1)
		}
	})
	return f, nil
}

// listen hears that the publisher is held, and that it may go on.
func (f *filler) listen(blocked <-chan amqp091.Blocking) {
	once := [...]sync.Once{{}, {}}
	for b := range blocked {
		if b.Active {
			once[0].Do(func() { close(f.held) })
		} else {
			once[1].Do(func() { close(f.released) })
		}
	}
}

func (f *filler) id(tag uint64) string { return f.queue + strconv.FormatUint(tag, 10) }

// await waits for one of the channels.
func (f *filler) await(what string, happened <-chan struct{}) error {
	select {
	case <-happened:
		return nil
	case <-deadline():
		return fmt.Errorf("%s: does not happen; %d messages confirmed", what, f.confirmed.Load())
	}
}

// awaitConfirmed waits until n messages are confirmed.
func (f *filler) awaitConfirmed(n int64) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for limit := deadline(); f.confirmed.Load() < n; {
		select {
		case <-tick.C:
		case <-limit:
			return fmt.Errorf("%d of %d confirmed", f.confirmed.Load(), n)
		}
	}
	return nil
}

// end cuts the connection and returns the ids of what was confirmed.
func (f *filler) end() map[string]bool {
	_ = f.socket.Close() // a client that is held could not close in order
	f.work.Wait()
	return f.sure
}

// take gets and acks up to n messages of a queue, and returns their ids. The last ack is known to be on the disk.
func take(addr, queue string, n int) (ids []string, err error) {
	conn, err := amqp091.Dial("amqp://guest:guest@" + addr + "/")
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	ch, err := conn.Channel()
	for err == nil && len(ids) < n {
		m, ok, getErr := ch.Get(queue, false)
		if getErr != nil || !ok {
			return ids, getErr
		}
		if len(m.Body) != fillerBody {
			return ids, fmt.Errorf("message %s has %d bytes", m.MessageId, len(m.Body))
		}
		ids = append(ids, m.MessageId)
		err = m.Ack(false)
	}
	return ids, err
}
