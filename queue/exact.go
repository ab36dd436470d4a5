package queue

import (
	"cmp"
	"slices"
)

const (
	// blockBits: 64 messages in succession are a block, of which only the earliest expiry is kept. A block costs about
	// 40 bytes, so a message less than one; to find one that is due among those of its block takes a microsecond or two.
	// (BenchmarkExactTTL: most of its time goes into looking at messages that are not due, so it matters that they are few.)
	blockBits = 6
	blockSize = 1 << blockBits

	// unreadSlice is how many messages are looked at in one call when a queue has come back from disk and does not know
	// yet when they expire. It takes less than a millisecond.
	unreadSlice = 4096
)

// exactTTL knows when the ready messages of a queue with x-exact-ttl expire.
//
// Ids are ranks: sequence numbers with the priority turned round, so that they rise in the order of the queue. Those of
// blocks lack the lowest bits.
type exactTTL struct {
	blocks dueHeap // INVARIANT: no message that was never delivered and is not in unread expires before its block is due
	back   dueHeap // messages that were given back, one by one; no more than were in flight
	unread []unread

	lastBlock uint64 // whose time was lowered last, to lastAt; lastAt 0: none
	lastAt    int64
	found     []due // scratch space
}

// unread is a part of a log of which it is not known when its messages expire.
type unread struct {
	lane      *lane
	next, end uint64
}

// rank and its inverse, which it is itself.
func rank(seq uint64) uint64 { return seq ^ 0xff<<seqBits }

// read takes note that nothing is known yet of what the lanes hold, which was found on disk.
func (x *exactTTL) read(ls *lanes) {
	ls.each(func(l *lane) {
		if l.ready > 0 {
			x.unread = append(x.unread, unread{l, l.cursor, l.log.Next()})
		}
	})
	slices.Reverse(x.unread) // the highest priority first
}

// noteExpiryLocked notes when a ready message that was never delivered expires; 0 is never.
func (q *Queue) noteExpiryLocked(l *lane, at uint64, expires int64) {
	if expires == 0 {
		return
	}
	x := q.mu.exact
	id := rank(at|uint64(l.priority)<<seqBits) >> blockBits
	if x.lastAt != 0 && id == x.lastBlock && expires >= x.lastAt {
		return
	}
	q.sweepLocked(l)
	x.blocks.lower(due{expires, id})
	x.lastBlock, x.lastAt = id, x.blocks.entries[x.blocks.place[id]].at
}

// dropBlock forgets when a block is due.
func (x *exactTTL) dropBlock(id uint64) {
	x.lastAt = 0
	x.blocks.remove(id)
}

// sweepLocked forgets the blocks that delivery has left behind, so that a queue whose messages live long but do not stay
// keeps nothing of them.
func (q *Queue) sweepLocked(l *lane) {
	lowest := l.cursor
	if q.mu.keys != nil {
		if key := q.mu.keys.oldest(); key != nil {
			lowest = min(lowest, key.first())
		}
	}
	for ; l.swept < lowest>>blockBits; l.swept++ {
		q.mu.exact.dropBlock(rank(l.swept<<blockBits|uint64(l.priority)<<seqBits) >> blockBits)
	}
}

// expireExactLocked drops what has expired wherever it stands, in the order of expiry, at most limit messages. It
// reports whether it came to an end, and has then asked to be woken when the next is due.
func (q *Queue) expireExactLocked(now int64, limit int, fx *Effects) bool {
	x := q.mu.exact
	for limit > 0 {
		block, hasBlock := x.blocks.first()
		back, hasBack := x.back.first()
		hasBlock, hasBack = hasBlock && block.at <= now, hasBack && back.at <= now
		dropped, there := 0, false
		switch {
		case !hasBlock && !hasBack:
			q.wakeForNextLocked(fx)
			return true
		case hasBack && (!hasBlock || q.earlier(back, block)):
			dropped, there = q.expireGivenBackLocked(back, now, fx)
		default:
			dropped, there = q.expireBlockLocked(block, now, limit, fx)
		}
		if !there {
			return true // Ready goes on
		}
		limit -= dropped
	}
	return false
}

// ExactTTL says that messages expire wherever they stand (x-exact-ttl).
func (q *Queue) ExactTTL() bool { return q.rules.exactTTL }

