package auth

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/warren-mq/warren/amqp"
)

// Operation is what a client wants to do with a queue or exchange.
type Operation uint8

const (
	Configure Operation = iota // declare, delete
	Write                      // publish; bind to, as destination
	Read                       // consume, get, purge; bind from, as source
)

func (o Operation) String() string {
	switch o {
	case Configure:
		return "configure"
	case Write:
		return "write"
	}
	return "read"
}

// Permission is what a user may do in a vhost: for each operation a regular expression that is searched in the name of
// the resource. An empty one permits nothing.
type Permission struct{ Configure, Write, Read string }

// rules is a row of permissions made ready for matching; immutable.
type rules struct {
	permission Permission
	patterns   [3]*pattern // by Operation
}

// PatternError is returned for a permission that is not a regular expression.
type PatternError struct {
	Pattern string
	Err     error
}

func (e *PatternError) Error() string { return fmt.Sprintf("invalid regexp %q: %v", e.Pattern, e.Err) }
func (e *PatternError) Unwrap() error { return e.Err }

func compileAll(expressions ...string) ([]*pattern, error) {
	patterns := make([]*pattern, len(expressions))
	for i, expression := range expressions {
		p, err := compile(expression)
		if err != nil {
			return nil, &PatternError{Pattern: expression, Err: err}
		}
		patterns[i] = p
	}
	return patterns, nil
}

// SetPermissions gives a user a row for a vhost in place of the one before. It returns ErrNoUser or a *PatternError;
// whether the vhost exists is the caller's to know.
func (u *Users) SetPermissions(user, vhost string, p Permission) error {
	patterns, err := compileAll(p.Configure, p.Write, p.Read)
	if err != nil {
		return err
	}
	return u.change(func() error {
		if u.users[user] == nil {
			return fmt.Errorf("%w: %s", ErrNoUser, user)
		}
		u.permissions[place{user, vhost}] = &rules{permission: p, patterns: [3]*pattern(patterns)}
		return nil
	})
}

// ClearPermissions removes a user's row for a vhost and reports whether there was one.
func (u *Users) ClearPermissions(user, vhost string) (cleared bool) {
	_ = u.change(func() error { // no error is made in it
		_, cleared = u.permissions[place{user, vhost}]
		delete(u.permissions, place{user, vhost})
		return nil
	})
	return cleared
}

// DeleteVHost removes everybody's permissions in a vhost that is gone.
func (u *Users) DeleteVHost(vhost string) {
	_ = u.change(func() error { // no error is made in it
		maps.DeleteFunc(u.permissions, func(p place, _ *rules) bool { return p.vhost == vhost })
		maps.DeleteFunc(u.topics, func(p topicPlace, _ *topicRules) bool { return p.vhost == vhost })
		return nil
	})
}

// PermissionRow is a row as listings show it.
type PermissionRow struct {
	User, VHost string
	Permission
}

// Permissions returns all rows, sorted by user, then vhost.
func (u *Users) Permissions() []PermissionRow {
	u.mu.RLock()
	defer u.mu.RUnlock()
	rows := make([]PermissionRow, 0, len(u.permissions))
	for p, r := range u.permissions {
		rows = append(rows, PermissionRow{p.user, p.vhost, r.permission})
	}
	slices.SortFunc(rows, func(a, b PermissionRow) int {
		return cmp.Or(cmp.Compare(a.User, b.User), cmp.Compare(a.VHost, b.VHost))
	})
	return rows
}

// Enter reports whether the user may open connections to the vhost: any row will do, even one that permits nothing.
func (u *Users) Enter(user, vhost string) bool {
	u.mu.RLock()
	defer u.mu.RUnlock()
	return u.permissions[place{user, vhost}] != nil
}

// Check reports whether the user may do something with the resource, kind being "queue" or "exchange". The default
// exchange is checked as amq.default. Whether the resource exists does not matter. On paths that are taken often, ask
// through a Cache.
func (u *Users) Check(user, vhost string, kind, name string, o Operation) bool {
	u.mu.RLock()
	r := u.permissions[place{user, vhost}]
	u.mu.RUnlock()
	return r != nil && r.patterns[o].match(checkedName(kind, name))
}

func checkedName(kind, name string) string {
	if kind == "exchange" && name == "" {
		return "amq.default"
	}
	return name
}

// Refused is the 403 for a resource that Check denies (RabbitMQ up to 3.11).
func Refused(kind, name, vhost, user string) *amqp.Error {
	return amqp.Errorf(amqp.AccessRefused, "access to %s refused for user '%s'",
		amqp.Resource(kind, checkedName(kind, name), vhost), user)
}

// RefusedVHost is the 530 for a vhost that Enter denies (RabbitMQ 3.10.8).
func RefusedVHost(vhost, user string) *amqp.Error {
	return amqp.Errorf(amqp.NotAllowed, "access to vhost '%s' refused for user '%s'", vhost, user)
}
