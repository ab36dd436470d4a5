package core_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/amqptest"
)

// TestWhatWaitsForARetryCounts as neither ready nor unacknowledged, for clients, for the management API and in metrics: toward
// the queue's limit, for a delete of an empty queue, and for a purge.
func TestWhatWaitsForARetryCounts(t *testing.T) {
	s := amqptest.NewServer(t)
	ch := durableChannel(t, s)
	must(t, ch.Confirm(false))
	_, err := ch.QueueDeclare("jobs", false, false, false, false, amqp091.Table{
		"x-retry": "1h,1h", "x-max-length": 3, "x-overflow": "reject-publish",
	})
	must(t, err)
	publish := func(body string) bool {
		c, err := ch.PublishWithDeferredConfirmWithContext(t.Context(), "", "jobs", false, false, amqp091.Publishing{Body: []byte(body)})
		must(t, err)
		return c.Wait()
	}
	for _, body := range []string{"a", "bb", "ccc"} {
		if !publish(body) {
			t.Fatalf("%s is refused", body)
		}
	}
	for range 2 {
		d, _, err := ch.Get("jobs", false)
		must(t, err)
		if string(d.Body) == "a" {
			must(t, d.Nack(false, true))
		}
	}
	q, err := ch.QueueDeclarePassive("jobs", false, false, false, false, nil)
	must(t, err)
	if q.Messages != 1 {
		t.Errorf("queue.declare-ok counts %d messages, want the ready one", q.Messages)
	}
	if !publish("dddd") || publish("eeeee") {
		t.Error("the limit does not count what is ready and what waits")
	}

	want := map[string]float64{
		"messages": 4, "messages_ready": 2, "messages_unacknowledged": 1, "messages_delayed": 1,
		"message_bytes": 10, "message_bytes_ready": 7, "message_bytes_unacknowledged": 2, "message_bytes_delayed": 1,
	}
	object := map[string]any{}
	must(t, json.Unmarshal(managed(t, s, "/api/queues/%2F/jobs"), &object))
	for name, n := range want {
		if object[name] != n {
			t.Errorf("%s is %v, want %v", name, object[name], n)
		}
	}
	for path, field := range map[string]string{"/api/overview": "queue_totals", "/api/vhosts/%2F": ""} {
		object := map[string]any{}
		must(t, json.Unmarshal(managed(t, s, path), &object))
		if field != "" {
			object = object[field].(map[string]any)
		}
		if object["messages"] != 4.0 || object["messages_ready"] != 2.0 || object["messages_unacknowledged"] != 1.0 {
			t.Errorf("%s: %v", path, object)
		}
	}
	metrics := string(managed(t, s, "/metrics"))
	for _, line := range []string{"rabbitmq_queue_messages 4\n", "rabbitmq_queue_messages_ready 2\n", "rabbitmq_queue_messages_unacked 1\n"} {
		if !strings.Contains(metrics, line) {
			t.Errorf("/metrics lacks %q", line)
		}
	}

	for range 2 { // then all wait, or are with a consumer
		d, _, err := ch.Get("jobs", false)
		must(t, err)
		must(t, d.Nack(false, true))
	}
	other := durableChannel(t, s)
	_, err = other.QueueDelete("jobs", false, true, false)
	if e, ok := errors.AsType[*amqp091.Error](err); !ok || e.Code != amqp091.PreconditionFailed || e.Reason != "PRECONDITION_FAILED - queue 'jobs' in vhost '/' not empty" {
		t.Errorf("queue.delete if-empty: %v", err)
	}
	if n, err := ch.QueuePurge("jobs", false); n != 3 || err != nil {
		t.Errorf("purged %d, %v, want 3", n, err)
	}
	if n, err := ch.QueueDelete("jobs", false, true, false); n != 0 || err != nil {
		t.Errorf("deleted with %d, %v", n, err)
	}
}

// managed is what the management API answers.
func managed(t *testing.T, s *amqptest.Server, path string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.ManagementURL+path, nil)
	must(t, err)
	req.SetBasicAuth("guest", "guest")
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer http.DefaultClient.CloseIdleConnections()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return body
}
