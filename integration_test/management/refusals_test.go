package management_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// exchangeOfWords is a call whose answer is compared as a whole: status, headers and body.
type exchangeOfWords struct {
	Call  call  `json:"call"`
	Reply reply `json:"reply"`
}

// refusals are calls that are answered with an error, or without an object. Where Warren answers otherwise, it says how
// and why.
var refusals = []struct {
	call
	status int    // ours, if it is another
	body   string // ours, with that status
	reason string
}{
	{call: call{Path: "/api/overview", User: "-"}},
	{call: call{Path: "/api/overview", User: "stranger"}},
	{call: call{Path: "/api/overview", User: "nobody"}},
	{call: call{Path: "/api/whoami", User: "-", Headers: map[string]string{"Authorization": "Bearer x"}}},
	{call: call{Path: "/api/whoami", User: "-", Headers: map[string]string{"Authorization": "Basic Z3Vlc3Q6d3Jvbmc="}}},
	{call: call{Path: "/api/whoami", User: "-", Headers: map[string]string{"Authorization": "Basic !!!"}}, status: 400, reason: "RabbitMQ leaves out all headers"},
	{call: call{Path: "/api/whoami", User: "-", Headers: map[string]string{"Authorization": "basic Z3Vlc3Q6Z3Vlc3Q="}}},
	{call: call{Path: "/api/nodes", User: "management"}},
	{call: call{Path: "/api/nodes", User: "policymaker"}},
	{call: call{Path: "/api/nodes/nowhere@host"}, status: 404, body: notFound, reason: "RabbitMQ fails"},
	{call: call{Path: "/api/vhosts/%2F", User: "management"}},
	{call: call{Path: "/api/vhosts/%2F", User: "monitoring"}},
	{call: call{Path: "/api/vhosts/nowhere", User: "monitoring"}},
	{call: call{Path: "/api/vhosts/nowhere"}},
	{call: call{Path: "/api/vhosts/%2F/connections", User: "monitoring"}},
	{call: call{Path: "/api/vhosts/nowhere/channels", User: "monitoring"}},
	{call: call{Path: "/api/queues/%2F", User: "management"}},
	{call: call{Path: "/api/queues/%2F", User: "monitoring"}},
	{call: call{Path: "/api/queues/nowhere", User: "management"}},
	{call: call{Path: "/api/queues/%2F/nothing"}},
	{call: call{Path: "/api/queues/%2F/work", User: "management"}},
	{call: call{Path: "/api/queues/%2F/work/", User: "policymaker"}},
	{call: call{Path: "/api/queues/%2F/nothing/bindings"}},
	{call: call{Path: "/api/queues/%252F/work"}},
	{call: call{Path: "/api/exchanges/%2F/nothing"}},
	{call: call{Path: "/api/exchanges/%2F/nothing/bindings/source"}},
	{call: call{Path: "/api/exchanges/%2F/nothing/bindings/destination"}},
	{call: call{Path: "/api/exchanges/nowhere"}},
	{call: call{Path: "/api/bindings/nowhere"}},
	{call: call{Path: "/api/bindings/%2F/e/fan/q/copies/nothing"}},
	{call: call{Path: "/api/bindings/%2F/e/fan/e/inner/a+b.c%2Fd%23%7E"}},
	{call: call{Path: "/api/connections/nothing"}},
	{call: call{Path: "/api/connections/nothing/channels"}, status: 404, body: notFound, reason: "RabbitMQ fails"},
	{call: call{Path: "/api/connections/{publisher}", User: "management"}},
	{call: call{Path: "/api/connections/{publisher}/channels", User: "management"}},
	{call: call{Path: "/api/connections/{other}", User: "policymaker"}},
	{call: call{Method: "DELETE", Path: "/api/connections/{publisher}", User: "management"}},
	{call: call{Method: "DELETE", Path: "/api/connections/nothing"}},
	{call: call{Path: "/api/channels/nothing"}},
	{call: call{Path: "/api/channels/{publisher 1}", User: "management"}},
	{call: call{Path: "/api/consumers/nowhere"}},
	{call: call{Path: "/api/nothing"}},
	{call: call{Path: "/api/nothing", User: "-"}},
	{call: call{Path: "/api//queues"}},
	{call: call{Path: "/api/queues//"}},
	{call: call{Path: "/api/queues/%2F/work/nothing"}, status: 404, body: notFound, reason: "RabbitMQ takes it for a form of /actions"},

	{call: call{Method: "POST", Path: "/api/overview"}},
	{call: call{Method: "POST", Path: "/api/overview", User: "-"}},
	{call: call{Method: "DELETE", Path: "/api/overview"}},
	{call: call{Method: "PATCH", Path: "/api/overview"}},
	{call: call{Method: "BREW", Path: "/api/overview"}},
	{call: call{Method: "OPTIONS", Path: "/api/overview", User: "-"}},
	{call: call{Method: "OPTIONS", Path: "/api/connections/nothing"}},
	{call: call{Method: "OPTIONS", Path: "/api/nothing"}},
	{call: call{Method: "PUT", Path: "/api/nothing"}},
	{call: call{Method: "HEAD", Path: "/api/queues"}},
	{call: call{Method: "HEAD", Path: "/api/queues/%2F/nothing"}},
	{call: call{Method: "HEAD", Path: "/api/whoami", User: "-"}},

	{call: call{Path: "/api/queues?page=0"}},
	{call: call{Path: "/api/queues?page=-1"}},
	{call: call{Path: "/api/queues?page=x"}},
	{call: call{Path: "/api/queues?page=1.5"}},
	{call: call{Path: "/api/queues?page="}},
	{call: call{Path: "/api/queues?page=1&page_size=0"}},
	{call: call{Path: "/api/queues?page=1&page_size=501"}},
	{call: call{Path: "/api/queues?page=1&page_size=x"}},
	{call: call{Path: "/api/queues?page=100"}},
	{call: call{Path: "/api/queues?page=2&name=zzz"}},
	{call: call{Path: "/api/queues/%2F?page=3&page_size=2"}},
	{call: call{Path: "/api/queues?page=1&use_regex=true&name=%28"}},
	{call: call{Path: "/api/connections?page=9"}},
	{call: call{Path: "/api/consumers?page=x"}, status: 200, body: "an answer", reason: "RabbitMQ fails, though it ignores a page that is one"},
	{call: call{Path: "/api/queues?sort_reverse=maybe&columns=name"}, status: 200, body: "an answer", reason: "RabbitMQ fails"},
}

