package exchange

import (
	"bytes"
	"strings"
)

// topic matches routing keys against patterns of words that dots part: "*" takes exactly one word, "#" any number of
// words, none included (spec 3.1.3.3). The empty key has no words; other words may be empty. Wildcards are such only as
// whole words and only in patterns (RabbitMQ 3.10.8).
var topic = &kind{
	name:      "topic",
	grain:     perKey,
	cacheable: true,
	new:       func(string, Config) (routes, error) { return new(topicRoutes), nil },
}

// topicRoutes is a trie with a word on every edge; the node that a pattern ends at holds its destinations.
//
// Matching walks the trie word by word and keeps all nodes that the words so far can have led to. The only nodes that
// can be reached in more than one way are those of "#", which once reached stay reached until the key ends. So these
// are kept apart, each once, and the work for a key is bounded by words × nodes, whatever the patterns; trying the ways
// one after the other would take time exponential in the number of "#".
type topicRoutes struct {
	root node
}

func (x *topicRoutes) bind(b *Binding) {
	n, underHash := &x.root, false // a word up to that of n is "#"
	for rest, more := b.RoutingKey, b.RoutingKey != ""; more; {
		var word string
		word, rest, more = strings.Cut(rest, ".")
		n = n.follow(word, more, underHash)
		underHash = underHash || word == "#"
	}
	n.targets.add(&b.end.target)
}

// follow returns the node behind word, made if it is not there; more will follow it, or not. Writer only.
func (n *node) follow(word string, more, underHash bool) *node {
	b := n.onward.Load()
	if b == nil {
		b = &branches{underHash: underHash}
		n.onward.Store(b)
	}
	c := b.child(word)
	if c == nil {
		c = newNode(word, more, underHash || word == "#")
		b.add(c)
	}
	return c
}

func (x *topicRoutes) unbind(b *Binding) {
	x.root.unbind(b.RoutingKey, b.RoutingKey != "", &b.end.target)
}

// unbind takes t out of the node that the rest of a pattern leads to, and all nodes on the way that have become bare. It
// reports whether n is one.
func (n *node) unbind(rest string, more bool, t *target) (bare bool) {
	b := n.onward.Load()
	if !more {
		n.targets.remove(t)
	} else {
		word, rest, more := strings.Cut(rest, ".")
		if c := b.child(word); c.unbind(rest, more, t) {
			b.drop(c)
		}
	}
	return n.targets.empty() && b.bare()
}

// topicScratch is what one match needs; its slices stay for the next.
type topicScratch struct {
	at, next []*node // nodes that the words so far have led to, those of "#" excepted
	open     []*node // nodes of "#" that were reached: any word may follow
	seen     set[*node]
}

func (x *topicRoutes) route(r *Router, m *Message) {
	x.match(r, m.RoutingKey)
	for _, key := range m.ExtraKeys {
		x.match(r, key)
	}
}

func (x *topicRoutes) match(r *Router, key []byte) {
	s := &r.topic
	s.at = append(s.at, &x.root)
	r.openHash(&x.root)
	for more := len(key) > 0; more && len(s.at)+len(s.open) > 0; {
		w := word{bytes: key}
		dot := bytes.IndexByte(key, '.')
		if more = dot >= 0; more {
			w.bytes, key = key[:dot], key[dot+1:]
		}
		open := len(s.open) // what this word opens is for the next
		for _, n := range s.at {
			r.step(n, &w)
		}
		for i := range open {
			r.step(s.open[i], &w)
		}
		s.at, s.next = s.next, s.at[:0]
	}
	for _, n := range s.at {
		r.take(&n.targets)
	}
	s.at, s.open = s.at[:0], s.open[:0]
	s.seen.reset()
}

// step goes from n over a word. As n is at hand only once a word, so are its children.
func (r *Router) step(n *node, w *word) {
	b := n.onward.Load()
	if b == nil {
		return
	}
	if c := b.literal.find(w); c != nil {
		r.reach(c)
	}
	if c := b.star.Load(); c != nil {
		r.reach(c)
	}
}

func (r *Router) reach(n *node) {
	r.topic.next = append(r.topic.next, n)
	r.openHash(n)
}

// openHash enters the "#" behind n, which may stand for no word at all, and further ones behind that. Where it has been
// before it stops.
func (r *Router) openHash(n *node) {
	s := &r.topic
	for b := n.onward.Load(); b != nil; {
		h := b.hash.Load()
		if h == nil || b.underHash && !s.seen.add(s.open, h) {
			return
		}
		r.take(&h.targets) // the rest of the key is taken, whatever it is
		next := h.onward.Load()
		if b.underHash || !next.bare() {
			s.open = append(s.open, h)
		}
		b = next
	}
}
