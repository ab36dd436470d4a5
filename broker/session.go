package broker

import (
	"strings"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/auth"
	"github.com/warren-mq/warren/exchange"
)

// Session is what one authenticated user may do in one vhost. A front door opens one for each AMQP connection or
// HTTP request. Its methods check permissions first and existence after, as RabbitMQ does, so that a user who may
// not see a name does not learn whether it exists. It belongs to one goroutine.
type Session struct {
	broker *Broker
	vhost  *VHost
	user   *auth.User
	// owner identifies the connection for exclusive queues; nil for sessions that can own none.
	owner any
	// permissions remembers what was permitted last.
	permissions *auth.Cache

	// unsaved says that durable definitions were changed since Saved was called.
	unsaved bool
	// exclusive are the queues that end with the session. Guarded by vhost.mu.
	exclusive map[*Queue]struct{}
}

// Open lets a user into a vhost, or says why not as connection.open's refusals do (errors.md §2, 530).
// owner identifies the connection that will own exclusive queues; nil if there is none.
func (b *Broker) Open(user *auth.User, vhost string, owner any) (*Session, error) {
	vh, ok := b.VHost(vhost)
	if !ok {
		return nil, amqp.Errorf(amqp.NotAllowed, "vhost %s not found", vhost)
	}
	if !b.Users.Enter(user.Name, vhost) {
		return nil, auth.RefusedVHost(vhost, user.Name)
	}
	return &Session{
		broker: b, vhost: vh, user: user, owner: owner, permissions: auth.NewCache(b.Users, user.Name, vhost),
	}, nil
}

// changed notes that a definition was changed, and whether it is durable.
func (s *Session) changed(durable bool) {
	s.unsaved = s.unsaved || durable && s.broker.cfg.Store != nil
}

// found notes that an answer rests on a definition which is there, or is not, because of somebody else, whose change
// may not be on disk yet: what was answered with ok is true after any stop, whoever did it.
func (s *Session) found(durable bool) { s.changed(durable) }

// Unsaved says whether durable definitions were changed, or found to be as asked for, since Saved: the answer to the
// client waits for their commit.
func (s *Session) Unsaved() bool { return s.unsaved }

// Saved forgets about the changes.
func (s *Session) Saved() { s.unsaved = false }

// VHost is the session's vhost.
func (s *Session) VHost() *VHost { return s.vhost }

// User is the session's user.
func (s *Session) User() *auth.User { return s.user }

// Broker is the node.
func (s *Session) Broker() *Broker { return s.broker }

// Close ends the session: its exclusive queues are deleted before it returns.
func (s *Session) Close() {
	vh := s.vhost
	vh.mu.Lock()
	queues := make([]*Queue, 0, len(s.exclusive))
	for q := range s.exclusive {
		queues = append(queues, q)
	}
	vh.mu.Unlock()
	fx := new(Effects)
	for _, q := range queues {
		q.delete(fx)
	}
	fx.Run()
}

// kindTopic is the type of exchanges that topic permissions apply to.
const kindTopic = "topic"

// cleanName strips carriage returns and line feeds, which RabbitMQ drops from the names of exchanges and queues.
func cleanName(name string) string {
	if !strings.ContainsAny(name, "\r\n") {
		return name
	}
	return strings.NewReplacer("\r", "", "\n", "").Replace(name)
}

// reserved says whether a name belongs to the broker.
func reserved(name string) bool { return strings.HasPrefix(name, "amq.") }

// checkTopic asks whether the user may use a routing key with an exchange: Write when publishing, Read when binding and
// unbinding. Only topic exchanges themselves are limited (RabbitMQ 3.10.8 behaviour).
func (s *Session) checkTopic(op auth.Operation, x *exchange.Exchange, key string) error {
	if x.Type() != kindTopic || s.broker.Users.CheckTopic(s.user.Name, s.vhost.name, x.Name(), key, op) {
		return nil
	}
	return auth.RefusedTopic(key, x.Name(), s.vhost.name, s.user.Name)
}

// limitsTopics reports whether checkTopic could refuse a routing key of x.
func (s *Session) limitsTopics(x *exchange.Exchange) bool {
	return x.Type() == kindTopic && s.broker.Users.LimitsTopics(s.user.Name, s.vhost.name, x.Name())
}

func (s *Session) check(op auth.Operation, kind, name string) error {
	if s.permissions.Check(kind, name, op) {
		return nil
	}
	return auth.Refused(kind, name, s.vhost.name, s.user.Name)
}
