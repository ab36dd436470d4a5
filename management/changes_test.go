package management

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestAliveness passes a message through a queue and leaves it empty, also when asked again.
func TestAliveness(t *testing.T) {
	s := newServer(t)
	for range 2 {
		w := do(s, http.MethodGet, "/api/aliveness-test/%2F", "")
		if w.Code != http.StatusOK || strings.TrimSpace(w.Body.String()) != `{"status":"ok"}` {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	if w := do(s, http.MethodGet, "/api/aliveness-test/nowhere", ""); w.Code != http.StatusNotFound {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	vh, _ := s.broker.VHost("/")
	q, ok := vh.Queue("aliveness-test")
	if !ok {
		t.Fatal("no queue")
	}
	if st := q.Stats(); st.Messages() != 0 || st.Publish != 2 {
		t.Errorf("%+v", st)
	}
	for query, want := range map[string]string{
		"disable_stats=true":                          `[{"name":"aliveness-test","vhost":"/","node":"NODE","type":"classic","state":"live","durable":false,"auto_delete":false,"exclusive":false,"arguments":{}}]`,
		"disable_stats=true&enable_queue_totals=true": `[{"name":"aliveness-test","vhost":"/","node":"NODE","type":"classic","state":"running","durable":false,"auto_delete":false,"exclusive":false,"arguments":{},"messages":0,"messages_ready":0,"messages_unacknowledged":0}]`,
	} {
		want = strings.ReplaceAll(want, "NODE", s.broker.NodeName())
		if got := strings.TrimSpace(do(s, http.MethodGet, "/api/queues?"+query, "").Body.String()); got != want {
			t.Errorf("%s: got\n%s, want\n%s", query, got, want)
		}
	}
}

func TestTracingIsSwitchedByPut(t *testing.T) {
	s := newServer(t)
	vh, _ := s.broker.VHost("/")
	for _, c := range []struct {
		body string
		code int
		on   bool
	}{
		{`{"tracing":true}`, 204, true},
		{`{}`, 204, true},
		{``, 204, true},
		{`{"tracing":"foo"}`, 400, true},
		{`[1]`, 400, true},
		{`{`, 400, true},
		{`{"tracing":"false"}`, 204, false},
	} {
		if w := do(s, http.MethodPut, "/api/vhosts/%2F", c.body); w.Code != c.code || vh.Tracing() != c.on {
			t.Errorf("%s: %d %s, tracing is %t", c.body, w.Code, w.Body, vh.Tracing())
		}
	}
	if w := do(s, http.MethodPut, "/api/vhosts/nowhere", `{"tracing":true}`); w.Code != http.StatusNotFound {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// do asks as the administrator.
func do(s *Server, method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:40000"
	r.SetBasicAuth("guest", "guest")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}
