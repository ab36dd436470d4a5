package server

import (
	"math"
	"slices"
)

// ages tells how long the oldest of a channel's unacknowledged deliveries is out, without a time beside each: it
// remembers the first delivery of every second in which there were any. Times are unix milliseconds. The zero value
// remembers nothing; the outbox's lock guards it.
type ages struct {
	marks []ageMark // rising in tag and time
	next  int64     // the next delivery at this time or later gets a mark
	// thinned is how often there were too many marks.
	thinned int
}

// ageMark says when a delivery was made. Those that follow it were made no later than end, nor than the next mark.
type ageMark struct {
	tag     uint64
	at, end int64
}

const (
	// ageStep is the least time between two marks, in milliseconds, while there are few.
	ageStep = 1000
	// maxAgeMarks is how many marks are kept. Beyond it every second one is dropped, and ages are told the less exactly.
	maxAgeMarks = 4096
	// never is no time at all.
	never = math.MaxInt64
)

// mark notes a delivery. Its caller has found that one is due.
func (a *ages) mark(tag uint64, now int64) {
	if len(a.marks) >= maxAgeMarks {
		kept := a.marks[:0]
		for i := 0; i < len(a.marks); i += 2 {
			m := a.marks[i]
			m.end = a.marks[min(i+1, len(a.marks)-1)].end // which it stands for too
			kept = append(kept, m)
		}
		a.marks = kept
		a.thinned++
	}
	a.marks = append(a.marks, ageMark{tag, now, now + a.step()})
	a.next = now + a.step()
}

// since returns when the delivery with this tag, the oldest that is out, was made, or a time shortly after. Marks of
// deliveries before it are forgotten.
func (a *ages) since(tag uint64, now int64) int64 {
	n, at, end := 0, now, max(now, a.next) // of a delivery that a transaction gave back, when its mark was forgotten
	for n < len(a.marks) && a.marks[n].tag <= tag {
		n++
	}
	if n > 0 {
		a.marks = append(a.marks[:0], a.marks[n-1:]...)
		if first := a.marks[0]; first.tag == tag {
			return first.at
		}
		end = a.marks[0].end
		at = min(now, end)
	} else {
		a.marks = slices.Insert(a.marks, 0, ageMark{})
	}
	if len(a.marks) > 1 {
		at = min(at, a.marks[1].at)
	}
	a.marks[0] = ageMark{tag, at, end}
	return at
}

// step is the least time between two marks.
func (a *ages) step() int64 { return ageStep << a.thinned }

// empty forgets the marks, since nothing is out any more.
func (a *ages) empty() {
	a.marks, a.thinned = a.marks[:0], 0
	if a.next != never {
		a.next = 0
	}
}
