package schedule

import "math"

const (
	// A call of Step gives so many messages at most, and about so many bytes.
	batchMessages = 256
	batchBytes    = 512 << 10
	// It looks at so many records, or splits so many, at most.
	scanSlice  = 2048
	splitSlice = 256
	// maxReady is how many blocks are made ready when they and more are overdue.
	maxReady = 8
	// roomPoll is how soon it looks again for room, in milliseconds.
	roomPoll = 2
)

// Room says how much of its work a schedule may do now. What it does ahead of time writes and reads back, and must keep
// neither publishers from the disk without need, nor what is due from being given.
type Room uint8

const (
	RoomForDue    Room = iota // what is due
	RoomForUrgent             // and what has to be ready soon
	RoomForAll
)

// Never is what Step returns when nothing is pending, or all that is waits for the disk.
const Never = math.MaxInt64

// Batch is what a call of Step gives: messages that are due, in order. They are the caller's until Reset.
type Batch struct {
	Entries []Entry
	buf     []byte
	bytes   int
}

// Reset empties the batch and keeps its memory, unless that is much.
func (b *Batch) Reset() {
	clear(b.Entries)
	b.Entries, b.bytes = b.Entries[:0], 0
	if b.buf = b.buf[:0]; cap(b.buf) > batchBytes {
		b.buf = nil
	}
}

func (b *Batch) full() bool { return len(b.Entries) >= batchMessages || b.bytes >= batchBytes }

// take copies a record, which is about to go.
func (b *Batch) take(rec []byte) bool {
	if len(rec) > cap(b.buf)-len(b.buf) {
		// Those before keep what they are in.
		b.buf = make([]byte, 0, min(max(2*cap(b.buf), len(rec), 4<<10), max(batchBytes, len(rec))))
	}
	start := len(b.buf)
	b.buf = append(b.buf, rec...)
	b.bytes += len(rec)
	var e Entry
	if !decode(b.buf[start:len(b.buf):len(b.buf)], &e) {
		return false
	}
	b.Entries = append(b.Entries, e)
	return true
}

// Step takes out what is due, as much as a batch holds, and does a slice of what has to be done ahead of time. It
// returns when it wants to be called again: now or earlier if there is more to do at once. When a record has to come from
// the disk, Step is to be called as soon as it is there.
//
// What it puts into the batch is gone from the schedule: whatever is done with it belongs to the same commit. damaged
// counts records that cannot be read; they are dropped.
func (s *Schedule) Step(now int64, room Room, out *Batch) (next int64, damaged int) {
	next, damaged = s.give(now, out)
	if out.full() {
		return now, damaged
	}
	did, held := s.prepare(now, room)
	if did {
		return now, damaged
	}
	if held {
		next = min(next, now+roomPoll)
	}
	return min(next, s.nextNear(now)), damaged
}

// give takes out what is due. It returns when the next message will be, or when an empty block is over.
func (s *Schedule) give(now int64, out *Batch) (next int64, damaged int) {
	next = Never
	for i := 0; i < len(s.buckets) && !out.full(); {
		b := s.buckets[i]
		if b.From > now && !b.near || !b.ready() {
			break // prepare sees to it
		}
		p, rec, wait := b.head()
		switch {
		case wait:
			return next, damaged
		case rec == nil && b.holds(now) && b.Level <= widestReady:
			next = b.last() + 1 // kept till then: another message may come
			i++
		case rec == nil:
			s.remove(b)
		case p.due > now:
			return min(next, p.due), damaged
		default:
			if !out.take(rec) {
				damaged++
			}
			b.take(p, len(rec))
			s.count--
		}
	}
	return next, damaged
}

// prepare does a slice of work at the first bucket that is near, needs some and has room, and reports whether it did; or
// else whether some is held up for want of room.
func (s *Schedule) prepare(now int64, room Room) (did, held bool) {
	ready := 0
	for i := 0; i < len(s.buckets); i++ {
		b := s.buckets[i]
		if b.nearAt() > now {
			continue
		}
		if b.near && b.ready() && !b.tooLarge() {
			ready++
			continue
		}
		if ready >= maxReady && b.From <= now {
			break // there is enough to give, and Step is called again when that is gone
		}
		if room < b.roomAt(now) {
			held = true
			continue
		}
		if !b.near {
			b.near = true
			b.log.At(b.log.First()) // asks for it, if it is on disk
		}
		// A wide block that is over may be given as it is, if it is in order.
		wide := b.Level > widestReady && b.last() >= now
		if !b.splitting && (wide || b.tooLarge() || s.within(b.Block)) {
			b.giveUpIndex()
		}
		var wait bool
		if b.splitting {
			wait = s.split(b, now, splitSlice)
		} else {
			wait = b.scan(scanSlice)
			b.keep()
		}
		if !wait {
			return true, false
		}
	}
	return false, held
}

// roomAt is the least room with which the bucket is prepared: that of publishers, as long as most of its lead is left.
func (b *bucket) roomAt(now int64) Room {
	if b.From-now < leads[b.Level]/2 {
		return RoomForUrgent
	}
	return RoomForAll
}

// nextNear is when the next bucket comes near. Those that are already are ready, or wait for the disk.
func (s *Schedule) nextNear(now int64) int64 {
	next := int64(Never)
	for _, b := range s.buckets {
		if at := b.nearAt(); at > now {
			next = min(next, at)
		}
	}
	return next
}

// split moves records of a bucket to narrower ones, so many at most, in their order, and removes the bucket when it is
// empty. It reports whether it has to wait for a record.
func (s *Schedule) split(b *bucket, now int64, n int) (wait bool) {
	s.moves++
	for size := 0; n > 0 && size < batchBytes; n-- {
		if b.empty() {
			s.remove(b)
			return false
		}
		seq := b.log.First()
		rec, ok := b.log.At(seq)
		if !ok {
			if b.log.Live(seq) {
				return true
			}
			continue
		}
		size += len(rec)
		due := dueOf(rec)
		to := s.bucketBelow(b.Level, now, due)
		at, copied := to.log.Append(len(rec), true)
		copy(copied, rec)
		to.added(place{due, at}, len(rec))
		b.gone(seq)
	}
	return false
}