// ExpireNow drops what has expired in a queue with exact expiry, for those who are about to look at its counts: they need
// not wait for the Tick. It returns whether there may be more.
func (q *Queue) ExpireNow(now int64, fx *Effects) (more bool) {
	if !q.rules.exactTTL {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.closed || !q.mu.expiring {
		return false
	}
	more = !q.expireSomeLocked(now, expirySlice, fx)
	if q.stalledLocked() {
		q.deliverLocked(now, fx)
	}
	fx.done()
	return more
}

// earlier says whether what was given back expires before all of a block.
func (q *Queue) earlier(back, block due) bool {
	return cmp.Or(cmp.Compare(back.at, block.at), cmp.Compare(back.id, block.id<<blockBits)) < 0
}

// wakeForNextLocked asks to be woken when the next message expires.
func (q *Queue) wakeForNextLocked(fx *Effects) {
	x := q.mu.exact
	block, hasBlock := x.blocks.first()
	back, hasBack := x.back.first()
	switch {
	case hasBlock && (!hasBack || block.at < back.at):
		q.wakeLocked(block.at, fx)
	case hasBack:
		q.wakeLocked(back.at, fx)
	default:
		q.mu.expiring = len(x.unread) > 0
	}
}

// expireGivenBackLocked drops a message that was given back, if its time has come. False means that it is not in memory.
func (q *Queue) expireGivenBackLocked(d due, now int64, fx *Effects) (dropped int, there bool) {
	x := q.mu.exact
	l, at := q.mu.lanes.of(rank(d.id))
	rec, ok := l.log.At(at)
	if !ok && l.log.Live(at) {
		return 0, false
	}
	x.back.remove(d.id)
	if !ok {
		return 0, true
	}
	switch expires := expiryOf(rec); {
	case expires == 0:
	case expires > now: // it was not in memory when it was given back
		x.back.lower(due{expires, d.id})
	default:
		q.dropInPlaceLocked(l, at, rec, fx)
		dropped = 1
	}
	return dropped, true
}

// expireBlockLocked drops those messages of a block whose time has come, at most limit, and no further than to where
// other messages are due before them. False means that one is not in memory.
func (q *Queue) expireBlockLocked(block due, now int64, limit int, fx *Effects) (dropped int, there bool) {
	x := q.mu.exact
	l, from := q.mu.lanes.of(rank(block.id << blockBits))
	rest, there := q.examineBlockLocked(l, from, now)
	if !there {
		return 0, false
	}
	x.dropBlock(block.id)
	other, hasOther := x.blocks.first()
	back, hasBack := x.back.first()
	for _, d := range x.found {
		if dropped == limit || hasOther && cmp.Or(cmp.Compare(d.at, other.at), cmp.Compare(block.id, other.id)) > 0 ||
			hasBack && d.compare(back) > 0 {
			rest = d.at // what is due comes before the rest
			break
		}
		_, at := q.mu.lanes.of(rank(d.id))
		rec, _ := l.log.At(at)
		q.dropInPlaceLocked(l, at, rec, fx)
		dropped++
	}
	if rest != 0 {
		x.blocks.lower(due{rest, block.id})
	}
	if dropped == 0 && hasBack && rest == block.at {
		return q.expireGivenBackLocked(back, now, fx) // it stands among those of the block, and is due at the same time
	}
	return dropped, true
}

// examineBlockLocked finds the messages of a block that are due, in the order of expiry, and when the next of the others
// is; 0 is never.
func (q *Queue) examineBlockLocked(l *lane, from uint64, now int64) (rest int64, there bool) {
	x := q.mu.exact
	x.found = x.found[:0]
	end := min(from+blockSize, l.log.Next())
	if q.mu.keys == nil {
		from = max(from, l.cursor)
	}
	for at := from; at < end; at++ {
		rec, ok := l.log.At(at)
		if !ok {
			if l.log.Live(at) {
				return 0, false
			}
			continue
		}
		expires := expiryOf(rec)
		switch {
		case expires == 0 || q.mu.keys != nil && !q.keyedReadyLocked(l, rec, at):
		case expires <= now:
			x.found = append(x.found, due{expires, rank(at | uint64(l.priority)<<seqBits)})
		case rest == 0 || expires < rest:
			rest = expires
		}
	}
	slices.SortFunc(x.found, due.compare)
	return rest, true
}

// keyedReadyLocked says whether a message of a queue with an ordering key is ready and was never given back.
func (q *Queue) keyedReadyLocked(l *lane, rec []byte, at uint64) bool {
	if at >= l.cursor {
		return !q.mu.keys.held[at]
	}
	var m Message
	decodeRecord(rec, &m)
	hash, ok := q.keyOf(&m)
	return ok && q.mu.keys.waiting(hash, at)
}

// dropInPlaceLocked drops a message that is ready and has expired, wherever it stands. What the queue keeps of those that
// were given back finds out later.
func (q *Queue) dropInPlaceLocked(l *lane, at uint64, rec []byte, fx *Effects) {
	if q.mu.keys != nil && at < l.cursor {
		var m Message
		decodeRecord(rec, &m)
		if hash, ok := q.keyOf(&m); ok {
			q.mu.keys.drop(hash, at)
		}
	}
	q.uncountLocked(l, bodySize(rec))
	q.giveUpLocked(at|uint64(l.priority)<<seqBits, rec, Expired, fx)
}

// noteBackLocked notes when a message that is ready again expires. Of one that is not in memory this has to be read.
func (q *Queue) noteBackLocked(l *lane, at uint64) {
	expires := int64(1)
	if rec, ok := l.log.Peek(at); ok {
		expires = expiryOf(rec)
	}
	switch {
	case expires == 0:
	case at >= l.cursor: // it waited when the queue was opened, and is new to it
		q.noteExpiryLocked(l, at, expires)
	default:
		q.mu.exact.back.lower(due{expires, rank(at | uint64(l.priority)<<seqBits)})
	}
}

// readExpiriesLocked looks at a slice of the messages of which it is not known when they expire. What has expired is
// dropped by the next expireLocked, and never delivered even before.
func (q *Queue) readExpiriesLocked(now int64, fx *Effects) {
	x := q.mu.exact
	for n := unreadSlice; len(x.unread) > 0; {
		u := &x.unread[0]
		l := u.lane
		for u.next = max(u.next, l.cursor); u.next < u.end; u.next++ {
			if n == 0 {
				q.wakeLocked(now, fx)
				return
			}
			n--
			rec, ok := l.log.At(u.next)
			if ok {
				q.noteExpiryLocked(l, u.next, expiryOf(rec))
			} else if l.log.Live(u.next) {
				return // Ready goes on
			}
		}
		x.unread = x.unread[1:]
	}
	x.unread = nil
}

// purgeLocked forgets all: nothing is ready any more.
func (x *exactTTL) purge() {
	x.blocks.clear()
	x.back.clear()
	x.unread, x.lastAt = nil, 0
}
