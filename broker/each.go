package broker

import (
	"iter"

	"github.com/warren-mq/warren/exchange"
)

// EachQueue yields the queues in no particular order, without the copy and the sort that Queues makes.
func (vh *VHost) EachQueue() iter.Seq[*Queue] { return vh.queues.each }

// EachExchange yields the exchanges in no particular order.
func (vh *VHost) EachExchange() iter.Seq[*exchange.Exchange] { return vh.exchanges.each }

func (s *names[T]) each(yield func(T) bool) {
	for _, v := range s.m.Range {
		if !yield(v.(T)) {
			return
		}
	}
}
