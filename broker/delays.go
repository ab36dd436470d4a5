package broker

import (
	"time"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/exchange"
	"github.com/warren-mq/warren/queue"
	"github.com/warren-mq/warren/schedule"
	"github.com/warren-mq/warren/storage"
)

// delays are the messages that an exchange holds back until they are due: a schedule, its place in the broker's time and
// the way from there to the queues.
//
// Those of a durable exchange are durable, whatever their delivery mode, as with RabbitMQ's plugin. Those of another one
// go with it.
type delays struct {
	vhost       *VHost
	exchange    *exchange.Exchange
	appointment appointment
	durability  queue.Durability // what a confirm means

	mu       queue.DelaysLock
	schedule *schedule.Schedule // guarded by mu
	closed   bool               // the exchange was deleted; guarded by mu
	props    []byte             // scratch; guarded by mu
	arrival  chan struct{}      // closed when records have come from the disk; nil if nobody waits; guarded by mu

	// Belong to whoever ticks.
	batch schedule.Batch
	due   *duePublisher
}

// delay gives an exchange that holds messages back the means to do so. vh.mu is held, or nobody knows the vhost yet.
func (vh *VHost) delay(x *exchange.Exchange) *delays {
	if !x.Delays() {
		return nil
	}
	d := &delays{vhost: vh, exchange: x, due: newDuePublisher(vh, x)}
	if x.Durable() && vh.broker.cfg.Store != nil {
		if d.durability = queue.ParseDurability(vh.broker.cfg.Durability); d.durability == queue.NotDurable {
			d.durability = queue.Synced
		}
	}
	d.schedule = schedule.New(vh.broker.starts<<startShift, d.newLog)
	vh.delays.Store(x, d)
	return d
}

// delaysOf finds what an exchange holds back; nil if it was deleted.
func (vh *VHost) delaysOf(x *exchange.Exchange) *delays {
	d, _ := vh.delays.Load(x)
	found, _ := d.(*delays)
	return found
}

// undelay drops what a deleted exchange holds back. vh.mu is held, between Enter and Leave.
func (vh *VHost) undelay(x *exchange.Exchange) {
	d := vh.delaysOf(x)
	if d == nil {
		return
	}
	vh.delays.Delete(x)
	d.mu.Lock()
	d.closed = true
	d.schedule.Drop()
	d.arrivedLocked()
	d.mu.Unlock()
	vh.broker.timers.drop(d)
}

// newLog makes the log of a block of time.
func (d *delays) newLog(b schedule.Block) schedule.Log {
	st := d.vhost.broker.cfg.Store
	if st == nil {
		return storage.NewLog(storage.Options{})
	}
	l := st.CreateLog(delayedTag(d.vhost.name, d.exchange.Name(), b), d.exchange.Durable())
	l.OnReady(d.recordsReady)
	return l
}

// add takes messages of a batch that are due later. It is called between Enter and Leave.
func (d *delays) add(now int64, msgs []queue.Message, list []delayedMessage, fx *Effects) {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return
	}
	first := int64(schedule.Never)
	// Delays begin with the next full millisecond, so that none ends too early.
	taken := d.vhost.broker.Now().Add(time.Millisecond - 1).UnixMilli()
	for i := range list {
		first = min(first, d.addLocked(now, taken, &msgs[list[i].index], &list[i]))
	}
	if cap(d.props) > maxScratch {
		d.props = nil
	}
	d.mu.Unlock()
	fx.Durable = max(fx.Durable, d.durability)
	if first != schedule.Never {
		d.vhost.broker.timers.set(d, first)
	}
}

func (d *delays) addLocked(now, taken int64, m *queue.Message, how *delayedMessage) (stepAt int64) {
	var p amqp.Properties
	if p.Decode(m.Properties) != nil {
		return schedule.Never // cannot be: it was routed by them
	}
	d.props = exchange.AppendDelayed(d.props[:0], &p)
	_, stepAt = d.schedule.Add(now, how.delay.Due(taken), &schedule.Message{
		Exchange: m.Exchange, RoutingKey: m.RoutingKey, Properties: d.props, Body: m.Body, Hidden: m.Hidden,
		Persistent: m.Persistent, Priority: m.Priority, HasTTL: m.HasTTL, TTL: m.TTL, Origin: how.origin,
	})
	return stepAt
}

// maxScratch is the largest scratch space for properties that is kept, in bytes.
const maxScratch = 4 << 10

// tick is called when something is due, or has to be made ready: it publishes a slice of what is due. All of that is one
// commit with its removal, so a message is in the schedule or in its queues, whatever happens.
func (d *delays) tick(now int64, fx *Effects) {
	b := d.vhost.broker
	room, ok := b.roomForDelayed()
	if !ok {
		b.timers.set(d, now+roomPoll.Milliseconds()) // as publishers wait
		return
	}
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return
	}
	d.batch.Reset()
	next, damaged := d.schedule.Step(now, room, &d.batch)
	d.mu.Unlock()
	if damaged > 0 {
		b.cfg.Logger.Error().Str("vhost", d.vhost.name).Str("exchange", d.exchange.Name()).Int("count", damaged).
			Msg("delayed messages cannot be read and are dropped")
	}
	if len(d.batch.Entries) > 0 {
		d.due.publish(now, d.batch.Entries, fx)
		d.batch.Reset()
	}
	if next != schedule.Never {
		b.timers.set(d, next)
	}
}

// What is due, and what soon will be, goes before what publishers bring: in percent of what makes them wait.
const (
	urgentRoom = 125
	dueRoom    = 150
)

// roomForDelayed is what the disk leaves to schedules; false if nothing.
func (b *Broker) roomForDelayed() (room schedule.Room, ok bool) {
	switch st := b.cfg.Store; {
	case st == nil || st.Room():
		return schedule.RoomForAll, true
	case st.RoomUpTo(urgentRoom):
		return schedule.RoomForUrgent, true
	default:
		return schedule.RoomForDue, st.RoomUpTo(dueRoom)
	}
}

func (d *delays) alarm() *appointment { return &d.appointment }

// recordsReady is called by the store, outside of Enter and Leave, when records have come that somebody waits for.
func (d *delays) recordsReady() {
	d.mu.Lock()
	d.arrivedLocked()
	closed := d.closed
	d.mu.Unlock()
	if !closed {
		d.vhost.broker.timers.set(d, d.vhost.broker.nowMillis())
	}
}

func (d *delays) arrivedLocked() {
	if d.arrival != nil {
		close(d.arrival)
		d.arrival = nil
	}
}

// awaitLocked is what a look-up waits for when a record has to come from the disk.
func (d *delays) awaitLocked() <-chan struct{} {
	if d.arrival == nil {
		d.arrival = make(chan struct{})
	}
	return d.arrival
}

// MessagesDelayed is how many messages an exchange holds back; false if it is not one that does.
func (vh *VHost) MessagesDelayed(x *exchange.Exchange) (n int, ok bool) {
	d := vh.delaysOf(x)
	if d == nil {
		return 0, false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.schedule.Len(), true
}
