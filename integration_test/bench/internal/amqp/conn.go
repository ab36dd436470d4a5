package amqp

import (
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"time"
)

// Config says how to reach a broker.
type Config struct {
	Addr     string
	User     string
	Password string
	Vhost    string
	// Timeout bounds the dial and every request that waits for an answer.
	Timeout time.Duration
	// ReadBuffer is the first size of the read buffer, which grows when needed.
	ReadBuffer int
}

// maxFrame is the largest frame that the client side accepts; brokers
// commonly offer the same.
const maxFrame = 128 << 10

// Conn is one AMQP connection. Its methods must not be called concurrently,
// except that one goroutine may write while another one reads, and that
// Interrupt may be called at any time.
type Conn struct {
	// FrameMax is the negotiated largest frame.
	FrameMax int
	// Product names the broker, as told in its connection.start.
	Product string

	*Input  // what the broker has sent
	sock    net.Conn
	out     Writer
	timeout time.Duration
}

// Dial connects and performs the handshake. Heartbeats are turned off.
func Dial(cfg Config) (*Conn, error) {
	sock, err := net.DialTimeout("tcp", cfg.Addr, cfg.Timeout)
	if err != nil {
		return nil, err
	}
	c := &Conn{sock: sock, timeout: cfg.Timeout, Input: NewInput(sock, cfg.ReadBuffer)}
	if err := c.handshake(cfg); err != nil {
		c.sock.Close()
		return nil, fmt.Errorf("handshake with %s: %w", cfg.Addr, err)
	}
	return c, nil
}

func (c *Conn) handshake(cfg Config) error {
	c.arm()
	defer c.disarm()
	if _, err := c.sock.Write([]byte(ProtocolHeader)); err != nil {
		return err
	}
	args, err := c.await(0, ConnectionStart)
	if err != nil {
		return err
	}
	c.Product = productOf(args)

	c.out.Buf = c.out.Buf[:0]
	c.out.Begin(0, ConnectionStartOk).
		Table(Table{"product": "amqpbench", "capabilities": Table{"basic.nack": true, "publisher_confirms": true}}).
		Short("PLAIN").Long("\x00" + cfg.User + "\x00" + cfg.Password).Short("en_US").End()
	if err := c.flush(); err != nil {
		return err
	}
	if args, err = c.await(0, ConnectionTune); err != nil {
		return err
	}
	r := Reader{P: args}
	channelMax, frameMax := r.U16(), int(r.U32())
	if frameMax == 0 || frameMax > maxFrame {
		frameMax = maxFrame
	}
	c.FrameMax = frameMax

	c.out.Begin(0, ConnectionTuneOk).U16(channelMax).U32(uint32(frameMax)).U16(0).End()
	c.out.Begin(0, ConnectionOpen).Short(cfg.Vhost).Short("").U8(0).End()
	if err := c.flush(); err != nil {
		return err
	}
	_, err = c.await(0, ConnectionOpenOk)
	return err
}

// productOf finds the "product" string among the server properties, without
// a full table decoder: it is only for display.
func productOf(startArgs []byte) string {
	s := string(startArgs)
	i := strings.Index(s, "\aproductS")
	if i < 0 || len(s) < i+13 {
		return ""
	}
	n := int(binary.BigEndian.Uint32([]byte(s[i+9:])))
	if rest := s[i+13:]; n <= len(rest) {
		return rest[:n]
	}
	return ""
}

func (c *Conn) arm()    { c.sock.SetDeadline(time.Now().Add(c.timeout)) }
func (c *Conn) disarm() { c.sock.SetDeadline(time.Time{}) }

// flush writes what has been built in c.out.
func (c *Conn) flush() error {
	_, err := c.sock.Write(c.out.Buf)
	c.out.Buf = c.out.Buf[:0]
	return err
}

// Call sends one method and, unless reply is zero, waits for the answer on
// the same channel. The returned arguments are valid until the next read.
func (c *Conn) Call(channel uint16, m Method, build func(*Writer), reply Method) ([]byte, error) {
	c.arm()
	defer c.disarm()
	c.out.Buf = c.out.Buf[:0]
	c.out.Begin(channel, m)
	if build != nil {
		build(&c.out)
	}
	c.out.End()
	if err := c.flush(); err != nil {
		return nil, err
	}
	if reply == 0 {
		return nil, nil
	}
	args, err := c.await(channel, reply)
	if err != nil {
		return nil, fmt.Errorf("method %v: %w", m, err)
	}
	return args, nil
}

// await reads frames until the wanted method; anything else but heartbeats is
// an error.
func (c *Conn) await(channel uint16, want Method) ([]byte, error) {
	for {
		p, err := c.readFrame()
		if err != nil {
			return nil, err
		}
		if p[0] == FrameHeartbeat {
			continue
		}
		size := len(p) - FrameOverhead
		if p[0] != FrameMethod || size < 4 {
			return nil, fmt.Errorf("%w: frame of type %d while waiting for method %v", ErrMalformed, p[0], want)
		}
		m, args := Method(binary.BigEndian.Uint32(p[FramePrefix:])), p[FramePrefix+4:FramePrefix+size]
		if m == want && binary.BigEndian.Uint16(p[1:]) == channel {
			return args, nil
		}
		return nil, unexpected(m, args)
	}
}

// readFrame returns the next whole frame, envelope included.
func (c *Conn) readFrame() ([]byte, error) {
	for {
		if p := c.Buffered(); len(p) >= FramePrefix {
			size, whole, err := frameAt(p)
			if err != nil {
				return nil, err
			}
			if whole {
				c.Discard(size + FrameOverhead)
				return p[:size+FrameOverhead], nil
			}
		}
		if err := c.Fill(); err != nil {
			return nil, err
		}
	}
}

// Write sends p as it is.
func (c *Conn) Write(p []byte) error {
	_, err := c.sock.Write(p)
	return err
}

// Interrupt makes pending and future reads and writes fail. It is how a run
// that takes too long is ended.
func (c *Conn) Interrupt() { c.sock.SetDeadline(time.Unix(1, 0)) }

// Close says goodbye to the broker and closes the socket. Whatever else the
// broker still sends is dropped.
func (c *Conn) Close() error {
	defer c.sock.Close()
	_, err := c.Call(0, ConnectionClose, func(w *Writer) { w.U16(200).Short("bye").U32(0) }, 0)
	if err != nil {
		return err
	}
	c.arm()
	for {
		p, err := c.readFrame()
		if err != nil {
			return fmt.Errorf("closing the connection: %w", err)
		}
		if p[0] == FrameMethod && len(p) >= FrameOverhead+4 &&
			Method(binary.BigEndian.Uint32(p[FramePrefix:])) == ConnectionCloseOk {
			return nil
		}
	}
}

// Abort closes the socket without a word.
func (c *Conn) Abort() { c.sock.Close() }
