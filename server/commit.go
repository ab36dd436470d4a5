package server

import (
	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/storage"
)

// commitWait is what a channel tells its client when a commit is durable.
type commitWait struct {
	commit   storage.Commit
	confirm  uint64 // publishes up to this tag are confirmed; 0 for none
	refused  bool   // they are not confirmed but refused
	commitOk bool   // tx.commit-ok
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

// Durable is called by the store when a commit is on disk.
func (ch *channel) Durable(commit storage.Commit) {
	out := ch.conn.out
	out.lock()
	n, commitOk := 0, false
	for n < len(ch.waiting) && ch.waiting[n].commit <= commit {
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
	out.wake()
}
