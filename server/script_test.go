package server

import (
	"encoding/binary"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/warren-mq/warren/amqp"
)

// scriptedSocket is a client that sends what was written down before and takes everything without looking at it.
type scriptedSocket struct {
	opening []byte        // handshake and declarations
	next    func() []byte // the batch after that; nil ends the connection
	rest    []byte
	written atomic.Int64
	closed  atomic.Bool
}

func (s *scriptedSocket) Read(p []byte) (int, error) {
	if s.closed.Load() {
		return 0, net.ErrClosed
	}
	if len(s.opening) > 0 {
		n := copy(p, s.opening)
		s.opening = s.opening[n:]
		return n, nil
	}
	if len(s.rest) == 0 {
		if s.rest = s.next(); s.rest == nil {
			return 0, io.EOF
		}
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (s *scriptedSocket) Write(p []byte) (int, error) {
	s.written.Add(int64(len(p)))
	return len(p), nil
}

func (s *scriptedSocket) Close() error { s.closed.Store(true); return nil }
func (s *scriptedSocket) LocalAddr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 5672}
}
func (s *scriptedSocket) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 40000}
}
func (s *scriptedSocket) SetDeadline(time.Time) error      { return nil }
func (s *scriptedSocket) SetReadDeadline(time.Time) error  { return nil }
func (s *scriptedSocket) SetWriteDeadline(time.Time) error { return nil }

// opening is a client's side of the handshake, then a channel, a queue and a consumer on it.
func opening(noAck bool) []byte {
	b := channelOpening()
	b = amqp.AppendMethod(b, 1, &amqp.QueueDeclare{Queue: "q"})
	return amqp.AppendMethod(b, 1, &amqp.BasicConsume{Queue: "q", ConsumerTag: "c", NoAck: noAck})
}

// durableOpening is the same with a durable queue, confirms and acknowledgements.
func durableOpening() []byte {
	b := channelOpening()
	b = amqp.AppendMethod(b, 1, &amqp.QueueDeclare{Queue: "q", Durable: true})
	b = amqp.AppendMethod(b, 1, &amqp.ConfirmSelect{})
	return amqp.AppendMethod(b, 1, &amqp.BasicConsume{Queue: "q", ConsumerTag: "c"})
}

func channelOpening() []byte {
	b := []byte("AMQP\x00\x00\x09\x01")
	b = amqp.AppendMethod(b, 0, &amqp.ConnectionStartOk{Mechanism: "PLAIN", Response: []byte("\x00guest\x00guest"), Locale: "en_US"})
	b = amqp.AppendMethod(b, 0, &amqp.ConnectionTuneOk{ChannelMax: 10, FrameMax: 131072})
	b = amqp.AppendMethod(b, 0, &amqp.ConnectionOpen{VirtualHost: "/"})
	return amqp.AppendMethod(b, 1, &amqp.ChannelOpen{})
}

// publishes are n messages of size bytes each, for the queue of opening.
func publishes(n, size int) []byte { return publishesWith([]byte{0, 0}, n, size) }

// publishesWith gives them properties, as on the wire.
func publishesWith(properties []byte, n, size int) []byte {
	var b []byte
	for range n {
		b = amqp.AppendMethod(b, 1, &amqp.BasicPublish{RoutingKey: []byte("q")})
		b = amqp.AppendContentHeader(b, 1, classBasic, uint64(size), properties)
		b = amqp.AppendBody(b, 1, make([]byte, size), 131072)
	}
	return b
}

// ackUpTo appends an acknowledgement of everything up to a tag.
func ackUpTo(b []byte, tag uint64) []byte {
	return amqp.AppendMethod(b, 1, &amqp.BasicAck{DeliveryTag: tag, Multiple: true})
}

// patchTag changes the tag of the ack that b begins with.
func patchTag(b []byte, tag uint64) {
	binary.BigEndian.PutUint64(b[amqp.FrameHeaderSize+4:], tag) // behind class and method
}
