package management_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/amqptest"
	"github.com/warren-mq/warren/auth"
	"github.com/warren-mq/warren/broker"
)

// target is a broker that the scenario runs on: Warren in this process, or a real RabbitMQ.
type target struct {
	name string
	amqp string // host:port
	api  string // http://host:port

	// What the scenario needs and cannot do over AMQP.
	addVHost func(t *testing.T, name string)
	addUser  func(t *testing.T, name, tag string)
	permit   func(t *testing.T, user, vhost string)
}

// password is that of every user but guest.
const password = "secret"

// everything are permissions for all names.
const everything = ".*"

func warren(t *testing.T) *target {
	t.Helper()
	s := amqptest.NewServer(t)
	return &target{
		name: "Warren", amqp: s.Addr, api: s.ManagementURL,
		addVHost: func(t *testing.T, name string) { must(s.Broker.AddVHost(name))(t) },
		addUser: func(t *testing.T, name, tag string) {
			check(t, s.Broker.Users.SetPassword(name, password, tags(tag)))
		},
		permit: func(t *testing.T, user, vhost string) {
			check(t, permit(s.Broker, user, vhost))
		},
	}
}

func permit(b *broker.Broker, user, vhost string) error {
	return b.Users.SetPermissions(user, vhost, auth.Permission{Configure: everything, Write: everything, Read: everything})
}

func tags(tag string) []string {
	if tag == "" {
		return nil
	}
	return []string{tag}
}

// rabbit is a fresh RabbitMQ, which is prepared through its own API.
func rabbit(amqp, api string) *target {
	put := func(t *testing.T, path string, body any) {
		t.Helper()
		b := &target{name: "RabbitMQ", api: api}
		a := b.do(t, call{Method: http.MethodPut, Path: path, body: body})
		if a.Status != http.StatusCreated && a.Status != http.StatusNoContent {
			t.Fatalf("PUT %s: %d %s", path, a.Status, a.Body)
		}
	}
	return &target{
		name: "RabbitMQ", amqp: amqp, api: api,
		addVHost: func(t *testing.T, name string) { put(t, "/api/vhosts/"+url.PathEscape(name), map[string]any{}) },
		addUser: func(t *testing.T, name, tag string) {
			put(t, "/api/users/"+name, map[string]string{"password": password, "tags": tag})
		},
		permit: func(t *testing.T, user, vhost string) {
			put(t, "/api/permissions/"+url.PathEscape(vhost)+"/"+user,
				map[string]string{"configure": everything, "write": everything, "read": everything})
		},
	}
}

// call is a request to the API.
type call struct {
	Method  string            `json:"method,omitempty"` // GET by default
	Path    string            `json:"path"`             // as it stands in the request line
	User    string            `json:"user,omitempty"`   // guest by default, "-" for nobody
	Headers map[string]string `json:"headers,omitempty"`
	body    any
}

func (c call) String() string { return cmp.Or(c.Method, http.MethodGet) + " " + c.Path }

// reply is the answer to a call.
type reply struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    json.RawMessage   `json:"body,omitempty"`
}

// comparedHeaders are those whose values count. The others differ by server, date and length.
var comparedHeaders = []string{"Allow", "Cache-Control", "Content-Type", "Vary", "Www-Authenticate"}

// client follows no redirects and keeps no connections, so that nothing is left when a broker ends.
var client = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func (b *target) do(t *testing.T, c call) reply {
	t.Helper()
	var body io.Reader
	if c.body != nil {
		text, err := json.Marshal(c.body)
		check(t, err)
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(t.Context(), cmp.Or(c.Method, http.MethodGet), b.api+c.Path, body)
	check(t, err)
	switch user := cmp.Or(c.User, "guest"); user {
	case "-":
	case "guest":
		req.SetBasicAuth("guest", "guest")
	default:
		req.SetBasicAuth(user, password)
	}
	for name, value := range c.Headers {
		req.Header.Set(name, value)
	}
	resp, err := client.Do(req)
	check(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	check(t, err)
	a := reply{Status: resp.StatusCode, Headers: map[string]string{}}
	for _, name := range comparedHeaders {
		if v := resp.Header.Get(name); v != "" {
			a.Headers[name] = v
		}
	}
	if len(text) > 0 {
		a.Body = text
		if !json.Valid(text) {
			a.Body, err = json.Marshal(string(text))
			check(t, err)
		}
	}
	return a
}

func (b *target) dial(t *testing.T, user, vhost string, properties amqp.Table) *amqp.Connection {
	t.Helper()
	pass := password
	if user == "guest" {
		pass = "guest"
	}
	u := url.URL{Scheme: "amqp", User: url.UserPassword(user, pass), Host: b.amqp}
	c, err := amqp.DialConfig(u.String(), amqp.Config{Vhost: vhost, Properties: properties, Heartbeat: 10e9})
	check(t, err)
	t.Cleanup(func() { c.Close() }) // an error means that it is closed already
	return c
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// must gives the value of a call that may not fail: must(f())(t).
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		check(t, err)
		return v
	}
}
