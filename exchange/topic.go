package exchange

import (
	"bytes"
	"strings"
	"sync/atomic"
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

type node struct {
	targets  targets
	children index[*node]         // by word, wildcards excepted
	star     atomic.Pointer[node] // what follows "*"
	hash     atomic.Pointer[node] // what follows "#"

	parent    *node // with word: for taking out a node that has become bare; the writer's
	word      string
	underHash bool // some word before is "#": different words of one key can lead here
}

// child returns the node behind word, made if it is not there. Writer only.
func (n *node) child(word string) *node {
	switch word {
	case "*":
		return n.wildcard(&n.star, word)
	case "#":
		return n.wildcard(&n.hash, word)
	}
	c, ok := n.children.get(word)
	if !ok {
		c = n.newChild(word)
		n.children.add(word, c)
	}
	return c
}

func (n *node) wildcard(at *atomic.Pointer[node], word string) *node {
	c := at.Load()
	if c == nil {
		c = n.newChild(word)
		at.Store(c)
	}
	return c
}

func (n *node) newChild(word string) *node {
	return &node{parent: n, word: word, underHash: n.underHash || n.word == "#"}
}

// drop takes c, a child of n, out of the trie. Writer only.
func (n *node) drop(c *node) {
	switch c.word {
	case "*":
		n.star.Store(nil)
	case "#":
		n.hash.Store(nil)
	default:
		n.children.remove(c.word)
	}
}

// leaf reports that no word leads on from here.
func (n *node) leaf() bool {
	return n.star.Load() == nil && n.hash.Load() == nil && n.children.table.Load() == nil
}

// end returns the node that pattern ends at.
func (x *topicRoutes) end(pattern string) *node {
	n := &x.root
	if pattern == "" {
		return n
	}
	for word := range strings.SplitSeq(pattern, ".") {
		n = n.child(word)
	}
	return n
}

func (x *topicRoutes) bind(b *Binding) { x.end(b.RoutingKey).targets.add(b.Destination) }

func (x *topicRoutes) unbind(b *Binding) {
	n := x.end(b.RoutingKey)
	n.targets.remove(b.Destination)
	for n.parent != nil && n.leaf() && n.targets.empty() {
		n.parent.drop(n)
		n = n.parent
	}
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

var dot = []byte{'.'}

func (x *topicRoutes) match(r *Router, key []byte) {
	s := &r.topic
	s.at = append(s.at, &x.root)
	r.openHash(&x.root)
	for more := len(key) > 0; more && len(s.at)+len(s.open) > 0; {
		var word []byte
		word, key, more = bytes.Cut(key, dot)
		hash := hashOf(word)
		open := len(s.open) // what this word opens is for the next
		for _, n := range s.at {
			r.step(n, hash, word)
		}
		for i := range open {
			r.step(s.open[i], hash, word)
		}
		s.at, s.next = s.next, s.at[:0]
	}
	for _, n := range s.at {
		r.take(&n.targets)
	}
	s.at, s.open = s.at[:0], s.open[:0]
	s.seen.reset()
}

// step goes from n over word. As n is at hand only once a word, so are its children.
func (r *Router) step(n *node, hash uint64, word []byte) {
	if c, ok := n.children.find(hash, word); ok {
		r.reach(c)
	}
	if c := n.star.Load(); c != nil {
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
	for h := n.hash.Load(); h != nil; h = h.hash.Load() {
		if h.underHash && !s.seen.add(s.open, h) {
			return
		}
		r.take(&h.targets) // the rest of the key is taken, whatever it is
		if h.underHash || !h.leaf() {
			s.open = append(s.open, h)
		}
	}
}
