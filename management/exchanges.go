package management

import (
	"cmp"

	"github.com/warren-mq/warren/broker"
	"github.com/warren-mq/warren/exchange"
)

// exchangeObject is an exchange.
type exchangeObject struct {
	Name                   string         `json:"name"`
	VHost                  string         `json:"vhost"`
	Type                   string         `json:"type"`
	Durable                bool           `json:"durable"`
	AutoDelete             bool           `json:"auto_delete"`
	Internal               bool           `json:"internal"`
	Arguments              table          `json:"arguments"`
	UserWhoPerformedAction string         `json:"user_who_performed_action"`
	MessagesDelayed        *int           `json:"messages_delayed,omitempty"`     // by exchanges that do so only, as the plugin
	MessagesDeduplicated   uint64         `json:"messages_deduplicated,omitzero"` // not passed on, being duplicates
	DedupWindowEntries     int            `json:"dedup_window_entries,omitzero"`
	MessageStats           *exchangeStats `json:"message_stats,omitempty"`
}

// singleExchangeObject has what only GET of one exchange shows, filled in RabbitMQ's detailed rates mode only.
type singleExchangeObject struct {
	exchangeObject
	Incoming []any `json:"incoming"`
	Outgoing []any `json:"outgoing"`
}

func (s *Server) listExchanges(r *request) (any, error) {
	vhosts, err := r.vhosts()
	if err != nil {
		return nil, err
	}
	var all []*exchange.Exchange
	for _, vh := range vhosts {
		all = append(all, vh.Exchanges()...)
	}
	return pagedListOf(all, func(x *exchange.Exchange) any { return new(s.exchangeObject(x)) }), nil
}

func (s *Server) getExchange(r *request) (any, error) {
	vh, err := r.vhost()
	if err != nil {
		return nil, err
	}
	x, ok := vh.Exchange(r.exchangeName("{exchange}"))
	if !ok {
		return nil, errNotFound
	}
	return singleExchangeObject{exchangeObject: s.exchangeObject(x), Incoming: []any{}, Outgoing: []any{}}, nil
}

func (s *Server) exchangeObject(x *exchange.Exchange) exchangeObject {
	var f broker.DedupFigures
	if vh, ok := s.broker.VHost(x.VHost()); ok {
		f = vh.Dedup(x)
	}
	return exchangeObject{
		Name: x.Name(), VHost: x.VHost(), Type: x.Type(),
		Durable: x.Durable(), AutoDelete: x.AutoDelete(), Internal: x.Internal(), Arguments: table(x.Arguments()),
		UserWhoPerformedAction: cmp.Or(x.User(), "rmq-internal"),
		MessagesDelayed:        s.messagesDelayed(x),
		MessagesDeduplicated:   f.Duplicates, DedupWindowEntries: f.Entries,
		MessageStats: exchangeStatsOf(x.PublishIn.Load(), x.PublishOut.Load(), s.samples.exchange(x)),
	}
}

// messagesDelayed is how many messages an exchange holds back, nil for one that does not.
func (s *Server) messagesDelayed(x *exchange.Exchange) *int {
	vh, ok := s.broker.VHost(x.VHost())
	if !ok || !x.Delays() {
		return nil
	}
	n, _ := vh.MessagesDelayed(x)
	return &n
}
