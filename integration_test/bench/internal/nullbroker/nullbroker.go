// Package nullbroker serves AMQP 0-9-1 with as little work as one can get
// away with: it forwards the frames of a message from the publisher's read
// buffer to the consumer's socket, behind a basic.deliver, and confirms once
// for each chunk that it reads. There are no queues, no storage, no limits and
// no checks. What it reaches with the generator on a machine is the most that
// any broker could reach there, give or take.
//
// A "queue" is a list of consumers. Without consumers it only counts the
// messages and remembers the last one, which it then delivers as often as it
// has counted, so that the scenarios that fill and drain queues work too.
//
// With a journal it appends what it receives with confirms to a plain file and
// confirms when that is synced: the most that any broker could reach there
// which keeps what it confirms.
package nullbroker

import (
	"encoding/binary"
	"fmt"
	"log"
	"net"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/warren-mq/warren/integration_test/bench/internal/amqp"
)

const (
	frameMax   = 128 << 10
	flushBytes = 64 << 10 // write to a consumer when so much has been gathered
)

// Serve listens on addr and serves for ever, with a journal in a file of that
// name unless it is empty.
func Serve(addr, journal string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	b := New()
	if journal != "" {
		if b.journal, err = openJournal(journal); err != nil {
			return err
		}
		go b.journal.run()
	}
	return b.Serve(l)
}

// Broker is the shared state.
type Broker struct {
	journal *journal // nil: confirms promise nothing

	mu        sync.Mutex
	queues    map[string]*queue
	exchanges map[string]*exchange
	names     int // server-named queues so far
}

// New makes an empty broker.
func New() *Broker {
	return &Broker{queues: map[string]*queue{}, exchanges: map[string]*exchange{}}
}

// Serve accepts connections until the listener is closed.
func (b *Broker) Serve(l net.Listener) error {
	for {
		s, err := l.Accept()
		if err != nil {
			return err
		}
		c := &conn{
			broker: b, sock: s, in: amqp.NewInput(s, 4<<10),
			confirming: map[uint16]bool{}, published: map[uint16]uint64{}, confirmed: map[uint16]uint64{},
			routes: map[string]*route{}, outs: map[*sink]*out{},
		}
		go func() {
			if err := c.serve(); err != nil && !strings.Contains(err.Error(), "closed the socket") {
				log.Printf("null broker: %v: %v", s.RemoteAddr(), err)
			}
			c.detach(nil)
			s.Close()
		}()
	}
}

type exchange struct {
	fanout bool
	bound  []*queue
}

type queue struct {
	name  string
	sinks atomic.Pointer[[]*sink] // consumers; the slice is replaced, never changed

	mu     sync.Mutex
	held   uint64 // messages published while there was no consumer
	sample []byte // header and body frames of the last of them
}

func (q *queue) consumers() []*sink {
	if p := q.sinks.Load(); p != nil {
		return *p
	}
	return nil
}

// sink is a consumer.
type sink struct {
	conn    *conn
	channel uint16
	prefix  []byte // method id and consumer tag, the start of each basic.deliver
	queue   *queue
	tag     uint64 // last delivery tag; guarded by conn.write
}

// conn is one client connection.
type conn struct {
	broker *Broker
	sock   net.Conn
	in     *amqp.Input
	write  sync.Mutex // one writer at a time

	closing    bool
	confirming map[uint16]bool
	sinks      []*sink

	// Publishing. A message in progress has been routed to cur.
	routes    map[string]*route // by the arguments of basic.publish
	cur       *route
	left      uint64 // body bytes still to come
	inMessage bool
	published map[uint16]uint64 // messages begun on confirming channels
	confirmed map[uint16]uint64 // of these, messages confirmed
	unacked   uint16            // a channel with messages to confirm, or 0
	outs      map[*sink]*out
	dirty     []*out
}

func (c *conn) serve() error {
	hello := make([]byte, 0, len(amqp.ProtocolHeader))
	for len(hello) < cap(hello) {
		if err := c.in.Fill(); err != nil {
			return err
		}
		n := min(len(c.in.Buffered()), cap(hello)-len(hello))
		hello = append(hello, c.in.Buffered()[:n]...)
		c.in.Discard(n)
	}
	if string(hello) != amqp.ProtocolHeader {
		_, err := c.sock.Write([]byte(amqp.ProtocolHeader))
		return err
	}
	err := c.reply(0, amqp.ConnectionStart, func(w *amqp.Writer) {
		w.U8(0).U8(9).Table(amqp.Table{"product": "null"}).Long("PLAIN").Long("en_US")
	})
	for err == nil && !c.closing {
		var n int
		p := c.in.Buffered()
		n, err = c.feed(p)
		c.flush()
		c.confirm(p[:n])
		c.in.Discard(n)
		if err == nil && !c.closing {
			err = c.in.Fill()
		}
	}
	return err
}

// feed handles the whole frames in p and returns how many bytes they are.
func (c *conn) feed(p []byte) (int, error) {
	i := 0
	for len(p)-i >= amqp.FramePrefix {
		q := p[i:]
		size := int(binary.BigEndian.Uint32(q[3:]))
		if len(q) < size+amqp.FrameOverhead {
			break
		}
		frame := q[:size+amqp.FrameOverhead]
		if frame[len(frame)-1] != amqp.FrameEnd {
			return i, fmt.Errorf("bad end octet")
		}
		ch := binary.BigEndian.Uint16(q[1:])
		switch q[0] {
		case amqp.FrameMethod:
			m, args := amqp.Method(binary.BigEndian.Uint32(q[7:])), frame[11:len(frame)-1]
			switch m {
			case amqp.BasicPublish:
				c.begin(ch, args)
			case amqp.BasicAck:
			default:
				if err := c.method(ch, m, args); err != nil {
					return i, err
				}
			}
		case amqp.FrameHeader:
			c.left = binary.BigEndian.Uint64(q[11:])
			c.forward(frame)
		case amqp.FrameBody:
			c.left -= uint64(size)
			c.forward(frame)
		}
		i += len(frame)
	}
	return i, nil
}
