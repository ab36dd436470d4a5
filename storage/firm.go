package storage

// firm is of logs whose records are handed out only once they are durable. Guarded as the log is.
type firm struct {
	// last is the commit of the newest records, which begin at from; before is that of those in front of them. Older
	// ones are durable with before at the latest.
	last, before Commit
	from         uint64
}

// KeepFirm has Deliver refuse persistent records that are not durable yet, until they are: what was handed out is never
// lost, whatever happens.
func (l *Log) KeepFirm() {
	if l.durable {
		l.firm = new(firm)
	}
}

// append notes that the record seq is part of a commit.
func (f *firm) append(seq uint64, commit Commit) {
	if commit != f.last {
		f.before, f.last, f.from = f.last, commit, seq
	}
}

// commitOf returns the commit with which the record seq is durable, at the latest.
func (f *firm) commitOf(seq uint64) Commit {
	if seq < f.from {
		return f.before
	}
	return f.last
}

// isFirm reports whether a record may be handed out by this rule. If not, the function given to OnReady is called when it
// may.
func (l *Log) isFirm(seq uint64) bool {
	commit := l.firm.commitOf(seq)
	if l.store.Durable() >= commit || l.isTransient(seq) {
		return true
	}
	l.paging.waiting.Store(true)
	l.store.awaitMark(l, commit)
	return false
}
