package broker

import (
	"errors"
	"sync"
	"time"

	"github.com/warren-mq/warren/queue"
	"github.com/warren-mq/warren/storage"
)

// Enter begins a piece of work that may change queues or definitions, and names the commit that its changes are part
// of; Leave ends it. In between nobody waits for anything, and nobody enters again. Without a store there is nothing
// to commit, and the number is 0.
func (b *Broker) Enter() storage.Commit {
	queue.EpochEntered()
	if b.cfg.Store == nil {
		return 0
	}
	return b.cfg.Store.Enter()
}

// Leave ends what Enter began.
func (b *Broker) Leave() {
	if b.cfg.Store != nil {
		b.cfg.Store.Leave()
	}
	queue.EpochLeft()
}

// Outstanding is the commit with which all that was done so far is durable; to wait for one that nothing is part of
// would be to wait for ever. It is called between Enter and Leave, on a broker with a store.
func (b *Broker) Outstanding() storage.Commit { return b.cfg.Store.Outstanding() }

// Durable says whether the broker has a store.
func (b *Broker) Durable() bool { return b.cfg.Store != nil }

// CommitWaiter is told when what it waits for is on disk, or with the operating system. It must be quick: the committer
// waits for it. alone says that few others are told too, so that there is the time for a system call.
type CommitWaiter interface {
	Durable(commit storage.Commit, alone bool)
	Written(commit storage.Commit, alone bool)
}

// aloneWaiters is how many are few.
const aloneWaiters = 2

// commits are those who wait for a commit. They register between Enter and Leave, so the list is in order.
//
// There are two of them: for those who wait until it is durable, and until it is written.
type commits struct {
	tell    func(CommitWaiter, storage.Commit, bool)
	mu      sync.Mutex
	waiting []commitWait // guarded by mu
	due     []commitWait // memory; guarded by mu
}

type commitWait struct {
	commit storage.Commit
	waiter CommitWaiter
}

// AwaitCommit has w told when a commit is durable. It is called between Enter and Leave, on a broker with a store.
func (b *Broker) AwaitCommit(commit storage.Commit, w CommitWaiter) {
	if durable := b.cfg.Store.Durable(); durable >= commit {
		w.Durable(durable, false) // and not only when those are due who wait for later ones
		return
	}
	b.commits.mu.Lock()
	b.commits.waiting = append(b.commits.waiting, commitWait{commit, w})
	b.commits.mu.Unlock()
	b.cfg.Store.Want(commit)
	if durable := b.cfg.Store.Durable(); durable >= commit {
		b.commits.reached(durable)
	}
}

// AwaitWritten has w told when the operating system has a commit, as AwaitCommit does for the disk.
func (b *Broker) AwaitWritten(commit storage.Commit, w CommitWaiter) {
	if written := b.cfg.Store.Written(); written >= commit {
		w.Written(written, false)
		return
	}
	b.writes.mu.Lock()
	b.writes.waiting = append(b.writes.waiting, commitWait{commit, w})
	b.writes.mu.Unlock()
	b.cfg.Store.Want(commit)
	if written := b.cfg.Store.Written(); written >= commit {
		b.writes.reached(written)
	}
}

// reached is called by the committer after every sync, or after every write.
func (c *commits) reached(commit storage.Commit) {
	c.mu.Lock()
	n := 0
	for n < len(c.waiting) && c.waiting[n].commit <= commit {
		n++
	}
	due := append(c.due[:0], c.waiting[:n]...)
	c.due = nil // somebody else's, if two are here at once
	rest := copy(c.waiting, c.waiting[n:])
	clear(c.waiting[rest:])
	c.waiting = c.waiting[:rest]
	c.mu.Unlock()
	for _, w := range due {
		c.tell(w.waiter, commit, n <= aloneWaiters)
	}
	clear(due)
	c.mu.Lock()
	c.due = due
	c.mu.Unlock()
}

// commitSignal is a waiter that only tells that it happened.
type commitSignal chan struct{}

func (s commitSignal) Durable(storage.Commit, bool) { close(s) }
func (s commitSignal) Written(storage.Commit, bool) {} // it never waits for that

// ErrStopped is what a wait returns that was given up.
var ErrStopped = errors.New("the wait was given up")

// WaitDurable blocks until a commit is on disk. It returns the store's error if it never will be, and ErrStopped when
// stop is closed before. The caller is not inside of Enter and Leave.
func (b *Broker) WaitDurable(commit storage.Commit, stop <-chan struct{}) error {
	st := b.cfg.Store
	if st == nil || st.Durable() >= commit {
		return nil
	}
	done := make(commitSignal)
	st.Enter()
	if commit = min(commit, st.Outstanding()); st.Durable() >= commit {
		st.Leave()
		return nil
	}
	b.commits.mu.Lock()
	at := len(b.commits.waiting)
	for at > 0 && b.commits.waiting[at-1].commit > commit {
		at--
	}
	b.commits.waiting = append(b.commits.waiting, commitWait{})
	copy(b.commits.waiting[at+1:], b.commits.waiting[at:])
	b.commits.waiting[at] = commitWait{commit, done}
	b.commits.mu.Unlock()
	st.Leave()
	st.Want(commit)
	select {
	case <-done:
		return nil
	case <-st.Failed():
		return st.Err()
	case <-stop:
		return ErrStopped
	}
}

// roomPoll is how often a publisher that waits for the disk looks again.
const roomPoll = 2 * time.Millisecond

// WaitRoom blocks while more waits for the disk than it should, or until stop is closed. It returns false if an alarm was
// raised meanwhile, of which the publisher should be told before it waits on.
func (b *Broker) WaitRoom(stop <-chan struct{}) bool {
	st := b.cfg.Store
	if st == nil || st.Room() {
		return true
	}
	t := time.NewTicker(roomPoll)
	defer t.Stop()
	for !st.Room() {
		if b.Alarms.Raised() {
			return false
		}
		select {
		case <-t.C:
		case <-st.Failed():
			return true
		case <-stop:
			return true
		}
	}
	return true
}

// Failed is closed when the store can promise nothing any more; Err says why. It is nil without a store.
func (b *Broker) Failed() <-chan struct{} {
	if b.cfg.Store == nil {
		return nil
	}
	return b.cfg.Store.Failed()
}

// Err is why the store failed.
func (b *Broker) Err() error {
	if b.cfg.Store == nil {
		return nil
	}
	return b.cfg.Store.Err()
}
