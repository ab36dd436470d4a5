package schedule

import "slices"

// Schedule holds messages until they are due. Its methods are called under one lock of its owner's.
type Schedule struct {
	newLog func(Block) Log
	serial uint64 // of the next message
	count  int

	buckets []*bucket // in the order of their blocks
	byBlock map[Block]*bucket
	last    *bucket // that took the last message, and is the widest one for its block; may be nil
	moves   uint64  // counts what a listing cannot follow
}

// New returns an empty schedule. newLog makes the log of a block; serial is above all that messages were given before.
func New(serial uint64, newLog func(Block) Log) *Schedule {
	return &Schedule{newLog: newLog, serial: serial, byBlock: make(map[Block]*bucket)}
}

// Restore adds the log of a block from before. What is in it is read when its time comes.
func (s *Schedule) Restore(b Block, log Log) { s.insert(open(b, log)) }

// Len is the number of messages.
func (s *Schedule) Len() int { return s.count }

// Add takes a message that is due at a time, which is not negative. Step wants to be called at the time that it returns,
// or when it said before, whichever is earlier.
func (s *Schedule) Add(now, due int64, m *Message) (id ID, stepAt int64) {
	id = ID{due, s.serial}
	s.serial++
	b := s.bucketFor(now, due)
	size := recordSize(m)
	seq, rec := b.log.Append(size, true)
	encode(rec, id, m)
	s.count++
	b.added(place{due, seq}, size)
	if b.splitting {
		// Who adds to a bucket that is being emptied helps to empty it, so that it will be.
		s.split(b, now, 2)
		return id, now
	}
	return id, b.stepAt(now, due)
}

// stepAt is when Step has to look at a bucket that has got a message.
func (b *bucket) stepAt(now, due int64) int64 {
	if b.near && b.ready() {
		return due
	}
	return min(due, max(now, b.nearAt()))
}

// bucketFor returns the bucket that takes a message: the widest that holds its time.
func (s *Schedule) bucketFor(now, due int64) *bucket {
	if s.last != nil && s.last.holds(due) {
		return s.last
	}
	s.last = s.bucketBelow(uint8(Levels), now, due)
	return s.last
}

// bucketBelow returns the widest bucket that is narrower than a level and holds a time, or makes one.
func (s *Schedule) bucketBelow(level uint8, now, due int64) *bucket {
	for l := level; l > 0; l-- {
		if b := s.byBlock[blockAt(l-1, due)]; b != nil {
			return b
		}
	}
	block := s.newBlock(level, now, due)
	b := open(block, s.newLog(block))
	s.insert(b)
	return b
}

// newBlock chooses the widest block below a level that is far enough away not to be split at once, and crosses no other. Of
// what is overdue it is the widest: there may be days of it, and the less blocks at once, the better.
func (s *Schedule) newBlock(level uint8, now, due int64) Block {
	for l := level - 1; l > second; l-- {
		if b := blockAt(l, due); (b.nearAt() > now || b.last() < now) && !s.within(b) {
			return b
		}
	}
	for l := min(level-1, second); l > 0; l-- {
		if b := blockAt(l, due); !s.within(b) {
			return b
		}
	}
	return blockAt(0, due)
}

// within reports whether there are buckets inside of a block.
func (s *Schedule) within(b Block) bool {
	i, found := s.place(b)
	if found {
		i++
	}
	return i < len(s.buckets) && s.buckets[i].From <= b.last()
}

func (s *Schedule) place(b Block) (i int, found bool) {
	return slices.BinarySearchFunc(s.buckets, b, func(k *bucket, b Block) int { return k.compare(b) })
}

func (s *Schedule) insert(b *bucket) {
	i, _ := s.place(b.Block)
	s.buckets = slices.Insert(s.buckets, i, b)
	s.byBlock[b.Block] = b
	s.count += b.count
}

// remove forgets a bucket, which is empty.
func (s *Schedule) remove(b *bucket) {
	if i, found := s.place(b.Block); found {
		s.buckets = slices.Delete(s.buckets, i, i+1)
	}
	delete(s.byBlock, b.Block)
	if s.last == b {
		s.last = nil
	}
	s.count -= b.count // what its log has lost
	b.count = 0
	b.log.Drop()
}

// Drop removes all messages for good. The schedule is empty then and may be used on.
func (s *Schedule) Drop() {
	for len(s.buckets) > 0 {
		s.remove(s.buckets[len(s.buckets)-1])
	}
	s.moves++
}
