package exchange

import "sync/atomic"

// node is what a word leads to. Half a line of the processor's cache: of a hundred thousand of them hardly any is in it, so
// that the lines that are touched for a message are most of what it costs.
type node struct {
	targets targets
	onward  atomic.Pointer[branches] // nil until something follows; then it stays
	word    string
}

// branches are what may follow the word of a node.
type branches struct {
	literal   index                // by word, wildcards excepted
	star      atomic.Pointer[node] // behind "*"
	hash      atomic.Pointer[node] // behind "#"
	underHash bool                 // a word before is "#": different words of one key can lead here
}

// newNode makes a node; one that others will follow has its branches in the same line of the cache.
func newNode(word string, followed, underHash bool) *node {
	if !followed {
		return &node{word: word}
	}
	both := &struct {
		node
		branches
	}{}
	both.word, both.underHash = word, underHash
	both.onward.Store(&both.branches)
	return &both.node
}

// bare reports that no word leads on from b. The zero pointer is so, too.
func (b *branches) bare() bool {
	return b == nil || b.star.Load() == nil && b.hash.Load() == nil && b.literal.table.Load() == nil
}

// child returns what follows over word, nil if nothing does. Writer only.
func (b *branches) child(word string) *node {
	switch word {
	case "*":
		return b.star.Load()
	case "#":
		return b.hash.Load()
	}
	return b.literal.get(word)
}

// add puts in a node that nothing stands for yet.
func (b *branches) add(n *node) {
	switch n.word {
	case "*":
		b.star.Store(n)
	case "#":
		b.hash.Store(n)
	default:
		b.literal.add(n)
	}
}

// drop takes a node out. Writer only.
func (b *branches) drop(n *node) {
	switch n.word {
	case "*":
		b.star.Store(nil)
	case "#":
		b.hash.Store(nil)
	default:
		b.literal.remove(n)
	}
}
