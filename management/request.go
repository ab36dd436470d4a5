package management

import (
	"net/http"

	"github.com/warren-mq/warren/auth"
	"github.com/warren-mq/warren/broker"
)

// request is a request that was let in. It belongs to the goroutine that answers it.
type request struct {
	*http.Request
	server *Server
	route  *route
	path   []string   // decoded segments
	user   *auth.User // nil where no login is needed
	query  query
}

// name returns what stands in the path for a variable of the pattern, which must have it.
func (r *request) name(variable string) string {
	for i, segment := range r.route.segments {
		if segment == variable {
			return r.path[i]
		}
	}
	panic("management: pattern " + r.route.pattern + " has no " + variable)
}

// hasName reports whether the pattern has the variable.
func (r *request) hasName(variable string) bool {
	for _, segment := range r.route.segments {
		if segment == variable {
			return true
		}
	}
	return false
}

// exchangeName is name for an exchange: amq.default stands for the default exchange, whose name is empty.
func (r *request) exchangeName(variable string) string {
	if name := r.name(variable); name != "amq.default" {
		return name
	}
	return ""
}

// vhost is the one that the path names. Admission has seen that it exists, but it may have gone since.
func (r *request) vhost() (*broker.VHost, error) {
	vh, ok := r.server.broker.VHost(r.name("{vhost}"))
	if !ok {
		return nil, errNotFound
	}
	return vh, nil
}

// vhosts are those that a listing covers: the one that the path names, else all that the user may open, for an
// administrator simply all (RabbitMQ 3.10.8 behaviour).
func (r *request) vhosts() ([]*broker.VHost, error) {
	if r.hasName("{vhost}") {
		vh, err := r.vhost()
		return []*broker.VHost{vh}, err
	}
	var list []*broker.VHost
	for _, vh := range r.server.broker.VHosts() {
		if r.mayEnter(vh.Name()) {
			list = append(list, vh)
		}
	}
	return list, nil
}
