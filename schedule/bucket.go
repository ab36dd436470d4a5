package schedule

const (
	// maxIndex is how many messages of a bucket are indexed at most; one with more is split. 512 KiB of memory.
	maxIndex = 32 << 10
	// maxLoose is how many bytes of records may be in another order than they are due: so many may have to be read in
	// any order, and should stay in memory meanwhile.
	maxLoose = 4 << 20
)

// bucket holds the messages that are due in one block of time.
//
//	First                 run           scanned          Next
//	  │ due in order, or in late │ all in late │ not looked at │
//
// INVARIANT: the records of a log are in the order of their serials.
type bucket struct {
	Block
	log   Log
	count int // live records; those that the log has lost are in it until the bucket goes

	run     uint64 // the live records below it are due in their order, but for those in late
	runDue  int64  // the last of them
	broken  bool   // a record is out of order
	scanned uint64
	late    index
	// Bytes of the records in late, and of those that are not looked at, as far as they came since the start.
	lateBytes, unseenBytes int64

	near      bool // it is being made ready, or is
	splitting bool // its records go to narrower buckets; there is no index
}

// open returns a bucket with the records of a log, none of which was looked at.
func open(b Block, log Log) *bucket {
	first := log.First()
	return &bucket{Block: b, log: log, count: log.Count(), run: first, scanned: first}
}

func (b *bucket) empty() bool { return b.log.First() >= b.log.Next() }

// ready reports whether the bucket knows what it has to give next.
func (b *bucket) ready() bool { return !b.splitting && b.scanned >= b.log.Next() }

// added notes a record that was appended.
func (b *bucket) added(p place, size int) {
	b.count++
	switch {
	case b.splitting:
	case b.scanned != p.seq:
		b.unseenBytes += int64(size)
	case !b.see(p, size):
		b.unseenBytes += int64(size)
	}
}

// see takes the record at scanned into the run or the index, the latter only when the block is near.
//
// The run may go on behind records that are in the index: these are due before some record of the run that stands before
// them, and so are never the first of the log.
func (b *bucket) see(p place, size int) bool {
	if len(b.late) == 0 && b.log.First() == p.seq { // nothing else is left
		b.run, b.runDue, b.broken, b.lateBytes = p.seq, 0, false, 0
	}
	switch {
	case p.due >= b.runDue && (b.near || !b.broken):
		b.run, b.runDue = p.seq+1, p.due
	case b.near:
		b.broken = true
		b.late.push(p)
		b.lateBytes += int64(size)
	default:
		b.broken = true
		return false
	}
	b.scanned = p.seq + 1
	return true
}

// skip goes over a record that is not there any more.
func (b *bucket) skip(seq uint64) {
	b.scanned = seq + 1
	if !b.broken {
		b.run = b.scanned
	}
}

// tooLarge reports whether the index is, or would be, or whether it asks for too much of the disk.
func (b *bucket) tooLarge() bool {
	if !b.broken || b.Level == 0 {
		return false
	}
	return uint64(len(b.late))+b.log.Next()-b.scanned > maxIndex || b.lateBytes+b.unseenBytes > maxLoose
}

// scan looks at records, so many at most, until all were seen. It reports whether it has to wait for one.
func (b *bucket) scan(n int) (wait bool) {
	if first := b.log.First(); b.scanned < first {
		b.skip(first - 1)
	}
	for ; n > 0 && b.scanned < b.log.Next() && !b.tooLarge(); n-- {
		rec, ok := b.log.At(b.scanned)
		if !ok {
			if b.log.Live(b.scanned) {
				return true
			}
			b.skip(b.scanned)
			continue
		}
		b.unseenBytes = max(b.unseenBytes-int64(len(rec)), 0)
		b.see(place{dueOf(rec), b.scanned}, len(rec))
	}
	return false
}

// keep holds in memory what was scanned, if it is no more than may be read in any order.
func (b *bucket) keep() {
	if b.ready() && b.log.LiveBytes() <= maxLoose {
		b.log.Keep()
	}
}

// gone removes a record.
func (b *bucket) gone(seq uint64) {
	b.log.Gone(seq)
	b.count--
}

// head returns what is due first. The bucket is ready. With wait the record has to be read from disk first.
func (b *bucket) head() (p place, rec []byte, wait bool) {
	for {
		p.seq = b.log.First()
		inRun := p.seq < b.run
		if inRun {
			var ok bool
			if rec, ok = b.log.At(p.seq); !ok {
				if b.log.Live(p.seq) {
					return p, nil, true
				}
				continue // lost
			}
			p.due = dueOf(rec)
		}
		for len(b.late) > 0 && !b.log.Live(b.late[0].seq) {
			b.late.pop() // cancelled, or lost
		}
		switch {
		case len(b.late) > 0 && (!inRun || b.late[0].before(p)):
			p = b.late[0]
		case inRun:
			return p, rec, false
		default:
			return place{}, nil, false
		}
		rec, ok := b.log.At(p.seq)
		if ok || b.log.Live(p.seq) {
			return p, rec, !ok
		}
	}
}

// take removes what head has returned.
func (b *bucket) take(p place, size int) {
	if len(b.late) > 0 && b.late[0].seq == p.seq {
		b.late.pop()
		b.lateBytes -= int64(size)
	}
	b.gone(p.seq)
}

// giveUpIndex makes the bucket one that is split.
func (b *bucket) giveUpIndex() {
	b.splitting, b.late, b.lateBytes, b.unseenBytes = true, nil, 0, 0
}
