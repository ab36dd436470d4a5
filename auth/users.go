package auth

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// ErrNoUser is returned by changes that name a user who does not exist.
var ErrNoUser = errors.New("no such user")

// Users are the accounts of a broker with what they may do in which vhost.
type Users struct {
	// generation counts changes, so that caches of permissions notice them. It is raised after the change.
	generation atomic.Uint64

	mu           sync.RWMutex // guards all below; a leaf: nothing else is locked while it is held
	users        map[string]*User
	permissions  map[place]*rules
	topics       map[topicPlace]*topicRules
	loopbackOnly map[string]bool
}

// place is where a row of permissions stands.
type place struct{ user, vhost string }

// New returns an empty set of users. Those named by loopbackOnly, whether they exist yet or not, may log in from this
// machine only (RabbitMQ: loopback_users, by default guest).
func New(loopbackOnly ...string) *Users {
	u := &Users{
		users:        make(map[string]*User),
		permissions:  make(map[place]*rules),
		topics:       make(map[topicPlace]*topicRules),
		loopbackOnly: make(map[string]bool),
	}
	for _, name := range loopbackOnly {
		u.loopbackOnly[name] = true
	}
	return u
}

// Default is the user that a broker without any data begins with.
type Default struct {
	Name, Password string
	VHost          string
	Tags           []string
	Permission     Permission
}

// DefaultUser is guest, password guest, who may do everything in the vhost "/" (RabbitMQ 3.10.8).
func DefaultUser() Default {
	return Default{
		Name: "guest", Password: "guest", VHost: "/",
		Tags:       []string{Administrator},
		Permission: Permission{Configure: ".*", Write: ".*", Read: ".*"},
	}
}

// Seed adds the default user.
func (u *Users) Seed(d Default) error {
	if err := u.SetPassword(d.Name, d.Password, d.Tags); err != nil {
		return fmt.Errorf("seed default user: %w", err)
	}
	if err := u.SetPermissions(d.Name, d.VHost, d.Permission); err != nil {
		return fmt.Errorf("seed default user: %w", err)
	}
	return nil
}

// Generation changes with every change of users or permissions. An answer that was asked for after reading it holds as
// long as it stays.
func (u *Users) Generation() uint64 { return u.generation.Load() }

// change runs f under the lock and then lets caches know.
func (u *Users) change(f func() error) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := f(); err != nil {
		return err
	}
	u.generation.Add(1)
	return nil
}

// Put adds a user or replaces the one of that name, permissions staying. It is how stored users come back.
func (u *Users) Put(user User) error {
	if user.Name == "" {
		return errors.New("a user needs a name")
	}
	if user.Algorithm == "" {
		user.Algorithm = SHA256
	}
	if !user.Algorithm.Valid() {
		return fmt.Errorf("unknown password hashing algorithm %q", string(user.Algorithm))
	}
	user.Tags = slices.Clone(user.Tags)
	return u.change(func() error {
		u.users[user.Name] = &user
		return nil
	})
}

// SetPassword adds a user or replaces the one of that name, hashing the password with SHA256. With an empty password
// the user cannot log in with any.
func (u *Users) SetPassword(name, password string, tags []string) error {
	user := User{Name: name, Tags: tags, Algorithm: SHA256}
	if password != "" {
		var err error
		if user.PasswordHash, err = HashPassword(SHA256, password); err != nil {
			return err
		}
	}
	return u.Put(user)
}

// Delete removes a user with all permissions and reports whether there was one.
func (u *Users) Delete(name string) (deleted bool) {
	_ = u.change(func() error { // no error is made in it
		_, deleted = u.users[name]
		delete(u.users, name)
		maps.DeleteFunc(u.permissions, func(p place, _ *rules) bool { return p.user == name })
		maps.DeleteFunc(u.topics, func(p topicPlace, _ *topicRules) bool { return p.user == name })
		return nil
	})
	return deleted
}

// Lookup returns the user of that name, nil if there is none.
func (u *Users) Lookup(name string) *User {
	u.mu.RLock()
	defer u.mu.RUnlock()
	return u.users[name]
}

// All returns the users sorted by name.
func (u *Users) All() []*User {
	u.mu.RLock()
	defer u.mu.RUnlock()
	return slices.SortedFunc(maps.Values(u.users), func(a, b *User) int { return cmp.Compare(a.Name, b.Name) })
}
