package core_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warren-mq/warren/amqptest"
)

// TestFirehose: with tracing on, amq.rabbitmq.trace gets a copy of each publish and of each delivery, with the headers
// that RabbitMQ 3.10.8 gives them; not of its own messages, and nothing once it is off.
func TestFirehose(t *testing.T) {
	b := amqptest.NewServer(t)
	conn, err := amqp091.Dial(b.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	channel := func() *amqp091.Channel {
		t.Helper()
		ch, err := conn.Channel()
		if err != nil {
			t.Fatal(err)
		}
		return ch
	}
	watch, ch := channel(), channel()
	for _, q := range []string{"traces", "q"} {
		if _, err := watch.QueueDeclare(q, false, false, false, false, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := watch.QueueBind("traces", "#", "amq.rabbitmq.trace", false, nil); err != nil {
		t.Fatal(err)
	}
	traces, err := watch.Consume("traces", "", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	name := b.Broker.Connections()[0].Name()
	next := func(key, body string, want amqp091.Table) {
		t.Helper()
		select {
		case d := <-traces:
			want["node"], want["vhost"], want["connection"], want["user"] = b.Broker.NodeName(), "/", name, "guest"
			if d.Exchange != "amq.rabbitmq.trace" || d.RoutingKey != key || string(d.Body) != body || !reflect.DeepEqual(d.Headers, want) {
				t.Errorf("got %s %s %q\n%v, want %s %q\n%v", d.Exchange, d.RoutingKey, d.Body, d.Headers, key, body, want)
			}
		case <-time.After(patience):
			t.Fatalf("no %s", key)
		}
	}
	publish := func(exchange, key string, p amqp091.Publishing) {
		t.Helper()
		if err := ch.PublishWithContext(t.Context(), exchange, key, false, false, p); err != nil {
			t.Fatal(err)
		}
	}
	list := func(words ...string) []any {
		var all []any
		for _, w := range words {
			all = append(all, w)
		}
		return all
	}

	publish("", "q", amqp091.Publishing{Body: []byte("before")})
	trace(t, b, true)
	publish("", "nowhere", amqp091.Publishing{Body: []byte("1")})
	next("publish.", "1", amqp091.Table{"exchange_name": "", "routing_keys": list("nowhere"), "properties": amqp091.Table{},
		"channel": int32(2), "routed_queues": list("nowhere")})
	publish("amq.topic", "a.b", amqp091.Publishing{Body: []byte("2"), ContentType: "text/plain", Priority: 3, DeliveryMode: 2,
		MessageId: "m", Timestamp: time.Unix(1000, 0), Headers: amqp091.Table{"h": int32(1), "CC": []any{"q"}, "BCC": []any{"x"}}})
	next("publish.amq.topic", "2", amqp091.Table{"exchange_name": "amq.topic", "routing_keys": list("a.b", "q", "x"),
		"properties": amqp091.Table{"timestamp": int32(1000), "message_id": "m", "priority": int32(3), "delivery_mode": int32(2),
			"headers": amqp091.Table{"h": int32(1), "CC": []any{"q"}}, "content_type": "text/plain"},
		"channel": int32(2), "routed_queues": list()})
	if d, ok, err := ch.Get("q", false); !ok || err != nil || string(d.Body) != "before" {
		t.Fatalf("got %q, %t, %v", d.Body, ok, err)
	} else if err := d.Nack(false, true); err != nil {
		t.Fatal(err)
	}
	delivered := func(channel, redelivered int32) amqp091.Table {
		return amqp091.Table{"exchange_name": "", "routing_keys": list("q"), "properties": amqp091.Table{},
			"channel": channel, "redelivered": redelivered}
	}
	next("deliver.q", "before", delivered(2, 0))
	consumer := channel()
	got, err := consumer.Consume("q", "c", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	<-got
	next("deliver.q", "before", delivered(3, 1))
	publish("", "q", amqp091.Publishing{Body: []byte("straight")})
	<-got
	next("publish.", "straight", amqp091.Table{"exchange_name": "", "routing_keys": list("q"), "properties": amqp091.Table{},
		"channel": int32(2), "routed_queues": list("q")})
	next("deliver.q", "straight", delivered(3, 0))

	tx := channel()
	if err := tx.Tx(); err != nil {
		t.Fatal(err)
	}
	if err := tx.PublishWithContext(t.Context(), "", "none", false, false, amqp091.Publishing{Body: []byte("tx")}); err != nil {
		t.Fatal(err)
	}
	next("publish.", "tx", amqp091.Table{"exchange_name": "", "routing_keys": list("none"), "properties": amqp091.Table{},
		"channel": int32(4), "routed_queues": list("none")}) // before the commit

	trace(t, b, false)
	publish("", "q", amqp091.Publishing{Body: []byte("after")})
	<-got
	if _, err := watch.QueueDeclarePassive("traces", false, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	select {
	case d := <-traces:
		t.Errorf("got %s", d.RoutingKey)
	default:
	}
}

// trace switches the tracing of the default vhost.
func trace(t *testing.T, b *amqptest.Server, on bool) {
	t.Helper()
	body := `{"tracing":false}`
	if on {
		body = `{"tracing":true}`
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, b.ManagementURL+"/api/vhosts/%2F", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("guest", "guest")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	a, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	a.Body.Close()
	if a.StatusCode != http.StatusNoContent {
		t.Fatalf("PUT: %s", a.Status)
	}
	if vh, _ := b.Broker.VHost("/"); vh.Tracing() != on {
		t.Errorf("tracing is %t", vh.Tracing())
	}
}

// TestTracingOutlivesTheBroker.
func TestTracingOutlivesTheBroker(t *testing.T) {
	dir := t.TempDir()
	for _, on := range []bool{true, false} {
		b := amqptest.NewServer(t, amqptest.WithDataDir(dir))
		vh, _ := b.Broker.VHost("/")
		if vh.Tracing() == on {
			t.Errorf("tracing is %t after the start", on)
		}
		trace(t, b, on)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	b := amqptest.NewServer(t, amqptest.WithDataDir(dir))
	if vh, _ := b.Broker.VHost("/"); vh.Tracing() {
		t.Error("tracing is on after it was switched off")
	}
}
