package exchange

import (
	"hash/maphash"
	"sync/atomic"
)

// seed makes the hash of keys unpredictable to clients, who choose routing keys and could otherwise make all collide.
var seed = maphash.MakeSeed()

// index maps strings to values and is asked by any number of readers while one writer changes it. Asking takes no
// lock, does not allocate and accepts the bytes of a frame as they lie in the connection's buffer.
//
// It is a hash table of chains. A link is never written after it was published: an addition puts a new link before the
// chain's head, a removal publishes a chain without the link (those before it are copied), growing makes links anew.
// Compared with copying small maps for every change, an addition costs O(1) instead of O(√n), and a reader one hash
// instead of two.
//
// The zero value is an empty index.
type index[V any] struct {
	table atomic.Pointer[table[V]]
	count int // the writer's
}

// table is one array of chains; the length of heads is a power of two.
type table[V any] struct {
	heads []atomic.Pointer[link[V]]
}

type link[V any] struct {
	hash  uint64
	key   string
	value V
	next  *link[V]
}

func (t *table[V]) head(hash uint64) *atomic.Pointer[link[V]] {
	return &t.heads[hash&uint64(len(t.heads)-1)]
}

// hashOf is the hash that find expects.
func hashOf(key []byte) uint64 { return maphash.Bytes(seed, key) }

// find returns the value of key, whose hash the caller has, since it may ask several indexes for one key. Any goroutine.
func (x *index[V]) find(hash uint64, key []byte) (value V, ok bool) {
	t := x.table.Load()
	if t == nil {
		return value, false
	}
	for l := t.head(hash).Load(); l != nil; l = l.next {
		if l.hash == hash && l.key == string(key) {
			return l.value, true
		}
	}
	return value, false
}

// get is find for the writer, who has strings.
func (x *index[V]) get(key string) (value V, ok bool) {
	t := x.table.Load()
	if t == nil {
		return value, false
	}
	hash := maphash.String(seed, key)
	for l := t.head(hash).Load(); l != nil; l = l.next {
		if l.hash == hash && l.key == key {
			return l.value, true
		}
	}
	return value, false
}

// add stores value under key, which must not be there. Writer only.
func (x *index[V]) add(key string, value V) {
	t := x.table.Load()
	if t == nil || x.count >= len(t.heads) {
		t = x.resize(t, max(1, 2*x.count))
	}
	hash := maphash.String(seed, key)
	head := t.head(hash)
	head.Store(&link[V]{hash: hash, key: key, value: value, next: head.Load()})
	x.count++
}

// remove takes key out, if it is there. Writer only.
func (x *index[V]) remove(key string) {
	t := x.table.Load()
	if t == nil {
		return
	}
	hash := maphash.String(seed, key)
	head := t.head(hash)
	for l := head.Load(); l != nil; l = l.next {
		if l.hash == hash && l.key == key {
			head.Store(without(head.Load(), l))
			x.count--
			break
		}
	}
	switch {
	case x.count == 0:
		x.table.Store(nil)
	case x.count < len(t.heads)/8:
		x.resize(t, len(t.heads)/4)
	}
}

// without returns the chain of head lacking gone: copies of the links before it, then those behind it.
func without[V any](head, gone *link[V]) *link[V] {
	if head == gone {
		return gone.next
	}
	return &link[V]{hash: head.hash, key: head.key, value: head.value, next: without(head.next, gone)}
}

// resize publishes a table with at least size chains and the same content. The next power of two keeps chains short.
func (x *index[V]) resize(old *table[V], size int) *table[V] {
	n := 1
	for n < size {
		n *= 2
	}
	t := &table[V]{heads: make([]atomic.Pointer[link[V]], n)}
	if old != nil {
		for i := range old.heads {
			for l := old.heads[i].Load(); l != nil; l = l.next {
				head := t.head(l.hash)
				head.Store(&link[V]{hash: l.hash, key: l.key, value: l.value, next: head.Load()})
			}
		}
	}
	x.table.Store(t)
	return t
}
