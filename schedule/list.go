package schedule

import (
	"bytes"
	"slices"
)

const (
	// listSlice is how many records a call of List looks at.
	listSlice = 1024
	// listRestarts is how often a listing begins anew since messages were moved meanwhile. After that it goes on, and may
	// miss some.
	listRestarts = 8
	// maxPage is how many bytes of records a page has at most, or one message. Up to twice as many are held meanwhile.
	maxPage = 16 << 20
)

// Listing is a page of messages, in the order in which they are due, that is put together by calls of List. Large messages make
// it shorter than its limit; when nothing is left it is empty.
type Listing struct {
	After ID  // it begins behind this one
	Limit int // of messages

	// Entries are the caller's once List is done.
	Entries []Entry

	block    Block
	seq      uint64
	end      int64 // the last millisecond of what was looked at, nested blocks included
	begun    bool  // block and seq say where to go on
	bytes    int   // of the entries
	full     bool  // there are enough, the last of which is worst
	worst    ID
	moves    uint64
	restarts int
}

// List looks at a slice of what is pending. It is called until done; with wait a record has to be read from disk first.
// Between the calls the owner's lock may be released.
func (s *Schedule) List(l *Listing) (done, wait bool) {
	if l.moves != s.moves {
		if l.moves = s.moves; l.begun && l.restarts < listRestarts {
			l.restarts++
			l.begun, l.full, l.Entries, l.bytes = false, false, l.Entries[:0], 0
		}
	}
	i := 0
	if l.begun {
		i, _ = s.place(l.block)
	}
	for n := listSlice; i < len(s.buckets); i++ {
		b := s.buckets[i]
		if b.last() < l.After.Due {
			continue
		}
		if !l.begun || l.block != b.Block {
			if l.enough() && b.From > l.end {
				break // the rest is due later
			}
			l.begun, l.block, l.seq, l.end = true, b.Block, b.log.First(), max(l.end, b.last())
		}
		for l.seq = max(l.seq, b.log.First()); l.seq < b.log.Next(); l.seq++ {
			if n--; n < 0 {
				return false, false
			}
			rec, ok := b.log.At(l.seq)
			if !ok && b.log.Live(l.seq) {
				return false, true
			}
			if ok {
				l.see(rec)
			}
		}
	}
	l.trim()
	return true, false
}

// see takes a record into the page if it belongs there, as far as is known yet.
func (l *Listing) see(rec []byte) {
	id, ok := idOf(rec)
	if !ok || id.Compare(l.After) <= 0 || l.Limit <= 0 {
		return
	}
	if len(l.Entries) >= 2*l.Limit || l.bytes >= 2*maxPage {
		l.trim()
	}
	if l.full && id.Compare(l.worst) > 0 {
		return // it would be trimmed
	}
	var e Entry
	if decode(bytes.Clone(rec), &e) {
		l.Entries = append(l.Entries, e)
		l.bytes += len(rec)
	}
}

func (l *Listing) enough() bool { return l.full || len(l.Entries) >= l.Limit || l.bytes >= maxPage }

// trim sorts the page and cuts it to its limits.
func (l *Listing) trim() {
	slices.SortFunc(l.Entries, compareEntries)
	l.Entries = slices.CompactFunc(l.Entries, func(a, b Entry) bool { return a.ID == b.ID })
	all := l.Entries
	l.Entries, l.bytes = all[:0], 0
	for i := range all {
		if size := recordSize(&all[i].Message); l.Limit > 0 && (i == 0 || len(l.Entries) < l.Limit && l.bytes+size <= maxPage) {
			l.Entries = append(l.Entries, all[i])
			l.bytes += size
			continue
		}
		l.full = true
		break
	}
	clear(all[len(l.Entries):])
	if n := len(l.Entries); l.full && n > 0 {
		l.worst = l.Entries[n-1].ID
	}
}

func compareEntries(a, b Entry) int { return a.ID.Compare(b.ID) }
