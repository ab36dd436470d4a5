package management

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
)

// FuzzRequest sends any path and query: the answer is JSON or nothing, and never the server's fault.
func FuzzRequest(f *testing.F) {
	for _, target := range []string{
		"/", "/api", "/api/", "/api/queues", "/api/queues/%2F/q?columns=name,message_stats.publish_details.rate", "/api/queues//q",
		"/api/queues?page=1&page_size=500&name=%5E(&use_regex=true&sort=a.b..c&sort_reverse=true", "/api/bindings/%2F/e//q/q/q",
		"/api/exchanges/%2f/amq.topic/bindings/source", "/api/channels/x%20(1)", "/api/channels/%20(", "/api/connections/c/channels",
		"/api/queues?columns=,.,..&sort=arguments.x&page=-9223372036854775808", "/api/queues/%", "/api/nodes/%00", "/api/overview?columns=%FF",
	} {
		f.Add(target)
	}
	s := newServer(f)
	a := session(f, s, "/")
	declare(f, a, "q")
	publish(f, a, "q", 2)
	s.broker.AddConnection(&fakeConnection{name: "c"})
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return // net/http would not let it in
		}
		r := &http.Request{Method: http.MethodGet, URL: u, Header: http.Header{}, Body: http.NoBody, RemoteAddr: "127.0.0.1:1"}
		r.SetBasicAuth("guest", "guest")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if !slices.Contains([]int{200, 400, 404}, w.Code) || u.Path != "/metrics" && !json.Valid(w.Body.Bytes()) {
			t.Errorf("GET %q: %d %q", target, w.Code, w.Body)
		}
	})
}
