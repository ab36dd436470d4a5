package auth

import (
	"net"

	"github.com/warren-mq/warren/amqp"
)

// LoginError says why a login was refused. It is for the log: a client is told Refusal and nothing else.
type LoginError struct {
	User   string
	Reason string // RabbitMQ's wording, such as "user 'guest' can only connect via localhost"

	// LoopbackOnly tells the one refusal that the management API words differently.
	LoopbackOnly bool
}

func (e *LoginError) Error() string { return e.Reason }

// Refusal is what a client is told in connection.close when its login fails, whatever the reason (RabbitMQ 3.10.8;
// sent only to clients with the capability authentication_failure_close).
func Refusal(mechanism string) *amqp.Error {
	return amqp.Errorf(amqp.AccessRefused, "Login was refused using authentication mechanism %s. "+
		"For details see the broker logfile.", mechanism)
}

// Authenticate checks a password that came from remote, the client's end of the connection. Every error is a
// *LoginError.
func (u *Users) Authenticate(name, password string, remote net.Addr) (*User, error) {
	u.mu.RLock()
	user, restricted := u.users[name], u.loopbackOnly[name]
	u.mu.RUnlock()

	if user == nil {
		// As much work as for a user who exists, so that time does not tell names.
		VerifyPassword(SHA256, unusedHash, password)
		return nil, &LoginError{User: name, Reason: "user '" + name + "' - invalid credentials"}
	}
	if !VerifyPassword(user.Algorithm, user.PasswordHash, password) {
		return nil, &LoginError{User: name, Reason: "user '" + name + "' - invalid credentials"}
	}
	if restricted && !isLoopback(remote) {
		return nil, &LoginError{User: name, Reason: "user '" + name + "' can only connect via localhost", LoopbackOnly: true}
	}
	return user, nil
}

// unusedHash is well-formed and belongs to no password that is known.
const unusedHash = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// isLoopback reports whether the peer can only be on this machine: a loopback address, IPv4 in IPv6 included, or a
// connection without a network (local socket, pipe). Other addresses of this machine do not count (RabbitMQ 3.10.8).
func isLoopback(remote net.Addr) bool {
	switch remote := remote.(type) {
	case nil:
		return false
	case *net.TCPAddr:
		return remote.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	}
	return remote.Network() == "pipe"
}
