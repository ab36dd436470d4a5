//go:build lockorder

package queue

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
)

// The locks of lockorder.go, in a build that panics when a goroutine takes one while it holds another that stands behind
// it or beside it. That finds what could become a deadlock without the bad luck that makes it one.
type (
	VHostLock  = ordered[vhostRank]
	WindowLock = ordered[windowRank]
	DelaysLock = ordered[delaysRank]
	queueLock  = ordered[queueRank]
	OutboxLock = ordered[outboxRank]
)

type (
	vhostRank  struct{}
	windowRank struct{}
	delaysRank struct{}
	queueRank  struct{}
	outboxRank struct{}
)

func (vhostRank) place() lockRank  { return lockRank{2, "a vhost"} }
func (windowRank) place() lockRank { return lockRank{3, "a window"} }
func (delaysRank) place() lockRank { return lockRank{3, "delays"} }
func (queueRank) place() lockRank  { return lockRank{4, "a queue"} }
func (outboxRank) place() lockRank { return lockRank{5, "an outbox"} }

// epoch comes first. It is held for reading, so it is taken only once: a second time waits for a writer who waits for the
// first.
var epoch = lockRank{1, "the epoch"}

// lockRank is the place of a lock in the order: only those with higher numbers may be taken while it is held.
type lockRank struct {
	number int
	name   string
}

type ordered[R interface{ place() lockRank }] struct{ mu sync.Mutex }

func (o *ordered[R]) Lock() {
	var r R
	taken(r.place())
	o.mu.Lock()
}

func (o *ordered[R]) Unlock() {
	var r R
	o.mu.Unlock()
	given(r.place())
}

func EpochEntered() { taken(epoch) }
func EpochLeft()    { given(epoch) }

var held = struct {
	sync.Mutex
	by map[uint64][]lockRank // goroutine to its locks, in the order in which they were taken; guarded by the mutex
}{by: map[uint64][]lockRank{}}

// taken notes a lock that the goroutine is about to take.
func taken(r lockRank) {
	id := goroutine()
	held.Lock()
	defer held.Unlock()
	for _, h := range held.by[id] {
		if h.number >= r.number {
			panic(fmt.Sprintf("lock order: %s is locked while %s is held", r.name, h.name))
		}
	}
	held.by[id] = append(held.by[id], r)
}

// given notes that a lock is given back, in whatever order.
func given(r lockRank) {
	id := goroutine()
	held.Lock()
	defer held.Unlock()
	at := slices.Index(held.by[id], r)
	if at < 0 {
		panic("lock order: " + r.name + " is unlocked by a goroutine that has not locked it")
	}
	if held.by[id] = slices.Delete(held.by[id], at, at+1); len(held.by[id]) == 0 {
		delete(held.by, id)
	}
}

// goroutine is the number in the first line of its stack, "goroutine 18 [running]:". Go has no other way to ask.
func goroutine() uint64 {
	var stack [64]byte
	digits, _, _ := bytes.Cut(bytes.TrimPrefix(stack[:runtime.Stack(stack[:], false)], []byte("goroutine ")), []byte(" "))
	id, err := strconv.ParseUint(string(digits), 10, 64)
	if err != nil {
		panic(err)
	}
	return id
}
