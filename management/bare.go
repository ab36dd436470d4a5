package management

import "github.com/warren-mq/warren/broker"

// bareQueue is a queue without statistics, for those who ask with disable_stats.
type bareQueue struct {
	Name       string `json:"name"`
	VHost      string `json:"vhost"`
	Node       string `json:"node"`
	Type       string `json:"type"`
	State      string `json:"state"`
	Durable    bool   `json:"durable"`
	AutoDelete bool   `json:"auto_delete"`
	Exclusive  bool   `json:"exclusive"`
	Arguments  table  `json:"arguments"`
	*bareTotals
}

// bareTotals are added with enable_queue_totals.
type bareTotals struct {
	Messages               uint64 `json:"messages"`
	MessagesReady          uint64 `json:"messages_ready"`
	MessagesUnacknowledged uint64 `json:"messages_unacknowledged"`
}

// withoutStats says whether a request wants no statistics, and whether totals all the same.
func (q *query) withoutStats() (bare, totals bool) {
	return q.values.Get("disable_stats") == "true", q.values.Get("enable_queue_totals") == "true"
}

// bareQueue says live where RabbitMQ 3.10.8 has not looked at the state.
func (s *Server) bareQueue(q *broker.Queue, totals bool) *bareQueue {
	o := &bareQueue{
		Name: q.Name(), VHost: q.VHost().Name(), Node: s.broker.NodeName(), Type: q.Type(), State: "live",
		Durable: q.Durable(), AutoDelete: q.AutoDelete(), Exclusive: q.Exclusive(), Arguments: table(q.Arguments()),
	}
	if totals {
		st := q.Figures()
		o.State = "running"
		o.bareTotals = &bareTotals{uint64(st.Messages()), uint64(st.Ready), uint64(st.Unacked)}
	}
	return o
}
