package management

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// route is a path of the API and what can be done there.
//
// The paths are matched here and not by net/http's ServeMux, because RabbitMQ's clients rely on three things that it
// does otherwise: a slash at the end changes nothing, an empty segment names the default exchange
// (/exchanges/%2F//bindings/source), and it redirects where this API answers.
type route struct {
	pattern  string   // for example /queues/{vhost}/{queue}
	segments []string // of the pattern, without /api
	access   access
	get      func(*request) (any, error)
	delete   func(*request) error                // nil where there is nothing to delete
	put      func(*request) error                // nil where there is nothing to change
	stream   func(http.ResponseWriter, *request) // answers GET in place of get, with what is no JSON
}

// matches reports whether a path, cut into decoded segments, is one of the route.
func (r *route) matches(path []string) bool {
	return slices.EqualFunc(r.segments, path, func(want, got string) bool {
		return isVariable(want) || want == got
	})
}

func isVariable(segment string) bool { return strings.HasPrefix(segment, "{") }

// allow lists the methods of the route, as RabbitMQ's allow header does.
func (r *route) allow() string {
	methods := "HEAD, GET"
	if r.put != nil {
		methods += ", PUT"
	}
	if r.delete != nil {
		methods += ", DELETE"
	}
	return methods + ", OPTIONS"
}

// split cuts the path of a request behind /api into its segments, each decoded once: %2F is part of a name. One slash
// at the end is ignored. False means that the path is not of the API.
func split(u *url.URL) (segments []string, ok bool) {
	rest, ok := strings.CutPrefix(u.EscapedPath(), "/api/")
	if !ok {
		return nil, false
	}
	segments = strings.Split(strings.TrimSuffix(rest, "/"), "/")
	for i, s := range segments {
		name, err := url.PathUnescape(s)
		if err != nil {
			return nil, false
		}
		segments[i] = name
	}
	return segments, true
}

// find returns the route of a path, nil if there is none. There are some dozens of routes: a search is fast enough.
func (s *Server) find(path []string) *route {
	for i := range s.routes {
		if s.routes[i].matches(path) {
			return &s.routes[i]
		}
	}
	return nil
}

// known are the methods that RabbitMQ has heard of. Others get 501, those that a resource does not offer 405.
var known = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/metrics" {
		s.metrics.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Vary", "origin")
	w.Header().Set("Content-Security-Policy", "script-src 'self' 'unsafe-eval' 'unsafe-inline'; object-src 'self'")
	if !slices.Contains(known, r.Method) {
		w.WriteHeader(http.StatusNotImplemented)
		return
	}
	path, ok := split(r.URL)
	var to *route
	if ok {
		to = s.find(path)
	}
	if to == nil {
		to = &route{get: func(*request) (any, error) { return nil, errNotFound }, access: anybody}
	}
	s.serve(w, r, to, path)
}

// serve answers a request to a known route: first the method counts, then who asks, then whether there is something.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, to *route, path []string) {
	w.Header().Set("Allow", to.allow())
	if r.Method == http.MethodOptions {
		return
	}
	var change func(*request) error
	switch r.Method {
	case http.MethodDelete:
		change = to.delete
	case http.MethodPut:
		change = to.put
	}
	if change == nil && r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	w.Header().Del("Allow")
	r.Body = http.MaxBytesReader(w, r.Body, maxBodyBytes)
	req := &request{Request: r, server: s, route: to, path: path}
	if err := req.admit(); err != nil {
		s.refuse(w, r, err)
		return
	}
	if to.access != anybody {
		w.Header().Set("Vary", "accept, accept-encoding, origin")
	}
	if change != nil {
		if err := change(req); err != nil {
			s.refuse(w, r, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if to.stream != nil {
		if r.Method == http.MethodGet {
			to.stream(w, req)
		}
		return
	}
	v, err := to.get(req)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.answer(w, req, v)
}
