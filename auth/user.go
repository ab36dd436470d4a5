package auth

import "slices"

// User is an account. Values that were handed out are never changed: a change makes a new one.
type User struct {
	Name         string
	Tags         []string  // powers over the management API; AMQP needs none
	PasswordHash string    // "" means that no password fits
	Algorithm    Algorithm // of PasswordHash
}

// Tags that mean something to RabbitMQ.
const (
	Administrator = "administrator"
	Monitoring    = "monitoring"
	Policymaker   = "policymaker"
	Management    = "management"
	Impersonator  = "impersonator" // may publish under a foreign user-id
)

// HasTag reports whether the user carries the tag itself; no tag implies another here.
func (u *User) HasTag(tag string) bool { return slices.Contains(u.Tags, tag) }
