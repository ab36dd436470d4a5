package broker

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/exchange"
	"github.com/warren-mq/warren/queue"
)

// VHost is a namespace of exchanges and queues with the bindings between them.
//
// Changes of the topology take mu. Look-ups and routes do not: names are found in concurrent maps, bindings are
// copy-on-write, and whoever keeps the result of a route compares the generation first.
type VHost struct {
	broker *Broker
	name   string

	exchanges names[*exchange.Exchange]
	queues    names[*Queue]
	// fallback is the default exchange: each queue is bound to it with its name.
	fallback *exchange.Exchange
	// generation changes with everything that could change where a message goes or who may send it.
	generation atomic.Uint64
	tracing    atomic.Bool // changed with mu held
	// histories are what exchanges of type x-recent-history keep: *history by *exchange.Exchange.
	histories sync.Map
	stuck     stuck
	// delays are what exchanges hold back: *delays by *exchange.Exchange.
	delays sync.Map
	// deduplications are the windows of exchanges: *deduplication by *exchange.Exchange.
	deduplications sync.Map

	mu queue.VHostLock
	// sources counts, for each destination, its bindings by source exchange, so that a deleted queue need not be
	// searched for in every exchange. Guarded by mu. The default exchange is not in it.
	sources map[exchange.Destination]sources
}

func newVHost(b *Broker, name string) (*VHost, error) {
	vh := &VHost{broker: b, name: name, sources: make(map[exchange.Destination]sources)}
	for _, c := range exchange.Predeclared() {
		x, err := exchange.New(name, c)
		if err != nil {
			return nil, err
		}
		vh.exchanges.add(c.Name, x)
		if c.Name == "" {
			vh.fallback = x
		}
	}
	return vh, nil
}

// Name is the vhost's name, taken literally.
func (vh *VHost) Name() string { return vh.name }

// Exchange finds an exchange by name; "" is the default exchange.
func (vh *VHost) Exchange(name string) (*exchange.Exchange, bool) { return vh.exchanges.find(name) }

// lookupExchange is Exchange as exchange.Router wants it.
func (vh *VHost) lookupExchange(name string) *exchange.Exchange {
	x, _ := vh.Exchange(name)
	return x
}

// Exchanges lists all exchanges, the default one included, sorted by name.
func (vh *VHost) Exchanges() []*exchange.Exchange {
	list := vh.exchanges.list()
	slices.SortFunc(list, func(x, y *exchange.Exchange) int { return cmp.Compare(x.Name(), y.Name()) })
	return list
}

// Queue finds a queue by name.
func (vh *VHost) Queue(name string) (*Queue, bool) { return vh.queues.find(name) }

// Queues lists all queues, sorted by name.
func (vh *VHost) Queues() []*Queue {
	list := vh.queues.list()
	slices.SortFunc(list, func(x, y *Queue) int { return cmp.Compare(x.Name(), y.Name()) })
	return list
}

// QueueCount and ExchangeCount are cheap; the lists are not.
func (vh *VHost) QueueCount() int    { return vh.queues.count() }
func (vh *VHost) ExchangeCount() int { return vh.exchanges.count() }

// resource renders one of the vhost's resources as RabbitMQ does in its texts.
func (vh *VHost) resource(kind, name string) string { return amqp.Resource(kind, name, vh.name) }

// changed tells that the topology is another one.
func (vh *VHost) changed() {
	vh.generation.Add(1)
	vh.retryDiscards()
}

// names is a concurrent map from a resource's name to the resource. The zero value is empty.
type names[T any] struct {
	m sync.Map
	n atomic.Int64
}

func (s *names[T]) find(name string) (T, bool) {
	v, ok := s.m.Load(name)
	if !ok {
		var none T
		return none, false
	}
	return v.(T), true
}

// add and remove are called with the vhost's lock held.
func (s *names[T]) add(name string, v T) {
	s.m.Store(name, v)
	s.n.Add(1)
}

func (s *names[T]) remove(name string) {
	if _, ok := s.m.LoadAndDelete(name); ok {
		s.n.Add(-1)
	}
}

func (s *names[T]) count() int { return int(s.n.Load()) }

func (s *names[T]) list() []T {
	list := make([]T, 0, s.count())
	for _, v := range s.m.Range {
		list = append(list, v.(T))
	}
	return list
}
