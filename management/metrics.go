package management

import (
	"net/http"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// maxScrapes bounds the scrapes that are answered at once; more get 503.
const maxScrapes = 4

// newMetrics makes the handler of /metrics, which needs no login, as RabbitMQ's.
func (s *Server) newMetrics() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(&collector{server: s, last: make(map[string]float64)})
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes})
}

// collector makes the metrics of the whole node at the moment of a scrape, with RabbitMQ's names. None has a label that
// names an object, so their number does not depend on how many queues there are.
type collector struct {
	server *Server

	mu   sync.Mutex
	last map[string]float64 // the counters as they were told last, by name and labels; guarded by mu
}

// Describe sends nothing: which metrics there are shows in a scrape.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends all metrics.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var r resident
	all := sum(survey(c.server.broker, visitor{queue: r.add}), everywhere)
	w := &metricWriter{to: to, last: c.last}
	c.identity(w)
	c.totals(w, all)
	c.churn(w)
	c.machine(w)
	queueMetrics(w, all, &r)
	channelMetrics(w, all)
	connectionMetrics(w, all)
	globalMetrics(w, all)
	deathMetrics(w, all, &c.server.broker.Totals.DeadLettered)
}

// metricWriter sends metrics whose names get RabbitMQ's prefix.
type metricWriter struct {
	to   chan<- prometheus.Metric
	last map[string]float64
}

// labels are names and values in turn.
func (w *metricWriter) send(kind prometheus.ValueType, name, help string, v float64, labels []string) {
	var names, values []string
	for i := 0; i < len(labels); i += 2 {
		names, values = append(names, labels[i]), append(values, labels[i+1])
	}
	desc := prometheus.NewDesc("rabbitmq_"+name, help, names, nil)
	w.to <- prometheus.MustNewConstMetric(desc, kind, v, values...)
}

func (w *metricWriter) gauge(name, help string, v float64, labels ...string) {
	w.send(prometheus.GaugeValue, name, help, v, labels)
}

// untyped is what RabbitMQ makes of those that are 0 or 1.
func (w *metricWriter) untyped(name, help string, v float64, labels ...string) {
	w.send(prometheus.UntypedValue, name, help, v, labels)
}

// counter never goes down: what a channel counted is missing from the sums for a moment while it ends, and Prometheus
// would take that for a restart.
func (w *metricWriter) counter(name, help string, v uint64, labels ...string) {
	key := name
	for _, l := range labels {
		key += "\x00" + l
	}
	value := max(float64(v), w.last[key])
	w.last[key] = value
	w.send(prometheus.CounterValue, name, help, value, labels)
}
