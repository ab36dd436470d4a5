package broker

import (
	"sync"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/auth"
	"github.com/warren-mq/warren/exchange"
	"github.com/warren-mq/warren/queue"
)

// Queue is a queue of a vhost: the state machine of package queue, and its place in the topology.
type Queue struct {
	*queue.Queue
	vhost *VHost
	// session ends with the queue's life at the latest, if the queue is exclusive; else nil.
	session *Session
	// appointment belongs to the broker's timers.
	appointment appointment
	// found is set while the queue is made.
	found *foundLogs
	// reading is held while records that were read are dealt with, dead letters included.
	reading sync.Mutex
	// dedup watches what comes, if the queue has x-dedup-window; else nil.
	dedup *deduplication
}

// alarm is where the timers keep when to wake the queue.
func (q *Queue) alarm() *appointment { return &q.appointment }

// VHost is the vhost that the queue is in.
func (q *Queue) VHost() *VHost { return q.vhost }

// QueueDeclaration is what queue.declare asks for.
type QueueDeclaration struct {
	Name                           string // "" lets the server choose
	Durable, Exclusive, AutoDelete bool
	Arguments                      amqp.Table
}

// DeclareQueue is queue.declare without passive: it creates the queue, or checks that the one that exists is the
// same.
func (s *Session) DeclareQueue(d QueueDeclaration) (*Queue, error) {
	serverNamed := false
	d.Name = cleanName(d.Name)
	if d.Name == "" {
		serverNamed = true
		d.Name = NewName("amq.gen")
	}
	if err := s.check(auth.Configure, kindQueue, d.Name); err != nil {
		return nil, err
	}
	if !serverNamed && reserved(d.Name) {
		return nil, amqp.Errorf(amqp.AccessRefused, "queue name '%s' contains reserved prefix 'amq.*'", d.Name)
	}
	s.broker.Totals.QueuesDeclared.Add(1)
	c := queue.Config{
		Name: d.Name, VHost: s.vhost.name,
		// An exclusive queue never outlives its connection, so RabbitMQ stores it as transient whatever was asked.
		Durable:   d.Durable && !d.Exclusive,
		Exclusive: d.Exclusive, AutoDelete: d.AutoDelete, Arguments: d.Arguments,
	}
	if d.Exclusive {
		c.Owner = s.owner
	}
	vh := s.vhost
	for {
		if q, ok := vh.Queue(d.Name); ok && !q.Closed() {
			if err := s.redeclare(q, c); err != nil {
				return nil, err
			}
			s.found(q.Durable())
			q.used()
			return q, nil
		}
		if err := s.mayCreate(d, serverNamed); err != nil {
			return nil, err
		}
		if q, ok := s.create(c); ok {
			s.warnFallback(q)
			q.used()
			return q, nil
		} // else declared by somebody else meanwhile: compare with theirs
	}
}

// mayCreate makes the checks that are only made for a queue that does not exist yet.
func (s *Session) mayCreate(d QueueDeclaration, serverNamed bool) error {
	if err := queue.CheckArguments(d.Name, s.vhost.name, d.Durable, d.Exclusive, d.AutoDelete, serverNamed, d.Arguments); err != nil {
		return err
	}
	if v, ok := d.Arguments.Get("x-dead-letter-exchange"); ok {
		if err := s.check(auth.Read, kindQueue, d.Name); err != nil {
			return err
		}
		dlx, _ := v.(string) // CheckArguments has seen that it is one
		return s.check(auth.Write, kindExchange, dlx)
	}
	return nil
}

// create puts a new queue into the vhost, unless there is one of that name.
func (s *Session) create(c queue.Config) (*Queue, bool) {
	vh := s.vhost
	vh.mu.Lock()
	defer vh.mu.Unlock()
	if rival, ok := vh.Queue(c.Name); ok {
		if !rival.Closed() {
			return nil, false
		}
		vh.removeQueue(rival)
	}
	q := vh.addQueue(c, nil, nil)
	vh.putQueue(q)
	s.changed(q.Durable())
	if c.Exclusive && s.owner != nil {
		if s.exclusive == nil {
			s.exclusive = make(map[*Queue]struct{})
		}
		s.exclusive[q] = struct{}{}
		q.session = s
	}
	vh.changed()
	s.broker.Totals.QueuesCreated.Add(1)
	return q, true
}

