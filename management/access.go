package management

import (
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/warren-mq/warren/auth"
)

// access is who may use a route. The rules and texts are RabbitMQ 3.10.8's; whatever is missing, the status is 401.
type access int

const (
	anybody        access = iota // without a login
	managers                     // any of the four tags
	monitors                     // monitoring or administrator
	administrators               // administrator
	members                      // a manager who may open the vhost of the path, if it exists, or an administrator
)

var errNoCredentials = &fault{status: http.StatusUnauthorized, login: true}

func unauthorised(reason string) *fault {
	return &fault{status: http.StatusUnauthorized, Name: "not_authorised", Reason: reason}
}

func badRequest(reason string) *fault {
	return &fault{status: http.StatusBadRequest, Name: "bad_request", Reason: reason}
}

// admit checks who asks and what for, and reads the query.
func (r *request) admit() error {
	if r.route.access != anybody {
		if err := r.login(); err != nil {
			return err
		}
		if err := r.authorise(); err != nil {
			return err
		}
	}
	r.query = parseQuery(r.URL)
	return nil
}

// login finds the user. Bad credentials are told with another error than all else (RabbitMQ spells it with a z).
func (r *request) login() error {
	header := r.Header.Get("Authorization")
	if header == "" {
		return errNoCredentials
	}
	failed := &fault{status: http.StatusUnauthorized, login: true, Name: "not_authorized", Reason: "Login failed"}
	name, password, ok := r.BasicAuth()
	if !ok {
		if scheme, _, _ := strings.Cut(header, " "); strings.EqualFold(scheme, "basic") {
			return &fault{status: http.StatusBadRequest}
		}
		return failed
	}
	r.server.logins.Add(1)
	user, err := r.server.broker.Users.Authenticate(name, password, remoteAddr(r.Request))
	if err != nil {
		r.server.refused.Add(1)
		r.server.log.Warn().Str("user", name).Str("peer", r.RemoteAddr).AnErr("error", err).Msg("HTTP access denied")
		if e, ok := errors.AsType[*auth.LoginError](err); ok && e.LoopbackOnly {
			return unauthorised("User can only log in via localhost")
		}
		return failed
	}
	r.user = user
	return nil
}

// remoteAddr is the client's end of the connection. net/http has it as text only.
func remoteAddr(r *http.Request) net.Addr {
	if addr, err := net.ResolveTCPAddr("tcp", r.RemoteAddr); err == nil {
		return addr
	}
	return &net.UnixAddr{Name: r.RemoteAddr} // a socket without an IP address is on this machine
}

func (r *request) authorise() error {
	if !r.isManager() {
		return unauthorised("Not management user")
	}
	switch r.route.access {
	case monitors:
		if !r.isMonitor() {
			return unauthorised("Not monitor user")
		}
	case administrators:
		if !r.isAdministrator() {
			return unauthorised("Not administrator user")
		}
	case members:
		name := r.name("{vhost}")
		if _, ok := r.server.broker.VHost(name); ok && !r.mayEnter(name) {
			return unauthorised("User not authorised to access virtual host")
		}
	}
	return nil
}

func (r *request) isManager() bool {
	return slices.ContainsFunc(r.user.Tags, func(tag string) bool {
		return tag == auth.Management || tag == auth.Policymaker || tag == auth.Monitoring || tag == auth.Administrator
	})
}

func (r *request) isMonitor() bool { return r.user.HasTag(auth.Monitoring) || r.isAdministrator() }

func (r *request) isAdministrator() bool { return r.user.HasTag(auth.Administrator) }

// mayEnter reports whether the user sees what is in a vhost.
func (r *request) mayEnter(vhost string) bool {
	return r.isAdministrator() || r.server.broker.Users.Enter(r.user.Name, vhost)
}

// maySee reports whether the user sees the connections of another: monitors see all, others their own.
func (r *request) maySee(owner string) bool { return r.isMonitor() || r.user.Name == owner }
