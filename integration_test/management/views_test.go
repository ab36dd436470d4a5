package management_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// view is a resource whose answers are compared, field by field. Its name is that of the recorded answer.
type view struct {
	name, path, user string
}

var views = []view{
	{name: "overview", path: "/api/overview"},
	{name: "overview-management", path: "/api/overview", user: "management"},
	{name: "whoami", path: "/api/whoami", user: "monitoring"},
	{name: "cluster-name", path: "/api/cluster-name"},
	{name: "nodes", path: "/api/nodes"},
	{name: "node", path: "/api/nodes/{node}"},
	{name: "alarms", path: "/api/health/checks/alarms"},
	{name: "local-alarms", path: "/api/health/checks/local-alarms"},

	{name: "vhosts", path: "/api/vhosts"},
	{name: "vhosts-management", path: "/api/vhosts", user: "management"},
	{name: "vhost", path: "/api/vhosts/%2F"},
	{name: "vhost-odd", path: "/api/vhosts/{odd-vhost}"},
	{name: "vhost-connections", path: "/api/vhosts/orders/connections"},
	{name: "vhost-channels", path: "/api/vhosts/orders/channels"},

	{name: "connections", path: "/api/connections"},
	{name: "connections-management", path: "/api/connections", user: "management"},
	{name: "connection", path: "/api/connections/{publisher}"},
	{name: "connection-channels", path: "/api/connections/{publisher}/channels"},
	{name: "channels", path: "/api/channels"},
	{name: "channels-management", path: "/api/channels", user: "management"},
	{name: "channel-publisher", path: "/api/channels/{publisher 1}"},
	{name: "channel-worker", path: "/api/channels/{worker 1}"},
	{name: "consumers", path: "/api/consumers"},
	{name: "consumers-vhost", path: "/api/consumers/orders"},
	{name: "consumers-foreign-vhost", path: "/api/consumers/%2F", user: "management"},

	{name: "exchanges", path: "/api/exchanges"},
	{name: "exchanges-vhost", path: "/api/exchanges/%2F"},
	{name: "exchange", path: "/api/exchanges/%2F/fan"},
	{name: "exchange-default", path: "/api/exchanges/%2F/amq.default"},
	{name: "exchange-source", path: "/api/exchanges/%2F/fan/bindings/source"},
	{name: "exchange-source-default", path: "/api/exchanges/%2F//bindings/source"},
	{name: "exchange-destination", path: "/api/exchanges/%2F/inner/bindings/destination"},
	{name: "queues", path: "/api/queues"},
	{name: "queues-management", path: "/api/queues", user: "management"},
	{name: "queues-monitoring", path: "/api/queues", user: "monitoring"},
	{name: "queues-administrator", path: "/api/queues", user: "administrator"},
	{name: "queues-vhost", path: "/api/queues/%2F/"},
	{name: "queue", path: "/api/queues/%2F/work"},
	{name: "queue-exclusive", path: "/api/queues/%2F/mine"},
	{name: "queue-idle", path: "/api/queues/%2F/idle"},
	{name: "queue-odd", path: "/api/queues/{odd-vhost}/{odd-queue}"},
	{name: "queue-single", path: "/api/queues/orders/single"},
	{name: "queue-quorum", path: "/api/queues/orders/log"},
	{name: "queue-bindings", path: "/api/queues/%2F/copies/bindings"},
	{name: "queue-odd-bindings", path: "/api/queues/{odd-vhost}/{odd-queue}/bindings"},
	{name: "bindings", path: "/api/bindings"},
	{name: "bindings-vhost", path: "/api/bindings/%2F"},
	{name: "bindings-queue", path: "/api/bindings/%2F/e/fan/q/copies"},
	{name: "bindings-exchange", path: "/api/bindings/%2F/e/fan/e/inner"},
	{name: "bindings-default", path: "/api/bindings/%2F/e/amq.default/q/work"},
	{name: "bindings-none", path: "/api/bindings/%2F/e/nowhere/q/nothing"},
	{name: "binding", path: "/api/bindings/%2F/e/fan/e/inner/a%2Bb.c%252Fd%2523%257E"},
	{name: "binding-empty-key", path: "/api/bindings/%2F/e/fan/q/copies/~"},
	{name: "binding-default", path: "/api/bindings/%2F/e//q/work/work"},

	{name: "columns", path: "/api/queues?columns=name,arguments,message_stats.publish,messages_details.rate"},
	{name: "columns-one", path: "/api/queues/%2F/work?columns=name,vhost"},
	{name: "columns-array", path: "/api/overview?columns=exchange_types.name"},
	{name: "sorted", path: "/api/queues?columns=name&sort=messages&sort_reverse=true"},
	{name: "sorted-nested", path: "/api/queues?columns=name&sort=message_stats.publish"},
	{name: "sorted-bool", path: "/api/queues?columns=name&sort=durable"},
	{name: "sorted-unknown", path: "/api/queues?columns=name&sort=nosuch"},
	{name: "reversed", path: "/api/exchanges/%2F?columns=name&sort_reverse=true"},
	{name: "page", path: "/api/queues?columns=name&page=2&page_size=2"},
	{name: "page-first", path: "/api/exchanges?columns=name,vhost&page=1&page_size=3&sort=type&sort_reverse=true"},
	{name: "page-name", path: "/api/queues?columns=name&page=1&name=OP"},
	{name: "page-regex", path: "/api/queues?columns=name&page=1&name=%5E%28W%7CI%29.%2A&use_regex=true&pagination=false"},
	{name: "page-nothing", path: "/api/queues?columns=name&page=1&name=zzz"},
	{name: "page-ignored", path: "/api/consumers?columns=consumer_tag&page=1&page_size=1&sort=consumer_tag"},
	{name: "page-connections", path: "/api/connections?columns=user&page=1&page_size=2&sort=user"},
	{name: "name-without-page", path: "/api/queues?columns=name&name=work"},
}

