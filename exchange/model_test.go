package exchange_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/exchange"
)

// model is a vhost as naive as can be: bindings in a slice, matched one after the other.
type model struct {
	types      map[string]string // exchange → type
	alternates map[string]string
	bindings   []modelBinding
}

type modelBinding struct {
	source, destination string // destinations that begin with x are exchanges
	key                 string
	args                amqp.Table
}

func (b modelBinding) same(c modelBinding) bool {
	return b.source == c.source && b.destination == c.destination && b.key == c.key && sortedArgs(b.args) == sortedArgs(c.args)
}

func sortedArgs(t amqp.Table) string {
	var items []string
	for _, f := range t {
		items = append(items, fmt.Sprintf("%s=%s:%v", f.Name, amqp.TypeName(f.Value), f.Value))
	}
	slices.Sort(items)
	return strings.Join(items, ",")
}

func (m *model) find(b modelBinding) int { return slices.IndexFunc(m.bindings, b.same) }

func (m *model) unbindAll(source, destination string) (n int) {
	before := len(m.bindings)
	m.bindings = slices.DeleteFunc(m.bindings, func(b modelBinding) bool {
		return b.source == source && b.destination == destination
	})
	return before - len(m.bindings)
}

func (m *model) matches(b modelBinding, keys []string, headers amqp.Table) bool {
	switch m.types[b.source] {
	case "fanout":
		return true
	case "headers":
		return naiveHeaders(b.args, headers)
	case "topic":
		return slices.ContainsFunc(keys, func(k string) bool { return matchTopic(b.key, k) })
	}
	return slices.Contains(keys, b.key)
}

// route returns the names of queues, sorted.
func (m *model) route(source string, keys []string, headers amqp.Table) string {
	queues, seen := map[string]bool{}, map[string]bool{}
	var visit func(x string)
	visit = func(x string) {
		if m.types[x] == "" || seen[x] {
			return
		}
		seen[x] = true
		found := false
		for _, b := range m.bindings {
			if b.source != x || !m.matches(b, keys, headers) {
				continue
			}
			found = true
			if b.destination[0] == 'x' {
				visit(b.destination)
			} else {
				queues[b.destination] = true
			}
		}
		if !found {
			visit(m.alternates[x])
		}
	}
	visit(source)
	var list []string
	for q := range queues {
		list = append(list, q)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func randomKey(r *rand.Rand, words ...string) string {
	n := r.IntN(5)
	key := make([]string, n)
	for i := range key {
		key[i] = pick(r, words...)
	}
	return strings.Join(key, ".")
}

func randomArgs(r *rand.Rand, bindings bool) amqp.Table {
	var t amqp.Table
	if bindings && r.IntN(3) > 0 {
		t = append(t, amqp.Field{Name: "x-match", Value: pick(r, "all", "any", "all-with-x", "any-with-x")})
	}
	for range r.IntN(4) {
		t = append(t, amqp.Field{
			Name:  pick(r, "a", "b", "c", "x-d"),
			Value: pick[any](r, int32(1), int64(1), 1.0, "1", amqp.Binary("1"), true, nil, amqp.Array{int8(1)}, amqp.Array{}, amqp.Timestamp(1)),
		})
	}
	r.Shuffle(len(t), func(i, j int) { t[i], t[j] = t[j], t[i] })
	return t
}

// TestAgainstModel changes and asks exchanges of one type, or of all types bound to each other, at random.
func TestAgainstModel(t *testing.T) {
	for _, types := range [][]string{{"direct"}, {"fanout"}, {"topic"}, {"headers"}, matching} {
		t.Run(strings.Join(types, "+"), func(t *testing.T) {
			for range 10 {
				runModel(t, newRand(t), types)
			}
		})
	}
}

func runModel(t *testing.T, r *rand.Rand, types []string) {
	m := model{types: map[string]string{}, alternates: map[string]string{}}
	n := network{}
	destinations := map[string]exchange.Destination{}
	var exchanges, ends []string
	for i := range len(types) + 1 {
		name, ae := fmt.Sprintf("x%d", i), fmt.Sprintf("x%d", r.IntN(2*len(types)+2)) // half of them do not exist
		m.types[name], m.alternates[name] = types[i%len(types)], ae
		destinations[name] = toExchange(n.declare(t, name, m.types[name], alternate(ae)))
		exchanges = append(exchanges, name)
	}
	for i := range 40 {
		name := fmt.Sprintf("q%d", i)
		destinations[name] = toQueue(&queue{name})
		ends = append(ends, name)
	}
	ends = append(ends, exchanges...)

	router := n.router()
	for range 400 {
		b := modelBinding{source: pick(r, exchanges...), destination: pick(r, ends...),
			key: randomKey(r, "a", "b", "*", "#", ""), args: randomArgs(r, true)}
		switch op := r.IntN(20); {
		case op < 7:
			added := m.find(b) < 0
			if added {
				m.bindings = append(m.bindings, b)
			}
			if got := n[b.source].Bind(destinations[b.destination], b.key, b.args); got != added {
				t.Fatalf("bind %v: added %v, want %v", b, got, added)
			}
		case op < 12:
			if len(m.bindings) > 0 && r.IntN(4) > 0 {
				b = pick(r, m.bindings...)
			}
			i := m.find(b)
			if i >= 0 {
				m.bindings = slices.Delete(m.bindings, i, i+1)
			}
			if got := n[b.source].Unbind(destinations[b.destination], b.key, b.args); got != (i >= 0) {
				t.Fatalf("unbind %v: removed %v, want %v", b, got, i >= 0)
			}
		case op == 12:
			want := m.unbindAll(b.source, b.destination)
			if got := n[b.source].UnbindAll(destinations[b.destination]); got != want {
				t.Fatalf("unbind all %s>%s: %d, want %d", b.source, b.destination, got, want)
			}
		default:
			checkRoute(t, r, &m, n, router)
		}
	}
	for _, x := range exchanges {
		for _, end := range ends {
			n[x].UnbindAll(destinations[end])
			m.unbindAll(x, end)
		}
		if n[x].BindingCount() != 0 {
			t.Fatalf("%s has %d bindings left", x, n[x].BindingCount())
		}
		checkRoute(t, r, &m, n, router)
	}
}

func checkRoute(t *testing.T, r *rand.Rand, m *model, n network, router *exchange.Router) {
	t.Helper()
	source := pick(r, slices.Sorted(func(yield func(string) bool) {
		for x := range m.types {
			if !yield(x) {
				return
			}
		}
	})...)
	keys := []string{randomKey(r, "a", "b", "c", "*", "#", "")}
	for range r.IntN(3) {
		keys = append(keys, randomKey(r, "a", "b", "c", ""))
	}
	headers := randomArgs(r, false)
	want := m.route(source, keys, headers)
	if got := routed(router, n[source], message(t, keys[0], headers, keys[1:]...)); got != want {
		t.Fatalf("route %s %q %v:\n got %q\nwant %q\nbindings %v", source, keys, headers, got, want, m.bindings)
	}
}
