package storage

// deliveredStride is how far the delivered-up-to mark runs ahead: after any stop at most so many records come back
// flagged as redelivered although nobody had seen them. Where so many are delivered in a few commits that raising the
// mark would be much of the work, it is up to longDeliveredStride.
const (
	deliveredStride     = 1024
	longDeliveredStride = 8192

	// The mark is raised once in so many commits: a longer stride below the first, a shorter one above the second.
	raisedOften  = 8
	raisedSeldom = 32
)

// deliveredMark is the queue's side of delivered-up-to: every record below the mark may have been handed out.
type deliveredMark struct {
	safe      uint64 // durable
	requested uint64 // part of commit
	commit    Commit // 0: nothing requested
	raised    Commit // the last time that it was raised
	longer    uint64 // by so much the stride is longer than deliveredStride
}

// Deliver asks whether the record seq may be handed out now: only if, after any stop, it would come back flagged
// as redelivered. If not, the mark is being raised, and the function given to OnReady is called when it is
// durable. In a drain the mark runs ahead and the answer is always yes.
func (l *Log) Deliver(seq uint64) bool {
	if l.firm == nil {
		return l.marked(seq)
	}
	// The mark shall be in the group that makes the record durable.
	marked := l.marked(seq)
	return l.isFirm(seq) && marked
}

// marked is Deliver as far as the mark is concerned.
func (l *Log) marked(seq uint64) bool {
	m := &l.delivered
	stride := deliveredStride + m.longer
	if !l.durable || seq+stride/2 < m.safe {
		return true
	}
	if m.commit != 0 && l.store.Durable() >= m.commit {
		m.safe, m.commit = m.requested, 0
	}
	// One raise at a time, unless the record is part of the group that gathers: it must not wait for an earlier one.
	fresh := l.pending != nil && seq >= l.pending.from
	if seq+stride/2 >= m.safe && (m.commit == 0 || fresh && seq >= m.requested) {
		m.pace(l.store.number)
		l.setMark(seq + deliveredStride + m.longer)
	}
	if seq+stride/4 >= m.safe && !fresh {
		l.store.Want(m.commit) // it came with no other group, and soon somebody waits
	}
	if seq < m.safe {
		return true
	}
	// A record of the group that gathers is never found without the mark, which is in that group or an earlier one. A
	// transient record is never found at all.
	if fresh && seq < m.requested || l.isTransient(seq) {
		return true
	}
	l.paging.waiting.Store(true)
	l.store.awaitMark(l, m.commit)
	return false
}

// pace fits the stride to how fast records are delivered; now is the commit that will raise the mark.
func (m *deliveredMark) pace(now Commit) {
	stride := deliveredStride + m.longer
	switch since := now - m.raised; {
	case since > raisedSeldom:
		m.longer = max(stride/2, deliveredStride) - deliveredStride
	case since > 0 && since < raisedOften:
		m.longer = min(2*stride, longDeliveredStride) - deliveredStride
	}
	m.raised = now
}

func (l *Log) isTransient(seq uint64) bool {
	c, _ := l.find(seq)
	return c != nil && c.resident() && c.ends[seq-c.first]&transientBit != 0
}

// DeliveredTo lets the mark fall back to seq: nobody has seen a record from there on, and nobody is about to.
func (l *Log) DeliveredTo(seq uint64) {
	m := &l.delivered
	if l.durable && (m.safe > seq || m.commit != 0) {
		l.setMark(seq)
		m.safe = min(m.safe, seq)
	}
}

// DeliveredUpTo returns the mark that is durable: after a recovery, records below it may have been delivered.
func (l *Log) DeliveredUpTo() uint64 { return l.delivered.safe }

func (l *Log) setMark(mark uint64) {
	p := l.pend()
	p.mark, p.marked = mark, true
	l.delivered.requested, l.delivered.commit = mark, l.store.number
}
