package management

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/warren-mq/warren/auth"
	"github.com/warren-mq/warren/broker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newServer returns the API of an empty broker.
func newServer(t testing.TB) *Server {
	t.Helper()
	b, err := broker.New(broker.Config{NodeName: "rabbit@test"})
	check(t, err)
	return New(Config{}, b, zerolog.Nop())
}

// session is guest's in the vhost "/", made if it is not there.
func session(t testing.TB, s *Server, vhost string) *broker.Session {
	t.Helper()
	_, err := s.broker.AddVHost(vhost)
	check(t, err)
	everything := auth.Permission{Configure: ".*", Write: ".*", Read: ".*"}
	check(t, s.broker.Users.SetPermissions("guest", vhost, everything))
	session, err := s.broker.Open(s.broker.Users.Lookup("guest"), vhost, nil)
	check(t, err)
	return session
}

func declare(t testing.TB, s *broker.Session, name string) *broker.Queue {
	t.Helper()
	s.Broker().Enter()
	defer s.Broker().Leave()
	q, err := s.DeclareQueue(broker.QueueDeclaration{Name: name})
	check(t, err)
	return q
}

// publish sends n messages through the default exchange.
func publish(t testing.TB, s *broker.Session, key string, n int) {
	t.Helper()
	p := s.NewPublisher()
	s.Broker().Enter()
	defer s.Broker().Leave()
	for range n {
		_, err := p.Publish(&broker.Message{RoutingKey: []byte(key), Properties: []byte{0, 0}, Body: []byte("hello")})
		check(t, err)
	}
	var fx broker.Effects
	p.Settle(s.Broker().Now().UnixMilli(), &fx)
	fx.Run()
}

// ask sends a request of guest's from this machine.
func ask(s *Server, method, path string) *httptest.ResponseRecorder {
	return askAs(s, "guest", "guest", "127.0.0.1:40000", method, path)
}

func askAs(s *Server, user, password, peer, method, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.RemoteAddr = peer
	r.SetBasicAuth(user, password)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// get decodes the answer to a request that must succeed.
func get[T any](t testing.TB, s *Server, path string) (v T) {
	t.Helper()
	w := ask(s, http.MethodGet, path)
	if w.Code != http.StatusOK {
		t.Fatalf("GET %s: %d %s", path, w.Code, w.Body)
	}
	check(t, json.Unmarshal(w.Body.Bytes(), &v))
	return v
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
