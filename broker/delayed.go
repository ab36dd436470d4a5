package broker

import (
	"time"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/auth"
	"github.com/warren-mq/warren/schedule"
	"github.com/warren-mq/warren/storage"
)

// DelayedMessage is a message that an exchange holds back.
type DelayedMessage struct {
	ID         string // names it to CancelDelayed and RescheduleDelayed
	Due        time.Time
	Exchange   string // that it was published to
	RoutingKey string
	Properties []byte // as they will be delivered
	Body       []byte
}

// MaxDelayedPage is the largest number of messages that Delayed returns.
const MaxDelayedPage = 1000

// Delayed lists messages that an exchange holds back, in the order in which they are due, behind the one with the id
// after, or from the first if that is "". Large ones make a page shorter than limit; behind the last one it is empty. It
// needs the read permission. Whoever waits for the disk is let go when stop is closed. The caller is not between Enter and
// Leave.
func (s *Session) Delayed(name, after string, limit int, stop <-chan struct{}) (page []DelayedMessage, err error) {
	d, err := s.findDelays(auth.Read, name)
	if err != nil {
		return nil, err
	}
	l := schedule.Listing{Limit: max(min(limit, MaxDelayedPage), 0)}
	if after != "" {
		if l.After, err = s.delayedID(after); err != nil {
			return nil, err
		}
	}
	for done := false; !done; {
		_, err := d.look(stop, func(sch *schedule.Schedule) (wait bool) {
			done, wait = sch.List(&l)
			return wait
		})
		if err != nil {
			return nil, err
		}
	}
	for i := range l.Entries {
		e := &l.Entries[i]
		page = append(page, DelayedMessage{
			ID: e.ID.String(), Due: time.UnixMilli(e.Due), Exchange: string(e.Exchange), RoutingKey: string(e.RoutingKey),
			Properties: e.Properties, Body: e.Body,
		})
	}
	return page, nil
}

// CancelDelayed drops a message that an exchange holds back. One that is not there, or not any more, is a 404. It needs
// the write permission. When it returns the change is durable. The caller is not between Enter and Leave.
func (s *Session) CancelDelayed(name, id string, stop <-chan struct{}) error {
	return s.onDelayed(name, id, stop, func(_ *delays, sch *schedule.Schedule, id schedule.ID) (ok, wait bool) {
		return sch.Cancel(id)
	})
}

// RescheduleDelayed gives a message that an exchange holds back another time, at once if that is in the past, and returns
// its new id. Errors and permission are those of CancelDelayed.
func (s *Session) RescheduleDelayed(name, id string, due time.Time, stop <-chan struct{}) (moved string, err error) {
	b := s.broker
	err = s.onDelayed(name, id, stop, func(d *delays, sch *schedule.Schedule, id schedule.ID) (ok, wait bool) {
		to, at, ok, wait := sch.Reschedule(b.nowMillis(), id, max(due.UnixMilli(), 0))
		if ok {
			moved = to.String()
			b.timers.set(d, at)
		}
		return ok, wait
	})
	return moved, err
}

func (s *Session) onDelayed(name, id string, stop <-chan struct{}, f func(*delays, *schedule.Schedule, schedule.ID) (ok, wait bool)) error {
	d, err := s.findDelays(auth.Write, name)
	if err != nil {
		return err
	}
	key, err := s.delayedID(id)
	if err != nil {
		return err
	}
	ok := false
	commit, err := d.look(stop, func(sch *schedule.Schedule) (wait bool) {
		ok, wait = f(d, sch, key)
		return wait
	})
	switch {
	case err != nil:
		return err
	case !ok:
		return amqp.Errorf(amqp.NotFound, "no delayed message '%s' in %s", id, s.vhost.resource(kindExchange, name))
	}
	return s.broker.WaitDurable(commit, stop)
}

// look calls f under the lock, between Enter and Leave, again as long as it has to wait for records from the disk. It
// returns the commit that f's last call was part of.
func (d *delays) look(stop <-chan struct{}, f func(*schedule.Schedule) (wait bool)) (storage.Commit, error) {
	b := d.vhost.broker
	for {
		var arrival <-chan struct{}
		commit := b.Enter()
		d.mu.Lock()
		wait := f(d.schedule)
		if wait && !d.closed {
			arrival = d.awaitLocked()
		}
		d.mu.Unlock()
		b.Leave()
		if arrival == nil {
			return commit, nil
		}
		select {
		case <-arrival:
		case <-stop:
			return 0, ErrStopped
		}
	}
}

func (s *Session) findDelays(op auth.Operation, name string) (*delays, error) {
	if err := s.check(op, kindExchange, name); err != nil {
		return nil, err
	}
	x, ok := s.vhost.Exchange(name)
	if !ok {
		return nil, s.noExchange(name)
	}
	d := s.vhost.delaysOf(x)
	if d == nil {
		return nil, amqp.Errorf(amqp.PreconditionFailed, "%s does not delay messages", s.vhost.resource(kindExchange, name))
	}
	return d, nil
}

func (s *Session) delayedID(id string) (schedule.ID, error) {
	key, ok := schedule.ParseID(id)
	if !ok {
		return key, amqp.Errorf(amqp.SyntaxError, "invalid id of a delayed message '%s'", id)
	}
	return key, nil
}
