package queue_test

import "github.com/warren-mq/warren/queue"

// pagedLog is a Log for tests that has pages of a few records on disk: what is asked for there is wanted, and comes with
// bring. It also says at times that a message may not be delivered yet.
type pagedLog struct {
	memoryLog
	away    map[uint64]bool // pages that are not in memory
	wanted  map[uint64]bool
	waiting bool        // somebody was told to wait
	refuse  func() bool // whether Deliver says no
	up      uint64      // the mark below which records may have been delivered
	opened  uint64      // the same when the log was opened
}

const pageRecords = 4

func newPagedLog(refuse func() bool) *pagedLog {
	return &pagedLog{away: map[uint64]bool{}, wanted: map[uint64]bool{}, refuse: refuse}
}

func (l *pagedLog) At(seq uint64) ([]byte, bool) {
	rec, ok := l.memoryLog.At(seq)
	if ok && l.away[seq/pageRecords] {
		l.wanted[seq/pageRecords], l.waiting = true, true
		return nil, false
	}
	return rec, ok
}

func (l *pagedLog) Peek(seq uint64) ([]byte, bool) {
	rec, ok := l.memoryLog.At(seq)
	return rec, ok && !l.away[seq/pageRecords]
}

func (l *pagedLog) Deliver(seq uint64) bool {
	if l.refuse() {
		l.waiting = true
		return false
	}
	l.up = max(l.up, seq+1)
	return true
}

func (l *pagedLog) KeepFirm()             {}
func (l *pagedLog) DeliveredUpTo() uint64 { return l.opened }

// evict takes all pages but the last from memory that the dice say.
func (l *pagedLog) evict(dice func() bool) {
	for page := l.First() / pageRecords; page < l.Next()/pageRecords; page++ {
		if dice() {
			l.away[page] = true
		}
	}
}

// bring brings what is wanted, and reports whether anybody waits.
func (l *pagedLog) bring() bool {
	for page := range l.wanted {
		delete(l.away, page)
	}
	clear(l.wanted)
	was := l.waiting
	l.waiting = false
	return was
}

// reopen is a restart: all is on disk, and what may have been delivered comes back flagged.
func (l *pagedLog) reopen() {
	l.evict(func() bool { return true })
	clear(l.wanted)
	l.waiting, l.opened = false, l.up
}

var _ queue.Log = (*pagedLog)(nil)
