package management

import (
	"cmp"
	"slices"

	"github.com/warren-mq/warren/broker"
	"github.com/warren-mq/warren/exchange"
)

// bindingObject is a binding of a queue or an exchange.
type bindingObject struct {
	Source          string `json:"source"`
	VHost           string `json:"vhost"`
	Destination     string `json:"destination"`
	DestinationType string `json:"destination_type"`
	RoutingKey      string `json:"routing_key"`
	Arguments       table  `json:"arguments"`
	PropertiesKey   string `json:"properties_key"`
}

func bindingOf(b *exchange.Binding) bindingObject {
	o := bindingObject{
		Source: b.Source.Name(), VHost: b.Source.VHost(),
		RoutingKey: b.RoutingKey, Arguments: table(b.Arguments()), PropertiesKey: b.PropertiesKey(),
	}
	o.Destination, o.DestinationType = destinationName(b), "exchange"
	if b.Destination().Queue != nil {
		o.DestinationType = "queue"
	}
	return o
}

// bindingList answers with the bindings of a vhost, sorted by source, then destination, then key.
func bindingList(all []*exchange.Binding) collection {
	sortBindings(all)
	return listOf(all, func(b *exchange.Binding) any { return new(bindingOf(b)) })
}

func sortBindings(all []*exchange.Binding) {
	slices.SortFunc(all, func(a, b *exchange.Binding) int {
		return cmp.Or(
			cmp.Compare(a.Source.Name(), b.Source.Name()),
			cmp.Compare(destinationName(a), destinationName(b)),
			cmp.Compare(a.RoutingKey, b.RoutingKey),
		)
	})
}

func destinationName(b *exchange.Binding) string {
	if q := b.Destination().Queue; q != nil {
		return q.Name()
	}
	return b.Destination().Exchange.Name()
}

func (s *Server) listBindings(r *request) (any, error) {
	vhosts, err := r.vhosts()
	if err != nil {
		return nil, err
	}
	var all []*exchange.Binding
	for _, vh := range vhosts {
		var ofVHost []*exchange.Binding
		for _, x := range vh.Exchanges() {
			ofVHost = append(ofVHost, vh.Bindings(x)...)
		}
		sortBindings(ofVHost)
		all = append(all, ofVHost...)
	}
	return listOf(all, func(b *exchange.Binding) any { return new(bindingOf(b)) }), nil
}

// listBindingsFrom lists what an exchange leads to. That of one that does not exist is empty, as are the lists below
// (RabbitMQ 3.10.8 behaviour).
func (s *Server) listBindingsFrom(r *request) (any, error) {
	vh, err := r.vhost()
	if err != nil {
		return nil, err
	}
	x, ok := vh.Exchange(r.exchangeName("{exchange}"))
	if !ok {
		return bindingList(nil), nil
	}
	return bindingList(vh.Bindings(x)), nil
}

// listBindingsTo lists what leads to a queue or exchange.
func (s *Server) listBindingsTo(r *request) (any, error) {
	vh, err := r.vhost()
	if err != nil {
		return nil, err
	}
	to, ok := r.destination(vh)
	if !ok {
		return bindingList(nil), nil
	}
	return bindingList(vh.BindingsTo(to)), nil
}

// listBindingsBetween lists the bindings from an exchange to a queue or exchange.
func (s *Server) listBindingsBetween(r *request) (any, error) {
	all, err := r.bindingsBetween()
	if err != nil {
		return nil, err
	}
	return bindingList(all), nil
}

// getBinding finds one of these by its properties_key.
func (s *Server) getBinding(r *request) (any, error) {
	all, err := r.bindingsBetween()
	if err != nil {
		return nil, err
	}
	for _, b := range all {
		if b.PropertiesKey() == r.name("{properties}") {
			return bindingOf(b), nil
		}
	}
	return nil, errNotFound
}

func (r *request) bindingsBetween() ([]*exchange.Binding, error) {
	vh, err := r.vhost()
	if err != nil {
		return nil, err
	}
	to, ok := r.destination(vh)
	if !ok {
		return nil, nil
	}
	source := r.exchangeName("{source}")
	return slices.DeleteFunc(vh.BindingsTo(to), func(b *exchange.Binding) bool { return b.Source.Name() != source }), nil
}

// destination is the end of a binding that the path names.
func (r *request) destination(vh *broker.VHost) (exchange.Destination, bool) {
	if r.hasName("{queue}") {
		q, ok := vh.Queue(r.name("{queue}"))
		return exchange.Destination{Queue: q}, ok
	}
	x, ok := vh.Exchange(r.exchangeName("{exchange}"))
	return exchange.Destination{Exchange: x}, ok
}
