package management

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/warren-mq/warren/broker"
)

// scrape returns the lines of /metrics that begin with one of the names.
func scrape(t *testing.T, s *Server, names ...string) string {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	lines := regexp.MustCompile(`(?m)^rabbitmq_(`+strings.Join(names, "|")+`)(\{.*)? .*$`).FindAllString(w.Body.String(), -1)
	return strings.Join(lines, "\n")
}

func TestMetricsAreSumsOverTheNode(t *testing.T) {
	s := newServer(t)
	a := session(t, s, "/")
	declare(t, a, "q")
	declare(t, session(t, s, "other"), "q")
	publish(t, a, "q", 5)
	c := &fakeConnection{name: "c", stats: broker.ChannelStats{Published: 7, Confirmed: 5, Delivered: 3}}
	s.broker.AddConnection(c)
	defer s.broker.RemoveConnection(c)
	s.broker.Alarms.Set(broker.Disk, true)
	const want = `rabbitmq_alarms_free_disk_space_watermark 1
rabbitmq_alarms_memory_used_watermark 0
rabbitmq_channel_messages_published_total 7
rabbitmq_connections 1
rabbitmq_global_messages_delivered_total{protocol="amqp091",queue_type="rabbit_classic_queue"} 0
rabbitmq_global_messages_delivered_total{protocol="amqp091",queue_type="rabbit_quorum_queue"} 0
rabbitmq_global_messages_delivered_total{protocol="amqp091",queue_type="rabbit_stream_queue"} 0
rabbitmq_global_messages_received_total{protocol="amqp091"} 7
rabbitmq_global_messages_routed_total{protocol="amqp091"} 5
rabbitmq_identity_info{rabbitmq_cluster="rabbit@test",rabbitmq_cluster_permanent_id="rabbit@test",rabbitmq_node="rabbit@test"} 1
rabbitmq_queue_messages_ram 5
rabbitmq_queue_messages_ready 5
rabbitmq_queues 2`
	if got := scrape(t, s, "connections", "queues", "queue_messages_ready", "queue_messages_ram", "alarms_[dfm][^i].*_watermark", "identity_info",
		"channel_messages_published_total", "global_messages_(received|routed|delivered)_total"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestCountersNeverGoDown: a channel that is no longer listed and not yet added to what has ended is missing for a
// moment.
func TestCountersNeverGoDown(t *testing.T) {
	s := newServer(t)
	c := &fakeConnection{name: "c", stats: broker.ChannelStats{Published: 7}}
	s.broker.AddConnection(c)
	for range 2 {
		if got := scrape(t, s, "channel_messages_published_total"); got != "rabbitmq_channel_messages_published_total 7" {
			t.Error(got)
		}
		s.broker.RemoveConnection(c)
	}
	s.broker.ChannelEnded("/", c.stats)
	if got := scrape(t, s, "channel_messages_published_total"); got != "rabbitmq_channel_messages_published_total 7" {
		t.Error(got)
	}
}

func TestLoginsAreCounted(t *testing.T) {
	s := newServer(t)
	ask(s, http.MethodGet, "/api/whoami")
	askAs(s, "guest", "wrong", "127.0.0.1:1", http.MethodGet, "/api/whoami")
	const want = `rabbitmq_auth_attempts_failed_total{protocol="amqp091"} 0
rabbitmq_auth_attempts_failed_total{protocol="http"} 1
rabbitmq_auth_attempts_succeeded_total{protocol="amqp091"} 0
rabbitmq_auth_attempts_succeeded_total{protocol="http"} 1
rabbitmq_auth_attempts_total{protocol="amqp091"} 0
rabbitmq_auth_attempts_total{protocol="http"} 2`
	if got := scrape(t, s, "auth_attempts.*"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
