package management

import (
	"fmt"
	"net"
	"runtime"
	"strconv"

	"github.com/warren-mq/warren/exchange"
)

// overviewObject is the node at a glance. Somebody who is no monitor gets the figures of the vhosts that he may open and
// of his own connections, and nothing about the node.
type overviewObject struct {
	ManagementVersion          string           `json:"management_version"`
	ProductName                string           `json:"product_name"`
	ProductVersion             string           `json:"product_version"`
	RabbitMQVersion            string           `json:"rabbitmq_version"`
	ErlangVersion              string           `json:"erlang_version"` // of Go
	ErlangFullVersion          string           `json:"erlang_full_version"`
	ReleaseSeriesSupportStatus string           `json:"release_series_support_status"`
	ClusterName                string           `json:"cluster_name"`
	Node                       string           `json:"node,omitempty"`
	RatesMode                  string           `json:"rates_mode"`
	SampleRetentionPolicies    retention        `json:"sample_retention_policies"`
	ExchangeTypes              []named          `json:"exchange_types"`
	DisableStats               bool             `json:"disable_stats"`
	EnableQueueTotals          bool             `json:"enable_queue_totals"`
	MessageStats               messageStats     `json:"message_stats"`
	QueueTotals                queueTotals      `json:"queue_totals"`
	ObjectTotals               objectTotals     `json:"object_totals"`
	ChurnRates                 churn            `json:"churn_rates"`
	StatisticsDBEventQueue     int              `json:"statistics_db_event_queue"` // always 0
	Listeners                  []listenerObject `json:"listeners,omitempty"`
	Contexts                   []contextObject  `json:"contexts,omitempty"`
}

// retention is for how many seconds samples are kept. The last two of every counter are.
type retention struct {
	Global   []int `json:"global"`
	Basic    []int `json:"basic"`
	Detailed []int `json:"detailed"`
}

// named is something that the node offers.
type named struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Enabled     bool   `json:"enabled"`
}

// queueTotals is empty while there are no queues.
type queueTotals struct {
	*depths
}

type objectTotals struct {
	Channels    int  `json:"channels"`
	Connections int  `json:"connections"`
	Consumers   *int `json:"consumers,omitempty"` // for monitors only
	Exchanges   int  `json:"exchanges"`
	Queues      int  `json:"queues"`
}

type listenerObject struct {
	Node       string   `json:"node"`
	Protocol   string   `json:"protocol"`
	IPAddress  string   `json:"ip_address"`
	Port       int      `json:"port"`
	SocketOpts struct{} `json:"socket_opts"`
}

// contextObject is where the API itself is found.
type contextObject struct {
	Node        string `json:"node,omitempty"` // left out where the context is part of a node
	Description string `json:"description"`
	Path        string `json:"path"`
	IP          string `json:"ip"`
	Port        string `json:"port"`
}

func (s *Server) overview(r *request) (any, error) {
	all, rates := s.visible(r)
	b, st := s.broker, all.stats()
	o := overviewObject{
		ManagementVersion: b.Version(), ProductName: b.Product(), ProductVersion: b.Version(), RabbitMQVersion: b.Version(),
		ErlangVersion: runtime.Version(), ErlangFullVersion: runtime.Version(),
		ReleaseSeriesSupportStatus: "supported",
		ClusterName:                b.NodeName(), RatesMode: "basic",
		SampleRetentionPolicies: retention{Global: []int{5}, Basic: []int{5}, Detailed: []int{5}},
		ExchangeTypes:           exchangeTypes(),
		ObjectTotals: objectTotals{
			Channels: all.channels, Connections: all.connections,
			Exchanges: all.exchanges, Queues: all.queues,
		},
		ChurnRates: s.churn(s.samples.node()),
	}
	if m := messageStatsOf(&all.messages, rates); m != nil {
		o.MessageStats = *m
	}
	if len(all.queued) > 0 {
		o.MessageStats.diskStats = new(diskStats)
		o.QueueTotals.depths = new(depthsOf(&st, rates))
	}
	if r.isMonitor() {
		o.Node, o.ObjectTotals.Consumers = b.NodeName(), &st.Consumers
		o.Listeners, o.Contexts = s.listenerObjects(), s.contextObjects(b.NodeName())
	}
	return o, nil
}

// visible adds up what the user may see: the whole node, or the vhosts that he may open and his own connections.
func (s *Server) visible(r *request) (*tally, rates) {
	tallies := survey(s.broker, visitor{})
	all := sum(tallies, r.seesVHost)
	if r.isMonitor() {
		return all, s.samples.node()
	}
	connections := r.visibleConnections()
	all.connections, all.channels = len(connections), len(channelsOf(connections))
	var together rates
	for name := range tallies {
		if r.mayEnter(name) {
			together = together.plus(s.samples.vhost(name))
		}
	}
	return all, together
}

func exchangeTypes() []named {
	var types []named
	for _, name := range exchange.Types() {
		types = append(types, named{
			Name: name, Description: fmt.Sprintf("AMQP %s exchange, as per the AMQP specification", name), Enabled: true,
		})
	}
	return types
}

func (s *Server) listenerObjects() []listenerObject {
	list := []listenerObject{}
	for _, l := range s.allListeners() {
		ip, port := hostPort(l.Addr)
		list = append(list, listenerObject{Node: s.broker.NodeName(), Protocol: l.Protocol, IPAddress: ip, Port: port})
	}
	return list
}

func (s *Server) contextObjects(node string) []contextObject {
	list := []contextObject{}
	for _, l := range s.allListeners() {
		if l.Protocol != "http" && l.Protocol != "https" {
			continue
		}
		ip, port := hostPort(l.Addr)
		list = append(list, contextObject{
			Node: node, Description: "RabbitMQ Management", Path: "/", IP: ip, Port: strconv.Itoa(port),
		})
	}
	return list
}

func hostPort(a net.Addr) (host string, port int) {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.IP.String(), tcp.Port
	}
	return a.String(), 0
}
