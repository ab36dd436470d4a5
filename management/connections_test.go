package management

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/warren-mq/warren/broker"
)

func TestDeleteClosesAConnectionForAReason(t *testing.T) {
	s := newServer(t)
	check(t, s.broker.Users.SetPassword("owner", "pw", []string{"management"}))
	check(t, s.broker.Users.SetPassword("other", "pw", []string{"policymaker"}))
	for _, c := range []struct {
		user, password, header string
		code                   int
		reason                 string
	}{
		{"guest", "guest", "", http.StatusNoContent, "Closed via management plugin"},
		{"guest", "guest", "maintenance, back soon", http.StatusNoContent, "maintenance, back soon"},
		{"owner", "pw", "", http.StatusNoContent, "Closed via management plugin"},
		{"other", "pw", "mischief", http.StatusUnauthorized, ""},
	} {
		connection := &fakeConnection{name: "192.0.2.1:1 -> [::1]:5672", user: "owner"}
		s.broker.AddConnection(connection)
		r := httptest.NewRequest(http.MethodDelete, "/api/connections/192.0.2.1:1%20-%3E%20%5B::1%5D:5672", nil)
		r.RemoteAddr = "127.0.0.1:1"
		r.SetBasicAuth(c.user, c.password)
		if c.header != "" {
			r.Header.Set("X-Reason", c.header)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != c.code || connection.reason != c.reason || c.code == http.StatusNoContent && w.Body.Len() > 0 {
			t.Errorf("by %s: %d %s, closed for %q, want %q", c.user, w.Code, w.Body, connection.reason, c.reason)
		}
		s.broker.RemoveConnection(connection)
	}
}

func TestOthersSeeTheirOwnConnectionsOnly(t *testing.T) {
	s := newServer(t)
	check(t, s.broker.Users.SetPassword("owner", "pw", []string{"management"}))
	for name, user := range map[string]string{"a": "owner", "b": "guest"} {
		c := &fakeConnection{name: name, user: user}
		s.broker.AddConnection(c)
		defer s.broker.RemoveConnection(c)
	}
	for path, want := range map[string]int{
		"/api/connections/a": 200, "/api/connections/b": 401, "/api/connections/c": 404,
		"/api/connections/a/channels": 200, "/api/connections/b/channels": 401,
		"/api/channels/a%20(1)": 200, "/api/channels/b%20(1)": 401, "/api/channels/a%20(2)": 404, "/api/channels/a": 404, "/api/channels/": 200,
	} {
		if w := askAs(s, "owner", "pw", "127.0.0.1:1", http.MethodGet, path); w.Code != want {
			t.Errorf("GET %s: %d, want %d", path, w.Code, want)
		}
	}
}

func TestAlarmChecksFailWhileAnAlarmIsRaised(t *testing.T) {
	s := newServer(t)
	look := func(path string, code int, body string) {
		t.Helper()
		if w := ask(s, http.MethodGet, path); w.Code != code || w.Body.String() != body {
			t.Errorf("GET %s: %d %s", path, w.Code, w.Body)
		}
	}
	const all, local = "/api/health/checks/alarms", "/api/health/checks/local-alarms"
	look(all, 200, `{"status":"ok"}`)
	s.broker.Alarms.Set(broker.Memory, true)
	look(all, 503, `{"status":"failed","reason":"There are alarms in effect in the cluster","alarms":[{"node":"rabbit@test","resource":"memory"}]}`)
	look(local, 503, `{"status":"failed","reason":"There are alarms in effect on the node","alarms":[{"node":"rabbit@test","resource":"memory"}]}`)
	if n := get[struct {
		MemAlarm      bool `json:"mem_alarm"`
		DiskFreeAlarm bool `json:"disk_free_alarm"`
	}](t, s, "/api/nodes/rabbit@test"); !n.MemAlarm || n.DiskFreeAlarm {
		t.Errorf("the node has %+v", n)
	}
	s.broker.Alarms.Set(broker.Memory, false)
	look(local, 200, `{"status":"ok"}`)
}

// TestLimitsOfANodeAreNumbers: tools divide by them.
func TestLimitsOfANodeAreNumbers(t *testing.T) {
	n := get[map[string]any](t, newServer(t), "/api/nodes/rabbit@test")
	for _, field := range []string{"mem_limit", "fd_total", "sockets_total", "proc_total"} {
		if v, ok := n[field].(float64); !ok || v <= 0 {
			t.Errorf("%s is %v", field, n[field])
		}
	}
	if _, ok := n["disk_free_limit"].(float64); !ok {
		t.Errorf("disk_free_limit is %v", n["disk_free_limit"])
	}
}
