package broker

import (
	"bytes"
	"slices"
	"sync"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/exchange"
	"github.com/warren-mq/warren/queue"
)

// history is what an exchange of type x-recent-history has kept, in memory only: a restart empties it (RabbitMQ 3.10.8
// keeps it in a table of that kind).
type history struct {
	mu       sync.Mutex
	messages []queue.Message // guarded by mu; they own their bytes
	oldest   int             // guarded by mu; index in messages, which is a ring once it is full
}

// keep adds a message that is routed through x to its history.
func (vh *VHost) keep(x *exchange.Exchange, m *queue.Message) {
	v, ok := vh.histories.Load(x)
	if !ok {
		v, _ = vh.histories.LoadOrStore(x, new(history))
		if current, ok := vh.Exchange(x.Name()); !ok || current != x {
			vh.histories.Delete(x) // it was deleted meanwhile, perhaps before there was anything to delete
		}
	}
	h, own := v.(*history), ownMessage(m)
	h.mu.Lock()
	defer h.mu.Unlock()
	if int64(len(h.messages)) < x.HistoryLength() {
		h.messages = append(h.messages, own)
		return
	}
	h.messages[h.oldest] = own
	h.oldest = (h.oldest + 1) % len(h.messages)
}

// kept returns the history of x, oldest first.
func (vh *VHost) kept(x *exchange.Exchange) []queue.Message {
	v, ok := vh.histories.Load(x)
	if !ok {
		return nil
	}
	h := v.(*history)
	h.mu.Lock()
	defer h.mu.Unlock()
	return append(slices.Clone(h.messages[h.oldest:]), h.messages[:h.oldest]...)
}

// ownMessage copies a message with all that it points to.
func ownMessage(m *queue.Message) queue.Message {
	own := *m
	own.Exchange, own.RoutingKey = bytes.Clone(m.Exchange), bytes.Clone(m.RoutingKey)
	own.Properties, own.Body = bytes.Clone(m.Properties), bytes.Clone(m.Body)
	own.Hidden = bytes.Clone(m.Hidden)
	return own
}

// replay is what a new binding of an exchange of type x-recent-history is given.
type replay struct {
	messages []queue.Message
	targets  [][]exchange.Queue // of each message
}

// replayTo finds out which queues get what x has kept when it is bound to a destination. An exchange is given the newest
// first; one that leads nowhere is an internal error (541; both RabbitMQ 3.10.8).
func (vh *VHost) replayTo(x *exchange.Exchange, to exchange.Destination) (r replay, err error) {
	if x.HistoryLength() == 0 {
		return r, nil
	}
	r.messages = vh.kept(x)
	if to.Queue != nil {
		r.targets = slices.Repeat([][]exchange.Queue{{to.Queue}}, len(r.messages))
		return r, nil
	}
	slices.Reverse(r.messages)
	router := exchange.Router{Lookup: vh.lookupExchange}
	for i := range r.messages {
		m := &r.messages[i]
		var props amqp.Properties
		if err := props.Decode(m.Properties); err != nil {
			return replay{}, err
		}
		found := router.Route(to.Exchange, &exchange.Message{
			RoutingKey: m.RoutingKey, ExtraKeys: selectedKeys(&props, m), Properties: &props,
		}, nil)
		if len(found) == 0 {
			return replay{}, amqp.Errorf(amqp.InternalError, "")
		}
		r.targets = append(r.targets, found)
	}
	return r, nil
}

// run publishes the replay, between Enter and Leave and without the vhost's lock.
func (r *replay) run(now int64) {
	if len(r.messages) == 0 {
		return
	}
	var fx Effects
	for i, targets := range r.targets {
		for _, to := range targets {
			to.(*Queue).Publish(now, r.messages[i:i+1], only, &fx)
			fx.Refused = fx.Refused[:0] // there is no publisher who could be told
		}
	}
	fx.Run()
}

// selectedKeys returns the keys of the headers CC and BCC.
func selectedKeys(props *amqp.Properties, m *queue.Message) (keys [][]byte) {
	if cc, ok := props.Headers.Get("CC"); ok {
		for key := range cc.Array() {
			if k, ok := key.String(); ok {
				keys = append(keys, k)
			}
		}
	}
	for rest := m.Hidden; len(rest) > 0; rest = rest[1+rest[0]:] {
		keys = append(keys, rest[1:1+rest[0]])
	}
	return keys
}
