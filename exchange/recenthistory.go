package exchange

import "github.com/warren-mq/warren/amqp"

const (
	historyLengthArgument = "x-recent-history-length"
	noStoreHeader         = "x-recent-history-no-store"

	defaultHistoryLength = 20
)

// recentHistory is a fanout that keeps the last messages, for what is bound later (RabbitMQ's plugin
// rabbitmq_recent_history_exchange, 3.10.8). Routing only tells which messages are to be kept, see Router.Kept; who
// publishes has them whole, and keeps them.
var recentHistory = &kind{
	name:  "x-recent-history",
	grain: perDestination,
	new:   newRecentHistory,
}

type recentHistoryRoutes struct {
	bound  targets
	length int64
}

func newRecentHistory(_ string, c Config) (routes, error) {
	x := &recentHistoryRoutes{length: defaultHistoryLength}
	if v, ok := c.Arguments.Get(historyLengthArgument); ok {
		n, isInteger := amqp.Integer(v)
		if !isInteger || n <= 0 {
			return nil, amqp.Errorf(amqp.PreconditionFailed, "Invalid argument %s, '%s' must be a positive integer",
				term(v), historyLengthArgument)
		}
		x.length = n
	}
	return x, nil
}

// HistoryLength is how many messages an exchange of type x-recent-history keeps; 0 for all others.
func (x *Exchange) HistoryLength() int64 {
	if h, ok := x.routes.(*recentHistoryRoutes); ok {
		return h.length
	}
	return 0
}

func (x *recentHistoryRoutes) bind(b *Binding)   { x.bound.add(&b.end.target) }
func (x *recentHistoryRoutes) unbind(b *Binding) { x.bound.remove(&b.end.target) }

func (x *recentHistoryRoutes) route(r *Router, m *Message) {
	v, _ := m.Properties.Headers.Get(noStoreHeader)
	if noStore, _ := v.Bool(); !noStore {
		r.kept = append(r.kept, r.at)
	}
	r.take(&x.bound)
}
