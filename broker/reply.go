package broker

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"sync"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/queue"
)

// ReplyTo is the queue that stands for direct replies: whoever consumes from it gets what is published to the name that
// replaces it in the property reply-to of that channel's requests (RabbitMQ's Direct Reply-to).
const ReplyTo = "amq.rabbitmq.reply-to"

// replyPrefix begins the names of all reply queues.
const replyPrefix = ReplyTo + "."

// ReplyQueue is the way to the reply consumer of one channel. It stores nothing: a reply is delivered or lost.
type ReplyQueue struct {
	name   string
	broker *Broker

	mu       sync.Mutex
	consumer queue.Consumer // guarded by mu; nil once closed
}

// OpenReplyQueue makes a way to c, whose deliveries need no acknowledgement.
func (b *Broker) OpenReplyQueue(c queue.Consumer) *ReplyQueue {
	var random [32]byte
	rand.Read(random[:]) // never fails: crypto/rand ends the process instead
	encode := base64.StdEncoding.EncodeToString
	r := &ReplyQueue{name: replyPrefix + encode(random[:16]) + "." + encode(random[16:]), broker: b, consumer: c}
	b.replies.Store(r.name, r)
	return r
}

// Name is what takes the place of ReplyTo in requests.
func (r *ReplyQueue) Name() string { return r.name }

// Close ends the way: replies are lost from now on. To close twice is harmless.
func (r *ReplyQueue) Close() {
	r.broker.replies.Delete(r.name)
	r.mu.Lock()
	r.consumer = nil
	r.mu.Unlock()
}

// deliver hands over a reply, if there is still somebody who waits for it.
func (r *ReplyQueue) deliver(m *queue.Message, fx *Effects) {
	r.mu.Lock()
	c := r.consumer
	r.mu.Unlock()
	if c == nil {
		return
	}
	c.Acquire()
	ok := c.Deliver(&queue.Delivery{Message: m})
	c.Release()
	if ok {
		fx.Wake = append(fx.Wake, c)
	}
}

// IsReplyTo says whether a queue's name belongs to direct replies.
func IsReplyTo(name string) bool { return len(name) >= len(ReplyTo) && name[:len(ReplyTo)] == ReplyTo }

// CheckReplyQueue is queue.declare, passive or not, of a name of direct replies: it exists while its consumer does.
// ReplyTo itself always exists.
func (s *Session) CheckReplyQueue(name string) (string, error) {
	name = cleanName(name)
	if name != ReplyTo {
		if _, ok := s.broker.replies.Load(name); !ok {
			return "", s.noQueue(name)
		}
	}
	return name, nil
}

// repliesTo collects the reply queues that a message reaches through the default exchange, by its keys.
func (b *Broker) repliesTo(key []byte, extra [][]byte) (found []*ReplyQueue) {
	for i := -1; i < len(extra); i++ {
		k := key
		if i >= 0 {
			k = extra[i]
		}
		if !bytes.HasPrefix(k, []byte(replyPrefix)) {
			continue
		}
		if r, ok := b.replies.Load(string(k)); ok {
			found = append(found, r.(*ReplyQueue))
		}
	}
	return found
}

// replyTo rewrites the property reply-to of a request.
func (p *Publisher) replyTo(msg *queue.Message) error {
	props := &p.props
	if !props.Has(amqp.FlagReplyTo) || string(props.ReplyTo) != ReplyTo {
		return nil
	}
	if p.reply == "" {
		return amqp.Errorf(amqp.PreconditionFailed, "fast reply consumer does not exist")
	}
	props.ReplyTo = []byte(p.reply)
	msg.Properties = props.Append(nil)
	return nil
}
