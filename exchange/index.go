package exchange

import (
	"encoding/binary"
	"hash/maphash"
	"sync/atomic"
)

// seed makes the hash of keys unpredictable to clients, who choose routing keys and could otherwise make all collide.
var seed = maphash.MakeSeed()

// index finds nodes by their words and is asked by any number of readers while one writer changes it. Asking takes no
// lock, does not allocate and accepts the bytes of a frame as they lie in the connection's buffer.
//
// It is a hash table with open addressing. A slot is filled once and keeps its id: what is removed leaves a mark, and a
// table with too few free slots is replaced by another one without these marks. So a reader that has seen a slot's node
// may read the id beside it, and mostly needs no other memory to find that a word is not there, and but the node if it is.
//
// The zero value is an empty index.
type index struct {
	table atomic.Pointer[table]
}

type table struct {
	slots []slot // the length is a power of two
	live  int32  // slots with a node that was not removed; the writer's, as is used
	used  int32  // slots that are not free
	one   [1]slot
}

type slot struct {
	node atomic.Pointer[node] // nil: the slot is free, and a search ends here
	id   uint64               // of the node's word; written before the node
}

// removed stands in a slot for what was there.
var removed = new(node)

// word is what an index is asked for.
type word struct {
	bytes  []byte
	hash   uint64 // where to look first
	id     uint64
	hashed bool // hash and id are there: many words are only compared with wildcards
}

// shortWord is the length up to which a word is all in its id, so that nothing else needs to be compared.
const shortWord = 7

func (w *word) lookUp() {
	w.hash = maphash.Bytes(seed, w.bytes)
	w.id, w.hashed = idOf(w.bytes, w.hash), true
}

// idOf returns a short word itself with its length, of any other word 56 bits of its hash.
func idOf(b []byte, hash uint64) uint64 {
	n := len(b)
	id := uint64(n) << 56
	switch {
	case n > shortWord:
		return hash | 0xff<<56
	case n >= 4: // the bytes in the middle are in both halves
		id |= uint64(binary.LittleEndian.Uint32(b)) | uint64(binary.LittleEndian.Uint32(b[n-4:]))<<(8*(n-4))
	case n >= 2:
		id |= uint64(binary.LittleEndian.Uint16(b)) | uint64(binary.LittleEndian.Uint16(b[n-2:]))<<(8*(n-2))
	case n == 1:
		id |= uint64(b[0])
	}
	return id
}

// find returns the node of a word, nil if there is none. Any goroutine.
func (x *index) find(w *word) *node {
	if t := x.table.Load(); t != nil {
		return t.find(w)
	}
	return nil
}

func (t *table) find(w *word) *node {
	if !w.hashed {
		w.lookUp()
	}
	for i := range len(t.slots) { // bounded, as a small table may be full
		s := t.at(w.hash + uint64(i))
		n := s.node.Load()
		if n == nil {
			return nil
		}
		if s.id == w.id && n != removed && (len(w.bytes) <= shortWord || n.word == string(w.bytes)) {
			return n
		}
	}
	return nil
}

// get is find for the writer, who has strings.
func (x *index) get(key string) *node { return x.find(&word{bytes: []byte(key)}) }

func (t *table) at(place uint64) *slot { return &t.slots[place&uint64(len(t.slots)-1)] }

// full reports whether a further word would make searches long.
func (t *table) full() bool {
	if n := len(t.slots); n > 4 {
		return int(t.used) >= n/4*3
	}
	return int(t.used) >= len(t.slots)
}

// add puts in a node, whose word must not be there. Writer only.
func (x *index) add(n *node) {
	t := x.table.Load()
	switch {
	case t == nil:
		t = x.resize(nil, 1)
	case t.full():
		t = x.resize(t, int(t.live)+1)
	}
	t.put(n)
}

func (t *table) put(n *node) {
	hash := maphash.String(seed, n.word)
	at := hash
	for t.at(at).node.Load() != nil {
		at++
	}
	s := t.at(at)
	s.id = idOf([]byte(n.word), hash)
	s.node.Store(n)
	t.live++
	t.used++
}

// remove takes out a node that is there. Writer only.
func (x *index) remove(n *node) {
	t := x.table.Load()
	at := maphash.String(seed, n.word)
	for t.at(at).node.Load() != n {
		at++
	}
	t.at(at).node.Store(removed)
	t.live--
	switch {
	case t.live == 0:
		x.table.Store(nil)
	case int(t.live) < len(t.slots)/8:
		x.resize(t, int(t.live))
	}
}

// resize publishes a table with the same content and room for at least so many nodes.
func (x *index) resize(old *table, nodes int) *table {
	size := 1
	for size < nodes || size > 4 && size/2 < nodes {
		size *= 2
	}
	t := new(table)
	if t.slots = t.one[:]; size > 1 {
		t.slots = make([]slot, size)
	}
	if old != nil {
		for i := range old.slots {
			if n := old.slots[i].node.Load(); n != nil && n != removed {
				t.put(n)
			}
		}
	}
	x.table.Store(t)
	return t
}