// redeclare compares a declaration with the queue that exists.
func (s *Session) redeclare(q *Queue, c queue.Config) error {
	if q.Exclusive() != c.Exclusive || (c.Exclusive && q.Owner() != s.owner) {
		return s.locked(q)
	}
	return q.Equivalent(c)
}

// warnFallback tells the operator about a queue that does less than its arguments ask for, as RabbitMQ does.
func (s *Session) warnFallback(q *Queue) {
	if reason := q.FallsBack(); reason != "" {
		s.broker.cfg.Logger.Warn().Str("vhost", s.vhost.name).Str("queue", q.Name()).Msg(reason)
	}
}

// CheckQueue is queue.declare with passive: the queue must exist and not be another connection's.
func (s *Session) CheckQueue(name string) (*Queue, error) {
	s.broker.Totals.QueuesDeclared.Add(1)
	q, err := s.lookup(cleanName(name))
	if err == nil {
		q.used()
	}
	return q, err
}

// ReadQueue finds a queue for consume, get and purge, which need the read permission.
func (s *Session) ReadQueue(name string) (*Queue, error) {
	if err := s.check(auth.Read, kindQueue, name); err != nil {
		return nil, err
	}
	return s.lookup(name)
}

func (s *Session) lookup(name string) (*Queue, error) {
	q, ok := s.vhost.Queue(name)
	if !ok || q.Closed() {
		return nil, s.noQueue(name)
	}
	return q, s.mayAccess(q)
}

// DeleteQueue is queue.delete. A queue that does not exist is no error. It returns how many ready messages went.
func (s *Session) DeleteQueue(name string, ifUnused, ifEmpty bool, fx *Effects) (ready int, err error) {
	name = cleanName(name)
	if err := s.check(auth.Configure, kindQueue, name); err != nil {
		return 0, err
	}
	q, ok := s.vhost.Queue(name)
	if !ok || q.Closed() {
		s.found(true)
		return 0, nil
	}
	if err := s.mayAccess(q); err != nil {
		return 0, err
	}
	ready, err = q.Queue.Delete(ifUnused, ifEmpty, &fx.Effects)
	if err != nil {
		return 0, err
	}
	q.gone(fx)
	s.changed(q.Durable())
	return ready, nil
}

// mayAccess refuses the exclusive queue of another connection.
func (s *Session) mayAccess(q *Queue) error {
	if q.Exclusive() && (s.owner == nil || q.Owner() != s.owner) {
		return s.locked(q)
	}
	return nil
}

func (s *Session) locked(q *Queue) error {
	return amqp.Errorf(amqp.ResourceLocked, "cannot obtain exclusive access to locked %s. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.",
		s.vhost.resource(kindQueue, q.Name()))
}

func (s *Session) noQueue(name string) error {
	return amqp.Errorf(amqp.NotFound, "no %s", s.vhost.resource(kindQueue, name))
}

// removeQueue takes a closed queue out of the topology. vh.mu is held.
func (vh *VHost) removeQueue(q *Queue) {
	if current, ok := vh.Queue(q.Name()); !ok || current != q {
		return
	}
	vh.queues.remove(q.Name())
	vh.unputQueue(q)
	vh.stuck.note(q, false)
	vh.forget(kindQueue, q.Name(), q.dedup)
	to := exchange.Destination{Queue: q}
	vh.fallback.Unbind(to, q.Name(), nil)
	vh.removeDestination(to)
	if q.session != nil {
		delete(q.session.exclusive, q)
	}
	vh.changed()
	vh.broker.Totals.QueuesDeleted.Add(1)
	vh.broker.queueEnded(q)
}