// fetch asks for a view and replaces the names that differ from run to run.
func (s *scenario) fetch(t *testing.T, v view) any {
	t.Helper()
	a := s.target.do(t, call{Path: s.expand(t, v.path), User: v.user})
	if a.Status != http.StatusOK {
		return fmt.Sprintf("%s: GET %s: %d %s", s.target.name, v.path, a.Status, a.Body) // never equal to an answer
	}
	return decode(t, s.normalise(t, a.Body))
}

// normalise writes stable names for those that hold ports or the host's name.
func (s *scenario) normalise(t *testing.T, text string) []byte {
	node := s.node(t)
	_, host, _ := strings.Cut(node, "@")
	return []byte(strings.NewReplacer(
		s.publisher, "PUBLISHER", s.worker, "WORKER", s.other, "OTHER",
		node, "NODE", s.cluster(t), "CLUSTER", "@"+host, "@HOST",
	).Replace(text))
}

func (s *scenario) node(t *testing.T) string    { return s.text(t, "/api/overview", "node") }
func (s *scenario) cluster(t *testing.T) string { return s.text(t, "/api/cluster-name", "name") }

func (s *scenario) text(t *testing.T, path, field string) string {
	t.Helper()
	var o map[string]any
	check(t, json.Unmarshal([]byte(s.target.do(t, call{Path: path + "?columns=" + field}).Body), &o))
	return o[field].(string)
}

// decode keeps integers apart from other numbers.
func decode(t *testing.T, text []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	check(t, d.Decode(&v))
	return v
}

func viewFile(v view) string { return filepath.Join("testdata", "views", v.name+".json") }

func readViews(t *testing.T) map[string]any {
	answers := make(map[string]any, len(views))
	for _, v := range views {
		text, err := os.ReadFile(viewFile(v))
		check(t, err)
		answers[v.name] = decode(t, text)
	}
	return answers
}

func compareViews(t *testing.T, s *scenario, answers map[string]any) {
	var used uses
	for _, v := range views {
		t.Run(v.name, func(t *testing.T) {
			eventually(t, func() string { return used.compare(v.name, answers[v.name], s.fetch(t, v)) })
		})
	}
	if !t.Failed() {
		used.check(t)
	}
}

func writeView(t *testing.T, v view, answer any) {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	check(t, e.Encode(answer))
	check(t, os.MkdirAll(filepath.Dir(viewFile(v)), 0o755))
	check(t, os.WriteFile(viewFile(v), b.Bytes(), 0o644))
}

// settled asks for all views until RabbitMQ, which counts with a delay of some seconds, shows nothing new any more.
func (s *scenario) settled(t *testing.T) map[string]any {
	var last map[string]any
	var complaint string
	for deadline := time.Now().Add(90 * time.Second); time.Now().Before(deadline); {
		answers := make(map[string]any, len(views))
		for _, v := range views {
			answers[v.name] = s.fetch(t, v)
		}
		changed := changes(last, answers)
		if last != nil && changed == "" {
			return answers
		}
		last, complaint = answers, changed
		pause(6 * time.Second) // longer than its interval of 5 s
	}
	t.Fatalf("RabbitMQ's answers do not settle:\n%s", complaint)
	return nil
}

// changes tells what differs between two rounds, or is no answer.
func changes(last, answers map[string]any) string {
	var found []string
	var none uses
	for _, v := range views {
		failure, failed := answers[v.name].(string)
		if !failed {
			failure = none.compare(v.name, last[v.name], answers[v.name])
		}
		if failure != "" {
			found = append(found, failure)
		}
	}
	return strings.Join(found, "\n")
}

// pause waits for another process, whose clock is not ours.
func pause(d time.Duration) { <-time.After(d) }

// eventually repeats a comparison until it finds nothing to complain of, or for 10 s: what clients do arrives after
// their calls have returned.
func eventually(t *testing.T, complaint func() string) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		c := complaint()
		if c == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Error(c)
			return
		}
		pause(50 * time.Millisecond)
	}
}
