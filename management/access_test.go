package management

import (
	"net/http"
	"slices"
	"testing"

	"github.com/warren-mq/warren/auth"
)

func TestLoopbackUsersComeFromThisMachineOnly(t *testing.T) {
	s := newServer(t)
	const refusal = `{"error":"not_authorised","reason":"User can only log in via localhost"}`
	for peer, let := range map[string]bool{
		"127.0.0.1:1": true, "127.8.9.1:1": true, "[::1]:1": true, "[::ffff:127.0.0.1]:1": true,
		"10.0.0.1:1": false, "[fe80::1]:1": false, "0.0.0.0:1": false, "192.0.2.1:1": false,
	} {
		w := askAs(s, "guest", "guest", peer, http.MethodGet, "/api/whoami")
		if let != (w.Code == http.StatusOK) || !let && w.Body.String() != refusal {
			t.Errorf("from %s: %d %s", peer, w.Code, w.Body)
		}
	}
	// A wrong password is a wrong password, wherever it comes from.
	if w := askAs(s, "guest", "wrong", "10.0.0.1:1", http.MethodGet, "/api/whoami"); w.Body.String() != `{"error":"not_authorized","reason":"Login failed"}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	check(t, s.broker.Users.SetPassword("admin", "pw", []string{"administrator"}))
	if w := askAs(s, "admin", "pw", "10.0.0.1:1", http.MethodGet, "/api/whoami"); w.Code != http.StatusOK {
		t.Errorf("another user: %d %s", w.Code, w.Body)
	}
}

// TestWhoMaySeeWhat has a user for each tag, who may open the vhost "v", or none.
func TestWhoMaySeeWhat(t *testing.T) {
	s := newServer(t)
	declare(t, session(t, s, "v"), "q")
	for _, user := range []string{"", "management", "policymaker", "monitoring", "administrator"} {
		for _, member := range []bool{false, true} {
			name := user + map[bool]string{true: "-member", false: "-stranger"}[member]
			check(t, s.broker.Users.SetPassword(name, "pw", []string{user}))
			if member {
				check(t, s.broker.Users.SetPermissions(name, "v", auth.Permission{}))
			}
		}
	}
	all := []string{"management", "policymaker", "monitoring", "administrator"}
	for _, c := range []struct {
		path              string
		members, stranger []string // tags that suffice for those who may open v, and for those who may not
	}{
		{"/api/overview", all, all},
		{"/api/queues", all, all},
		{"/api/queues/v", all, []string{"administrator"}},
		{"/api/queues/v/q", all, []string{"administrator"}},
		{"/api/queues/v/q/bindings", all, []string{"administrator"}},
		{"/api/exchanges/v/amq.topic", all, []string{"administrator"}},
		{"/api/bindings/v", all, []string{"administrator"}},
		{"/api/consumers/v", all, all},
		{"/api/vhosts/v/channels", all, []string{"administrator"}},
		{"/api/vhosts/v", []string{"administrator"}, []string{"administrator"}},
		{"/api/nodes", []string{"monitoring", "administrator"}, []string{"monitoring", "administrator"}},
	} {
		for _, tag := range append([]string{""}, all...) {
			for _, who := range []struct {
				name string
				may  []string
			}{{tag + "-member", c.members}, {tag + "-stranger", c.stranger}} {
				want := http.StatusUnauthorized
				if slices.Contains(who.may, tag) {
					want = http.StatusOK
				}
				if w := askAs(s, who.name, "pw", "127.0.0.1:1", http.MethodGet, c.path); w.Code != want {
					t.Errorf("GET %s by %s: %d %s, want %d", c.path, who.name, w.Code, w.Body, want)
				}
			}
		}
	}
}
