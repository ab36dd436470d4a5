package management

import (
	"net/http"
	"net/url"
	"testing"
)

// bindingJSON are the fields of a binding that are read here.
type bindingJSON struct {
	Destination   string `json:"destination"`
	RoutingKey    string `json:"routing_key"`
	PropertiesKey string `json:"properties_key"`
}

// TestNamesAreDecodedOnce asks for vhosts and queues whose names are hard in a path.
func TestNamesAreDecodedOnce(t *testing.T) {
	s := newServer(t)
	names := []string{
		"/", "a/b", "//", "100%", "%2F", "%252F", "with space", "a+b", "what?", "a#b", "a&b=c", "ü", "日本", "a.b", ".", "..",
		"../..", "semi;colon", "queues", "{vhost}", `quo"te`, `back\slash`, "tab\t", "~",
	}
	for _, vhost := range names {
		for _, name := range names {
			declare(t, session(t, s, vhost), name)
			path := "/api/queues/" + url.PathEscape(vhost) + "/" + url.PathEscape(name)
			for _, path := range []string{path, path + "/"} {
				q := get[queueName](t, s, path)
				if q.Name != name || q.VHost != vhost {
					t.Errorf("GET %s is queue %q in %q", path, q.Name, q.VHost)
				}
			}
			bindings := get[[]bindingJSON](t, s, path+"/bindings")
			if len(bindings) != 1 || bindings[0].Destination != name {
				t.Errorf("bindings of %q in %q: %v", name, vhost, bindings)
			}
			// The properties key is encoded, and stands in the path as any other name does.
			binding := get[bindingJSON](t, s, "/api/bindings/"+url.PathEscape(vhost)+"/e/amq.default/q/"+url.PathEscape(name)+
				"/"+url.PathEscape(bindings[0].PropertiesKey))
			if binding.RoutingKey != name {
				t.Errorf("binding of %q has the key %q", name, binding.RoutingKey)
			}
		}
	}
}

func TestPathsThatAreNotThereAreNotFound(t *testing.T) {
	s := newServer(t)
	for _, path := range []string{
		"/", "/api", "/api/", "/apiqueues", "/api/Queues", "/api//queues", "/api/queues//", "/api/queues/%2F/%2F/%2F", "/metrics/x",
		"/api/queues/%2F/..", "/api/../api/queues", "/api/./queues",
	} {
		w := ask(s, http.MethodGet, path)
		if w.Code != http.StatusNotFound || w.Body.String() != `{"error":"Object Not Found","reason":"Not Found"}` {
			t.Errorf("GET %s: %d %s", path, w.Code, w.Body)
		}
	}
}

// TestEveryPatternHasAnAccess finds a route that somebody forgot to guard.
func TestEveryPatternHasAnAccess(t *testing.T) {
	for _, r := range newServer(t).routes {
		if r.access == anybody {
			t.Errorf("%s is open to anybody", r.pattern)
		}
		hasVHost := len(r.segments) > 1 && r.segments[1] == "{vhost}"
		if hasVHost && r.access != members && r.pattern != "/vhosts/{vhost}" && r.pattern != "/consumers/{vhost}" {
			t.Errorf("%s does not look at the vhost", r.pattern)
		}
	}
}

func TestHeadHasNoBody(t *testing.T) {
	s := newServer(t)
	w := ask(s, http.MethodHead, "/api/whoami")
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}
