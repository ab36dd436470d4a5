package management_test

import (
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	rabbithole "github.com/michaelklishin/rabbit-hole/v3"
	amqp "github.com/rabbitmq/amqp091-go"
)

// TestTypedClientReadsEveryAnswer decodes the scenario with rabbit-hole, whose structs say what type each field must
// have: a number where it wants a text, or a list where it wants an object, is an error.
func TestTypedClientReadsEveryAnswer(t *testing.T) {
	if *live || *update {
		t.Skip("of Warren only")
	}
	s := play(t, warren(t))
	c := must(rabbithole.NewClient(s.target.api, "guest", "guest"))(t)
	c.SetTransport(client.Transport)

	if o := must(c.Overview())(t); o.RabbitMQVersion != "3.10.8" || o.ObjectTotals.Queues != 8 || len(o.Listeners) != 2 || o.MessageStats.Publish != 11 {
		t.Errorf("overview: %+v", o)
	}
	if w := must(c.Whoami())(t); w.Name != "guest" || !slices.Equal(w.Tags, rabbithole.UserTags{"administrator"}) {
		t.Errorf("whoami: %+v", w)
	}
	nodes := must(c.ListNodes())(t)
	if n := must(c.GetNode(nodes[0].Name))(t); n.FdTotal <= 0 || n.MemLimit <= 0 || n.ProcTotal <= 0 || len(n.ExchangeTypes) < 4 {
		t.Errorf("node: %+v", n)
	}
	must(c.GetClusterName())(t)
	if h := must(c.HealthCheckAlarms())(t); !h.Ok() {
		t.Errorf("alarms: %+v", h)
	}
	if v := must(c.GetVhost("orders"))(t); v.Name != "orders" || v.Messages != 2 {
		t.Errorf("vhost: %+v", v)
	}
	if len(must(c.ListVhosts())(t)) != 3 || len(must(c.ListVhostConnections("orders"))(t)) != 1 {
		t.Error("a vhost or a connection is missing")
	}

	connections := must(c.ListConnections())(t)
	if i := slices.IndexFunc(connections, func(c rabbithole.ConnectionInfo) bool { return c.Name == s.publisher }); i < 0 ||
		connections[i].ClientProperties["product"] != "scenario" {
		t.Errorf("connections: %+v", connections)
	}
	if c := must(c.GetConnection(s.publisher))(t); c.Channels != 2 || c.User != "guest" {
		t.Errorf("connection: %+v", c)
	}
	if ch := must(c.GetChannel(s.worker + " (2)"))(t); ch.UnacknowledgedMessageCount != 1 {
		t.Errorf("channel: %+v", ch)
	}
	if n := len(must(c.ListChannels())(t)); n != 5 {
		t.Errorf("%d channels", n)
	}
	if n := len(must(c.ListConsumers())(t)); n != 5 {
		t.Errorf("%d consumers", n)
	}
	if n := len(must(c.ListConsumersIn("orders"))(t)); n != 3 {
		t.Errorf("%d consumers in a vhost", n)
	}

	eventually(t, func() string {
		q := must(c.GetQueue("/", "work"))(t)
		if q.Messages != 3 || q.MessagesUnacknowledged != 3 || q.MessageStats.Publish != 4 || len(*q.ConsumerDetails) != 1 {
			return "queue: " + text(q)
		}
		return ""
	})
	if q := must(c.GetQueue(oddVHost, oddQueue))(t); q.Name != oddQueue || q.Vhost != oddVHost {
		t.Errorf("queue: %+v", q)
	}
	if q := must(c.GetQueue("/", "mine"))(t); q.OwnerPidDetails.Name != s.worker {
		t.Errorf("queue: %+v", q)
	}
	if n := len(must(c.ListQueues())(t)); n != 8 {
		t.Errorf("%d queues", n)
	}
	page := must(c.PagedListQueuesWithParameters(url.Values{"page": {"2"}, "page_size": {"3"}}))(t)
	if page.PageCount != 3 || page.ItemCount != 3 || page.TotalCount != 8 || len(page.Items) != 3 {
		t.Errorf("page: %+v", page)
	}
	if x := must(c.GetExchange("/", "fan"))(t); x.Type != "fanout" || x.Arguments["alternate-exchange"] != "amq.fanout" {
		t.Errorf("exchange: %+v", x)
	}
	if n := len(must(c.ListExchanges())(t)); n != 23 {
		t.Errorf("%d exchanges", n)
	}
	if n := len(must(c.ListBindings())(t)); n != 12 {
		t.Errorf("%d bindings", n)
	}
	if b := must(c.ListExchangeBindingsBetween("/", "fan", "inner"))(t); len(b) != 1 || b[0].RoutingKey != "a b.c/d#~" {
		t.Errorf("bindings: %+v", b)
	}
	if b := must(c.ListQueueBindingsBetween("/", "amq.headers", "copies"))(t); len(b) != 1 || b[0].Arguments["x-match"] != "all" {
		t.Errorf("bindings: %+v", b)
	}
	if _, err := c.GetQueue("/", "nothing"); err == nil || err.(rabbithole.ErrorResponse).StatusCode != http.StatusNotFound {
		t.Errorf("a queue that is not there: %v", err)
	}
}

