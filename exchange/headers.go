package exchange

import (
	"bytes"
	"slices"
	"strings"

	"github.com/warren-mq/warren/amqp"
)

// matchArgument of a binding tells how its other arguments are compared with the headers of a message.
const matchArgument = "x-match"

// headers compares the headers of a message with the arguments of bindings (spec 3.1.3.4); routing keys do not matter.
//
// x-match=all (the default) wants all pairs, any wants one; both pass over arguments that begin with "x-", which
// all-with-x and any-with-x do not. A binding without pairs to compare matches always with all, never with any. A void
// value wants the header to be present. Otherwise values are compared as values.go says. All of it is RabbitMQ 3.10.8.
var headers = &kind{
	name:         "headers",
	grain:        perBinding,
	new:          func(string, Config) (routes, error) { return &headersRoutes{byBinding: make(map[*Binding]*rule)}, nil },
	checkBinding: checkMatchArgument,
}

func checkMatchArgument(_ Destination, _ string, args amqp.Table) error {
	v, ok := args.Get(matchArgument)
	if !ok {
		return nil
	}
	s, isString := v.(string)
	if !isString {
		return amqp.Errorf(amqp.PreconditionFailed, "Invalid x-match field type %s (value %s); expected longstr",
			amqp.TypeName(v), term(v))
	}
	switch s {
	case "all", "any", "all-with-x", "any-with-x":
		return nil
	}
	return amqp.Errorf(amqp.PreconditionFailed,
		"Invalid x-match field value %s; expected all, any, all-with-x, or any-with-x", amqp.ErlangBinary([]byte(s)))
}

type headersRoutes struct {
	rules     list[*rule]
	byBinding map[*Binding]*rule // the writer's
}

// rule is a binding made ready for comparing.
type rule struct {
	destination Destination
	any         bool
	pairs       []amqp.Field // sorted by name
}

func newRule(b *Binding) *rule {
	r := &rule{destination: b.Destination()}
	v, _ := b.Arguments().Get(matchArgument)
	match, _ := v.(string)
	r.any = strings.HasPrefix(match, "any")
	withX := strings.HasSuffix(match, "-with-x")
	for _, f := range b.Arguments() {
		if f.Name != matchArgument && (withX || !strings.HasPrefix(f.Name, "x-")) {
			r.pairs = append(r.pairs, f)
		}
	}
	return r
}

func (x *headersRoutes) bind(b *Binding) {
	r := newRule(b)
	x.byBinding[b] = r
	x.rules.add(r)
}

func (x *headersRoutes) unbind(b *Binding) {
	x.rules.remove(x.byBinding[b])
	delete(x.byBinding, b)
}

func (x *headersRoutes) route(r *Router, m *Message) {
	v := x.rules.view()
	if v == nil {
		return
	}
	h := r.headers.sort(m.Properties)
	r.takeMatching(v.first, h)
	for _, chunk := range v.rest {
		r.takeMatching(chunk, h)
	}
}

func (r *Router) takeMatching(rules []*rule, h []header) {
	for _, rule := range rules {
		if rule.matches(h) {
			r.takeOne(rule.destination)
		}
	}
}

// matches compares the pairs with h, which is sorted by name too. A name that occurs more than once is compared first
// with first, second with second (RabbitMQ up to 3.12).
func (u *rule) matches(h []header) bool {
	for i := range u.pairs {
		p := &u.pairs[i]
		for len(h) > 0 && string(h[0].name) < p.Name {
			h = h[1:]
		}
		equal := false
		if len(h) > 0 && string(h[0].name) == p.Name {
			equal = p.Value == nil || equalValue(p.Value, h[0].value)
			h = h[1:]
		}
		if equal == u.any {
			return equal
		}
	}
	return !u.any
}

// headersScratch holds the headers of the message at hand, sorted when the first headers exchange asks for them.
type headersScratch struct {
	fields []header
	sorted bool
}

type header struct {
	name  []byte
	value amqp.RawValue
}

func (s *headersScratch) sort(p *amqp.Properties) []header {
	if s.sorted {
		return s.fields
	}
	s.sorted = true
	s.fields = s.fields[:0]
	for name, value := range p.Headers.All() {
		s.fields = append(s.fields, header{name, value})
	}
	slices.SortStableFunc(s.fields, func(a, b header) int { return bytes.Compare(a.name, b.name) })
	return s.fields
}