const notFound = `{"error":"Object Not Found","reason":"Not Found"}`

const refusalsFile = "refusals.json"

func compareRefusals(t *testing.T, s *scenario, all []exchangeOfWords) {
	if len(all) != len(refusals) {
		t.Fatalf("%d answers to %d calls: record them again", len(all), len(refusals))
	}
	for i, want := range all {
		r := refusals[i]
		t.Run(fmt.Sprint(i, " ", want.Call), func(t *testing.T) {
			got := s.exchange(t, r.call)
			if r.status != 0 {
				want.Reply.Status, want.Reply.Body, want.Reply.Headers = r.status, r.body, got.Reply.Headers
			}
			for _, p := range []struct{ what, want, got string }{
				{"status", http.StatusText(want.Reply.Status), http.StatusText(got.Reply.Status)},
				{"headers", text(want.Reply.Headers), text(got.Reply.Headers)},
				{"body", want.Reply.Body, got.Reply.Body},
			} {
				if p.want != p.got {
					t.Errorf("%s: RabbitMQ has %s, we have %s", p.what, p.want, p.got)
				}
			}
		})
	}
}

func (s *scenario) refuse(t *testing.T) (all []exchangeOfWords) {
	for _, r := range refusals {
		all = append(all, s.exchange(t, r.call))
	}
	return all
}

func (s *scenario) exchange(t *testing.T, c call) exchangeOfWords {
	t.Helper()
	expanded := c
	expanded.Path = s.expand(t, c.Path)
	e := exchangeOfWords{Call: c, Reply: s.target.do(t, expanded)}
	if e.Reply.Status == http.StatusOK && c.Method != http.MethodHead && c.Method != http.MethodOptions {
		e.Reply.Body = "an answer" // what it says is compared elsewhere
	}
	return e
}

func readRefusals(t *testing.T) (all []exchangeOfWords) {
	file, err := os.ReadFile(filepath.Join("testdata", refusalsFile))
	check(t, err)
	check(t, json.Unmarshal(file, &all))
	return all
}

func writeRefusals(t *testing.T, all []exchangeOfWords) {
	file, err := json.MarshalIndent(all, "", " ")
	check(t, err)
	check(t, os.WriteFile(filepath.Join("testdata", refusalsFile), append(file, '\n'), 0o644))
}