// TestAClosedConnectionIsToldWhy closes one through the API; its client hears the reason.
func TestAClosedConnectionIsToldWhy(t *testing.T) {
	if *live || *update {
		t.Skip("of Warren only")
	}
	on := warren(t)
	for reason, want := range map[string]string{
		"":            "CONNECTION_FORCED - Closed via management plugin",
		"maintenance": "CONNECTION_FORCED - maintenance",
	} {
		c := on.dial(t, "guest", "/", nil)
		other := on.dial(t, "guest", "/", nil)
		closed := c.NotifyClose(make(chan *amqp.Error, 1))
		request := call{Method: http.MethodDelete, Path: "/api/connections/" + url.PathEscape(nameOf(c))}
		if reason != "" {
			request.Headers = map[string]string{"X-Reason": reason}
		}
		if a := on.do(t, request); a.Status != http.StatusNoContent || a.Body != "" {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		if e := <-closed; e.Code != amqp.ConnectionForced || e.Reason != want || !e.Server {
			t.Errorf("the client was told %v", e)
		}
		eventually(t, func() string {
			if a := on.do(t, request); a.Status != http.StatusNotFound {
				return "the connection is still listed"
			}
			return ""
		})
		must(other.Channel())(t) // the other connection goes on
	}
}

// TestRatesWhileAClientPublishes is what an operator sees first: a queue with counts and rates.
func TestRatesWhileAClientPublishes(t *testing.T) {
	if testing.Short() || *live || *update {
		t.Skip("takes two intervals of the sampler, 5 s each")
	}
	on := warren(t)
	c := on.dial(t, "guest", "/", nil)
	ch := must(c.Channel())(t)
	must(ch.QueueDeclare("q", false, false, false, false, nil))(t)
	must(ch.ConsumeWithContext(t.Context(), "q", "", true, false, false, false, nil))(t)
	rh := must(rabbithole.NewClient(on.api, "guest", "guest"))(t)
	rh.SetTransport(client.Transport)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-tick.C {
		check(t, ch.PublishWithContext(t.Context(), "", "q", false, false, amqp.Publishing{Body: []byte("hello")}))
		q := must(rh.ListQueuesIn("/"))(t)[0]
		if s := q.MessageStats; s != nil && s.PublishDetails.Rate > 20 && s.DeliverGetDetails.Rate > 20 && q.Consumers == 1 {
			return
		}
	}
	t.Errorf("no rates were shown: %s", text(must(rh.ListQueuesIn("/"))(t)[0].MessageStats))
}
