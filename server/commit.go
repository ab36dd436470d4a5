package server

import (
	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/queue"
	"github.com/warren-mq/warren/storage"
)

// commitWait is what a channel tells its client when a commit is durable.
type commitWait struct {
	commit   storage.Commit
	until    queue.Durability // what the commit must have come to
	confirm  uint64           // publishes up to this tag are confirmed; 0 for none
	refused  bool             // they are not confirmed but refused
	commitOk bool             // tx.commit-ok
}

// waitFor puts w behind what the channel waits for already, so that confirms go out in order, and returns the commit
// that w waits for now. The outbox's lock is held.
func (ch *channel) waitFor(w commitWait) storage.Commit {
	if n := len(ch.waiting); n > 0 {
		w.commit = max(w.commit, ch.waiting[n-1].commit)
	}
	ch.waiting = append(ch.waiting, w)
	return w.commit
}

// reached reports whether w waits no more, once the operating system and the disk have these commits.
func (w *commitWait) reached(written, durable storage.Commit) bool {
	switch w.until {
	case queue.Synced:
		return w.commit <= durable
	case queue.Written:
		return w.commit <= written
	}
	return true // it has only waited for its turn
}

// Durable is called by the store when a commit is on disk.
func (ch *channel) Durable(commit storage.Commit, alone bool) { ch.committed(commit, commit, alone) }

// Written is called by the store when the operating system has a commit.
func (ch *channel) Written(commit storage.Commit, alone bool) { ch.committed(commit, 0, alone) }

// committed tells the client what is due, in order: what stands behind something that still waits is not told, whatever
// it waits for itself. With alone it may write itself.
func (ch *channel) committed(written, durable storage.Commit, alone bool) {
	out := ch.conn.out
	out.lock()
	ch.written, ch.durable = max(ch.written, written), max(ch.durable, durable)
	n, commitOk := 0, false
	for n < len(ch.waiting) && ch.waiting[n].reached(ch.written, ch.durable) {
		n++
	}
	if silent := ch.ending || out.closed; n == 0 || silent {
		ch.waiting = append(ch.waiting[:0], ch.waiting[n:]...)
		out.unlock()
		return
	}
	var last commitWait
	for _, w := range ch.waiting[:n] {
		commitOk = commitOk || w.commitOk
		if w.confirm == 0 {
			continue
		}
		if last.confirm > 0 && last.refused != w.refused {
			ch.sendConfirm(last.confirm, last.refused)
		}
		last = w
	}
	if last.confirm > 0 {
		ch.sendConfirm(last.confirm, last.refused)
	}
	ch.waiting = append(ch.waiting[:0], ch.waiting[n:]...)
	if commitOk {
		ch.committing.Store(false)
		out.buf = amqp.AppendMethod(out.buf, ch.number, &amqp.TxCommitOk{})
		out.frames++
	}
	out.unlock()
	if alone {
		out.pushLittle()
	} else {
		out.wake()
	}
}
