package queue

import "math/bits"

// lane is one priority's share of a queue: a log and what of it is ready. A queue without priorities has one.
//
// A message is known by its sequence number in the lane's log, with the priority in the topmost byte. (2^56 messages
// of one priority take two thousand years at a million a second.)
type lane struct {
	log      Log
	cursor   uint64   // every live record from here on is ready and was never delivered by this queue
	returned returned // ready records below the cursor, by sequence number without priority
	ready    int      // records in both
	priority uint8
	swept    uint64 // blocks below it have no expiry noted; of x-exact-ttl only

	// redelivered: records below it may have been delivered before the log was opened.
	redelivered uint64
}

// newLane makes a lane of what is in a log; all of that is ready. With firm nothing durable is delivered from it before it
// is on disk.
func newLane(log Log, priority uint8, firm bool) lane {
	if firm {
		log.KeepFirm()
	}
	return lane{
		log: log, cursor: log.First(), ready: log.Count(), priority: priority,
		swept: log.First() >> blockBits, redelivered: log.DeliveredUpTo(),
	}
}

const seqBits = 56

// skipDropped takes out of what was given back what has expired since, wherever it stood.
func (l *lane) skipDropped() {
	for l.returned.len() > 0 && !l.log.Live(l.returned.lowest()) {
		l.returned.pop()
	}
}

// lanes are the lanes of a queue. Without priorities all is first.
type lanes struct {
	first  lane // priority 0
	others *prioritized
}

// prioritized are the lanes of a queue with priorities.
type prioritized struct {
	lanes []*lane   // by priority, nil until used
	busy  [4]uint64 // bit p: the lane of priority p has something ready
}

// of returns the lane that a sequence number belongs to. It exists.
func (ls *lanes) of(seq uint64) (*lane, uint64) {
	if ls.others == nil {
		return &ls.first, seq
	}
	return ls.others.lanes[seq>>seqBits], seq & (1<<seqBits - 1)
}

// top returns the lane whose head is delivered next; something must be ready.
func (ls *lanes) top() *lane {
	if ls.others == nil {
		return &ls.first
	}
	for i := len(ls.others.busy) - 1; i >= 0; i-- {
		if w := ls.others.busy[i]; w != 0 {
			return ls.others.lanes[i*64+63-bits.LeadingZeros64(w)]
		}
	}
	return &ls.first
}

// each calls f for every lane in use, the lowest first.
func (ls *lanes) each(f func(*lane)) {
	if ls.others == nil {
		f(&ls.first)
		return
	}
	for _, l := range ls.others.lanes {
		if l != nil {
			f(l)
		}
	}
}

// added and removed count what is ready in a lane.
func (ls *lanes) added(l *lane) {
	l.ready++
	ls.note(l)
}

// note keeps in mind that a lane has something ready.
func (ls *lanes) note(l *lane) {
	if ls.others != nil {
		ls.others.busy[l.priority/64] |= 1 << (l.priority % 64)
	}
}

func (ls *lanes) removed(l *lane) {
	if l.ready--; l.ready == 0 && ls.others != nil {
		ls.others.busy[l.priority/64] &^= 1 << (l.priority % 64)
	}
}

// laneForLocked returns the lane for a message of that priority; what is above the queue's maximum counts as that.
func (q *Queue) laneForLocked(priority uint8) *lane {
	if q.mu.lanes.others == nil {
		return &q.mu.lanes.first
	}
	p := min(priority, q.rules.maxPriority)
	l := q.mu.lanes.others.lanes[p]
	if l == nil {
		l = new(lane)
		*l = newLane(q.newLog(p), p, q.rules.firm)
		q.mu.lanes.others.lanes[p] = l
	}
	return l
}

// liveLocked says whether a message is there, in memory or not.
func (q *Queue) liveLocked(seq uint64) bool {
	l, at := q.mu.lanes.of(seq)
	return l.log.Live(at)
}

// bodySize returns the size of a message's body. Of one that is not in memory it is an estimate.
func (l *lane) bodySize(at uint64) int64 {
	if rec, ok := l.log.At(at); ok {
		return bodySize(rec)
	}
	return int64(l.log.Size(at))
}

// forgetLocked removes a message from its log.
func (q *Queue) forgetLocked(seq uint64) {
	l, at := q.mu.lanes.of(seq)
	l.log.Gone(at)
	if q.mu.present != nil {
		q.mu.present.leave(seq)
	}
}
