package server

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/auth"
	"github.com/warren-mq/warren/broker"
	"github.com/warren-mq/warren/storage"
)

// conn is one client's connection. Fields without a remark belong to the reader, the goroutine that runs serve.
type conn struct {
	srv    *Server
	socket net.Conn
	name   string // "peer:port -> local:port"
	log    zerolog.Logger
	frames *amqp.Reader
	out    *outbox

	mechanism        string
	user             *auth.User
	vhost            string
	clientProperties amqp.Table
	capabilities     capabilities
	channelMax       uint16
	frameMax         uint32 // bytes; 0 without a limit
	heartbeat        time.Duration
	connectedAt      time.Time

	session  *broker.Session
	pub      *broker.Publisher // nil until the client publishes
	fx       broker.Effects
	brake    brake
	lastUsed *channel   // the channel of the last frame, mostly that of the next
	pubs     []*channel // those with publishes in the batch
	partial  []*channel // those whose content has begun
	bodies   [][]byte   // bodies that were put together for the batch, given back when it is settled

	// inside says that the reader is between Enter and Leave of the broker, working on commit.
	inside bool
	commit storage.Commit
	// held are answers that wait for a commit, since what they confirm must be durable first, and those behind them.
	held       []byte
	heldFrames uint64
	heldCommit storage.Commit
	mayOverrun bool // published something durable in this batch: look whether the disk keeps up

	// What clients said of deliveries in the batch, by queue and in the order in which the queues came up.
	settlements      map[*broker.Queue]*settlement
	settling         []*settlement
	spareSettlements []*settlement
	origins          []origin   // of the messages in the batch that want a confirm
	sharing          []*channel // whose limit for all consumers has room; scratch space of settleAcks
	givenBack        bool       // something is to be requeued or rejected: it must come before the next publish

	unfinished  atomic.Int64 // bytes of messages that have come in part, changed by the reader
	uncommitted atomic.Int64 // bytes of messages that transactions hold, changed by the reader

	state          atomic.Int32
	listening      atomic.Bool // the reader waits for the client to send something
	received       receivedCounter
	framesReceived atomic.Uint64
	batchFrames    uint64 // not yet added to framesReceived

	// force is why somebody else wants the connection to end: asked for once, then found by the reader.
	force     atomic.Pointer[amqp.Error]
	forced    chan struct{} // closed when force is set
	forceOnce sync.Once
	nudges    chan struct{} // holds one while the reader shall look at its channels
	cut       chan struct{} // closed with the socket
	cutOnce   sync.Once

	resumed broker.Effects // of resumeParked; belongs to whoever writes

	mu       sync.Mutex          // guards what the management API reads beside the reader
	channels map[uint16]*channel // changed by the reader under mu
	beats    *time.Timer         // sends heartbeats and looks for the client's; nil once stopped
}

// capabilities are what a client says that it can take (protocol.md §3.2).
type capabilities struct {
	authenticationFailureClose, consumerCancelNotify, connectionBlocked bool
}

// States of a connection, and RabbitMQ's words for them.
const (
	stateStarting = iota
	stateTuning
	stateOpening
	stateRunning
	stateBlocked
	stateClosing
)

var stateNames = [...]string{"starting", "tuning", "opening", "running", "blocked", "closing"}

func newConn(s *Server, n net.Conn) *conn {
	c := &conn{
		srv:         s,
		socket:      n,
		channels:    make(map[uint16]*channel),
		connectedAt: s.broker.Now(),
		forced:      make(chan struct{}),
		cut:         make(chan struct{}),
		nudges:      make(chan struct{}, 1),
	}
	c.log = s.log
	c.frames = amqp.NewReader(c.received.reader(n), minFrameMax)
	c.out = newOutbox(n)
	c.out.writeNow = writeNow(n)
	c.out.resume = c.resumeParked
	c.out.failed = c.writeFailed
	return c
}

// errClosed ends a connection that the client has closed in good order.
var errClosed = errors.New("connection is closed")

// identify finds out who is at the other end. Behind a proxy it waits for the first bytes.
func (c *conn) identify() {
	c.name = fmt.Sprintf("%s -> %s", c.socket.RemoteAddr(), c.socket.LocalAddr())
	c.log = c.srv.log.With().Str("connection", c.name).Logger()
}

// serve runs the connection from the handshake to its end.
func (c *conn) serve() {
	defer c.end()
	if err := c.handshake(); err != nil {
		c.handshakeFailed(err)
		return
	}
	c.startHeartbeats()
	err := c.read()
	c.stopHeartbeats()
	c.finish(err)
}

// read handles frames until the connection ends. Its error says how.
func (c *conn) read() error {
	for {
		for {
			f, ok, err := c.frames.Next()
			if err != nil {
				return &malformed{err}
			}
			if !ok {
				break
			}
			c.batchFrames++
			if err := c.handle(f); err != nil {
				return err
			}
		}
		if err := c.batchDone(); err != nil {
			return err
		}
		if err := c.fill(); err != nil {
			return err
		}
	}
}

// fill waits for more from the client.
func (c *conn) fill() error {
	for {
		c.answerNudge()
		nudged := c.out.waitRoomOrNudge()
		if e := c.force.Load(); e != nil {
			return e
		}
		if nudged {
			continue
		}
		c.listening.Store(true)
		err := c.frames.Fill()
		c.listening.Store(false)
		if err == nil {
			return nil
		}
		if e := c.force.Load(); e != nil {
			return e
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		c.nudged() // nobody else sets a deadline while the connection runs
	}
}

// malformed is a frame that cannot be understood; nothing more is read from such a client.
type malformed struct{ error }

func (m *malformed) Unwrap() error { return m.error }

// handle deals with one frame.
func (c *conn) handle(f amqp.Frame) error {
	if err := f.Check(); err != nil {
		return err
	}
	if f.Channel == 0 {
		return c.handleConnectionFrame(f)
	}
	ch := c.lastUsed
	if ch == nil || ch.number != f.Channel {
		if ch = c.channels[f.Channel]; ch == nil {
			return c.handleUnopened(f)
		}
		c.lastUsed = ch
	}
	err := ch.handle(f)
	if err == nil {
		return nil
	}
	return c.channelFailed(ch, err)
}

// now is the time as the queues want it.
func (c *conn) now() int64 { return c.srv.broker.Now().UnixMilli() }

// resumeParked is called by whoever writes once it has taken what was in the outbox.
func (c *conn) resumeParked(parked []*consumer) {
	fx := &c.resumed
	now := c.now()
	c.srv.broker.Enter()
	for _, k := range parked {
		c.out.mu.Lock()
		k.parked = false
		c.out.mu.Unlock()
		k.queue.Resume(now, k.subscription, fx)
	}
	c.srv.broker.Leave()
	fx.Run()
}

// writeFailed is called by the writer when the client does not take any more.
func (c *conn) writeFailed(error) { c.reset() }
