package auth

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/warren-mq/warren/amqp"
)

// TopicPermission limits which routing keys a user may use with a topic exchange: Write when publishing, Read when
// binding. The texts {username} and {vhost} in the expressions stand for the names (RabbitMQ: Topic Authorisation).
type TopicPermission struct{ Write, Read string }

type topicPlace struct{ user, vhost, exchange string }

type topicRules struct {
	permission  TopicPermission
	write, read *pattern
}

// SetTopicPermissions gives a user a row for an exchange in place of the one before. It returns ErrNoUser or a
// *PatternError.
func (u *Users) SetTopicPermissions(user, vhost, exchange string, p TopicPermission) error {
	names := strings.NewReplacer("{username}", user, "{vhost}", vhost)
	patterns, err := compileAll(names.Replace(p.Write), names.Replace(p.Read))
	if err != nil {
		return err
	}
	return u.change(func() error {
		if u.users[user] == nil {
			return fmt.Errorf("%w: %s", ErrNoUser, user)
		}
		u.topics[topicPlace{user, vhost, exchange}] = &topicRules{permission: p, write: patterns[0], read: patterns[1]}
		return nil
	})
}

// ClearTopicPermissions removes a user's row for an exchange and reports whether there was one.
func (u *Users) ClearTopicPermissions(user, vhost, exchange string) (cleared bool) {
	_ = u.change(func() error { // no error is made in it
		_, cleared = u.topics[topicPlace{user, vhost, exchange}]
		delete(u.topics, topicPlace{user, vhost, exchange})
		return nil
	})
	return cleared
}

// TopicPermissionRow is a row as listings show it.
type TopicPermissionRow struct {
	User, VHost, Exchange string
	TopicPermission
}

// TopicPermissions returns all rows, sorted by user, vhost and exchange.
func (u *Users) TopicPermissions() []TopicPermissionRow {
	u.mu.RLock()
	defer u.mu.RUnlock()
	rows := make([]TopicPermissionRow, 0, len(u.topics))
	for p, r := range u.topics {
		rows = append(rows, TopicPermissionRow{p.user, p.vhost, p.exchange, r.permission})
	}
	slices.SortFunc(rows, func(a, b TopicPermissionRow) int {
		return cmp.Or(cmp.Compare(a.User, b.User), cmp.Compare(a.VHost, b.VHost), cmp.Compare(a.Exchange, b.Exchange))
	})
	return rows
}

// CheckTopic reports whether the user may write (publish) or read (bind) with the routing key. Without a row for the
// exchange everything is permitted.
func (u *Users) CheckTopic(user, vhost, exchange, routingKey string, o Operation) bool {
	u.mu.RLock()
	r := u.topics[topicPlace{user, vhost, exchange}]
	u.mu.RUnlock()
	switch {
	case r == nil:
		return true
	case o == Write:
		return r.write.match(routingKey)
	}
	return r.read.match(routingKey)
}

// LimitsTopics reports whether there is a row for the exchange, without which CheckTopic permits everything.
func (u *Users) LimitsTopics(user, vhost, exchange string) bool {
	u.mu.RLock()
	defer u.mu.RUnlock()
	return u.topics[topicPlace{user, vhost, exchange}] != nil
}

// RefusedTopic is the 403 for a routing key that CheckTopic denies (RabbitMQ up to 3.11).
func RefusedTopic(routingKey, exchange, vhost, user string) *amqp.Error {
	return amqp.Errorf(amqp.AccessRefused, "access to topic '%s' in %s refused for user '%s'",
		routingKey, amqp.Resource("exchange", exchange, vhost), user)
}
