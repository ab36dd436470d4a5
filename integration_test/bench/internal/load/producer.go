package load

import (
	"encoding/binary"
	"errors"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/warren-mq/warren/integration_test/bench/internal/amqp"
	"github.com/warren-mq/warren/integration_test/bench/internal/hist"
)

// epoch is what the clock in message bodies counts from. Publisher and
// consumer are in one process, so they share it.
var epoch = time.Now()

func now() int64 { return int64(time.Since(epoch)) }

// stampSize is the room that the publish time takes in a body.
const stampSize = 8

// producer publishes over one connection.
type producer struct {
	run  *run
	conn *amqp.Conn
	msgs *messages

	sent     uint64 // messages written so far, over all phases
	confirms *amqp.Confirms

	// With a listener goroutine (listen), which reads the connection while
	// the producer writes:
	listening bool
	confirmed atomic.Uint64
	done      chan struct{} // closed when the listener ends
	sentAt    []atomic.Int64
	latency   *hist.Histogram // publish to confirm, from message latencyFrom on
	from      atomic.Uint64
}

// dialProducer opens a connection and prepares the messages.
func dialProducer(r *run, keys []string) (*producer, error) {
	o := r.opt
	conn, err := o.dial(32 << 10)
	if err != nil {
		return nil, err
	}
	p := &producer{run: r, conn: conn, confirms: amqp.NewConfirms(max(o.ConfirmWindow, 1))}
	r.track(conn)
	if err := conn.OpenChannel(channel); err != nil {
		return nil, err
	}
	if o.ConfirmWindow > 0 {
		if err := conn.SelectConfirms(channel); err != nil {
			return nil, err
		}
	}
	if p.msgs, err = encode(o, r.topo.exchange, keys, conn.FrameMax); err != nil {
		return nil, err
	}
	// A producer with a confirm window reads its confirms itself, between its
	// writes. All others have a listener.
	if o.ConfirmWindow == 0 || o.Rate > 0 {
		p.listening = true
		p.done = make(chan struct{})
		if o.ConfirmWindow > 0 {
			p.measureConfirms(o.ConfirmWindow)
		}
		go p.listen()
	}
	return p, nil
}

// measureConfirms notes the time of each publish until it is confirmed.
func (p *producer) measureConfirms(window int) {
	n := 1
	for n <= window {
		n <<= 1
	}
	p.sentAt = make([]atomic.Int64, n)
	p.latency = new(hist.Histogram)
	p.confirms.OnConfirm = func(tag uint64) {
		if tag > p.from.Load() {
			p.latency.Record(now() - p.sentAt[tag&uint64(n-1)].Load())
		}
	}
}

// listen reads confirms, and notices when the broker closes the connection.
func (p *producer) listen() {
	defer close(p.done)
	for {
		err := p.readConfirms()
		if errors.Is(err, amqp.ErrChannelClosed) {
			return
		}
		if err != nil {
			p.run.fail("producer", err)
			return
		}
	}
}

// readConfirms waits for bytes from the broker and takes in what they confirm.
func (p *producer) readConfirms() error {
	if err := p.conn.Fill(); err != nil {
		return err
	}
	before := p.confirms.Count
	n, err := p.confirms.Feed(p.conn.Buffered())
	p.conn.Discard(n)
	if d := p.confirms.Count - before; d > 0 {
		p.confirmed.Add(d)
		p.run.confirmed.Add(int64(d))
	}
	return err
}

// outstanding is how many messages wait for their confirm.
func (p *producer) outstanding() int { return int(p.sent - p.confirmed.Load()) }

// publish is one phase of publishing: until the run says stop, or until quota
// messages (if positive) have been written; then it waits for the confirms.
func (p *producer) publish(quota int) error {
	if quota <= 0 {
		quota = 1 << 62
	}
	p.from.Store(p.sent)
	var err error
	if p.run.opt.Rate > 0 {
		err = p.paced(quota)
	} else {
		err = p.flood(quota)
	}
	if err != nil || p.run.opt.ConfirmWindow == 0 {
		return err
	}
	for p.outstanding() > 0 && !p.run.failed.Load() {
		if p.listening {
			time.Sleep(100 * time.Microsecond)
		} else if err := p.readConfirms(); err != nil {
			return err
		}
	}
	return nil
}

