package broker

import (
	"maps"
	"slices"

	"github.com/warren-mq/warren/dedup"
	"github.com/warren-mq/warren/exchange"
	"github.com/warren-mq/warren/queue"
	"github.com/warren-mq/warren/storage"
)

// addQueue makes a queue and gives it its place. Its messages are in the logs found, by priority, and in discards, if
// that is not nil; others are made when they are needed. vh.mu is held, or nobody knows the vhost yet. It is called
// between Enter and Leave.
func (vh *VHost) addQueue(c queue.Config, found map[uint8]*storage.Log, discards *storage.Log) *Queue {
	q := &Queue{vhost: vh, found: &foundLogs{found, discards, c.Name, c.Durable}}
	c.Durability = queue.ParseDurability(vh.broker.cfg.Durability)
	others := slices.Sorted(maps.Keys(found))
	if len(others) > 0 && others[0] == 0 {
		others = others[1:]
	}
	c.HasDiscards, c.Discards = discards != nil, q.openDiscards
	q.Queue = queue.New(c, q.openLog, others...)
	q.found = nil // it has taken them
	q.SetTraced(vh.Tracing())
	if o, ok := dedup.Parse(c.Arguments); ok {
		q.dedup = vh.deduplicate(kindQueue, c.Name, o, c.Durable, found != nil)
	}
	vh.queues.add(c.Name, q)
	vh.fallback.Bind(exchange.Destination{Queue: q}, c.Name, nil)
	return q
}

// foundLogs are what a queue is made of: the logs that it had before the start, and what it will be called.
type foundLogs struct {
	byPriority map[uint8]*storage.Log
	discards   *storage.Log
	name       string
	durable    bool
}

// openLog is called by the queue for each priority once: while it is made for those found, and later under its lock.
func (q *Queue) openLog(priority uint8) queue.Log {
	if q.found != nil && q.found.byPriority[priority] != nil {
		return q.watched(q.found.byPriority[priority])
	}
	name, durable := q.identity()
	return q.watched(q.vhost.broker.createLog(logTag(q.vhost.name, name, priority), durable))
}

// openDiscards is called once, as openLog is.
func (q *Queue) openDiscards() queue.Log {
	if q.found != nil && q.found.discards != nil {
		return q.watched(q.found.discards)
	}
	name, durable := q.identity()
	return q.watched(q.vhost.broker.createLog(discardsTag(q.vhost.name, name), durable))
}

// identity works while the queue is made, too.
func (q *Queue) identity() (name string, durable bool) {
	if q.found != nil {
		return q.found.name, q.found.durable
	}
	return q.Name(), q.Durable()
}

func (q *Queue) watched(log *storage.Log) queue.Log {
	log.OnReady(q.recordsReady)
	return log
}

// createLog makes a log, between Enter and Leave.
func (b *Broker) createLog(tag []byte, durable bool) *storage.Log {
	if b.cfg.Store == nil {
		return storage.NewLog(storage.Options{})
	}
	return b.cfg.Store.CreateLog(tag, durable)
}

// recordsReady is called by the store, outside of Enter and Leave, when messages that had to be waited for are there.
func (q *Queue) recordsReady() {
	b := q.vhost.broker
	now := b.nowMillis()
	var fx Effects
	q.reading.Lock()
	b.Enter()
	q.Queue.Ready(now, &fx.Effects)
	q.after(now, &fx)
	b.Leave()
	q.reading.Unlock()
	fx.Run()
}

// read returns when whoever deals with records that were read is through with it.
func (q *Queue) read() {
	q.reading.Lock()
	defer q.reading.Unlock()
}

// logTag names the log of one priority of a queue in the store.
func logTag(vhost, name string, priority uint8) []byte {
	tag := definitionKey(kindOfQueue, vhost, name)
	if priority > 0 {
		tag = append(tag, priority)
	}
	return tag
}

// discardsTag names the log of a queue's dead messages that nobody has taken yet. No priority takes two octets.
func discardsTag(vhost, name string) []byte {
	return append(definitionKey(kindOfQueue, vhost, name), 0, 'd')
}

// takeDiscards takes that log out of those that the store holds, by tag; nil if there is none.
func takeDiscards(logs map[string]*storage.Log, vhost string, c queue.Config) *storage.Log {
	tag := string(discardsTag(vhost, c.Name))
	log := logs[tag]
	delete(logs, tag)
	return log
}

// takeLogs takes the logs of a queue out of those that the store holds, by tag.
func takeLogs(logs map[string]*storage.Log, vhost string, c queue.Config) map[uint8]*storage.Log {
	last := 0
	if _, ok := c.Arguments.Get("x-max-priority"); ok {
		last = 255
	}
	found := make(map[uint8]*storage.Log)
	for p := range last + 1 {
		tag := string(logTag(vhost, c.Name, uint8(p)))
		if log := logs[tag]; log != nil {
			found[uint8(p)] = log
			delete(logs, tag)
		}
	}
	return found
}