// flood writes as fast as the broker takes messages. With confirms it fills
// the window, waits for some confirms, fills it again, and so on; it never
// holds messages back to write more of them at once, since a peer that uses
// Nagle's algorithm would then have to wait for delayed TCP acknowledgements.
func (p *producer) flood(quota int) error {
	r, window := p.run, p.run.opt.ConfirmWindow
	for quota > 0 && !r.stop.Load() {
		if r.inFlight() >= r.backlog {
			time.Sleep(200 * time.Microsecond)
			continue
		}
		room := quota
		if window > 0 {
			room = min(room, window-p.outstanding())
		}
		if room == 0 {
			if err := p.readConfirms(); err != nil {
				return err
			}
			continue
		}
		b, n := p.msgs.take(room)
		p.sent += uint64(n)
		p.confirms.Sent = p.sent
		if err := p.conn.Write(b); err != nil {
			return err
		}
		r.published.Add(int64(n))
		quota -= n
	}
	return nil
}

// paced writes at this producer's share of the rate, in one write for each
// tick. A message's time stamp is the moment of its write; but a producer
// that has fallen behind, because the broker did not take the messages, stamps
// the moment when it should have written, so that the delay counts.
func (p *producer) paced(quota int) error {
	r, o := p.run, p.run.opt
	perSecond := float64(o.Rate) / float64(o.Producers)
	tick := max(o.Tick, time.Duration(float64(time.Second)/perSecond))
	sleep := time.Sleep
	if tick < 5*time.Millisecond {
		// The runtime's timers are too coarse for short ticks.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		sleep = preciseSleep()
	}
	begin, sent := time.Now(), 0
	for i := 1; sent < quota && !r.stop.Load(); i++ {
		due := begin.Add(time.Duration(i) * tick)
		stamp := int64(due.Sub(epoch))
		if d := time.Until(due); d > 0 {
			sleep(d)
			stamp = now()
		}
		todo := int(perSecond*(time.Duration(i)*tick).Seconds()) - sent
		todo = min(todo, quota-sent)
		for todo > 0 {
			room := todo
			if o.ConfirmWindow > 0 {
				room = min(room, o.ConfirmWindow-p.outstanding())
			}
			if room <= 0 || r.inFlight() >= r.backlog {
				if r.stop.Load() {
					return nil
				}
				sleep(50 * time.Microsecond)
				continue
			}
			b, n := p.msgs.take(room)
			if o.stamped() {
				for at := p.msgs.bodyAt; at < len(b); at += p.msgs.each {
					binary.BigEndian.PutUint64(b[at:], uint64(stamp))
				}
			}
			for k := range n {
				if p.sentAt != nil {
					p.sentAt[(p.sent+uint64(k)+1)&uint64(len(p.sentAt)-1)].Store(stamp)
				}
			}
			p.sent += uint64(n)
			if err := p.conn.Write(b); err != nil {
				return err
			}
			r.published.Add(int64(n))
			sent += n
			todo -= n
		}
	}
	return nil
}

// preciseSleep returns a sleep function for this thread that is exact to a
// few microseconds.
func preciseSleep() func(time.Duration) {
	const setTimerSlack = 29 // PR_SET_TIMERSLACK
	syscall.RawSyscall(syscall.SYS_PRCTL, setTimerSlack, 1, 0)
	return func(d time.Duration) {
		ts := syscall.NsecToTimespec(int64(d))
		_ = syscall.Nanosleep(&ts, nil) // woken early by a signal: no harm
	}
}

// close ends the connection, in good order if the run went well.
func (p *producer) close() error {
	if p.run.failed.Load() {
		p.conn.Abort()
		return nil
	}
	if p.listening {
		if err := closeWhileRead(p.conn, nil, p.done); err != nil {
			return err
		}
	}
	return p.conn.Close()
}

// closeWhileRead closes the channel of a connection that another goroutine
// reads, after writing last, and waits for that goroutine to see the answer.
func closeWhileRead(conn *amqp.Conn, last []byte, done <-chan struct{}) error {
	w := amqp.Writer{Buf: last}
	w.Begin(channel, amqp.ChannelClose).U16(200).Short("bye").U32(0).End()
	if err := conn.Write(w.Buf); err != nil {
		return err
	}
	select {
	case <-done:
		return nil
	case <-time.After(30 * time.Second):
		conn.Interrupt()
		return errors.New("the broker did not answer channel.close")
	}
}
