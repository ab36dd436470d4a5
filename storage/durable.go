package storage

import (
	"math"
	"sync"
)

// durableState is what is on disk, in the journal or in Badger: the result of applying every group that is synced,
// in order. Recovery builds it by reading, and the committer goes on applying to it after each sync, by the same
// methods; the pager works from nothing else. So what reaches Badger was durable before, by construction.
type durableState struct {
	mu    sync.Mutex // a leaf: nothing is locked and no I/O done while it is held
	logs  map[LogID]*durableLog
	dirty []*durableLog // what is durable of them is newer than what Badger has
	table tableState

	nextLog LogID
	commit  Commit // the last one applied
	segment uint64 // that it was read from or written to

	// Chunks whose records are only in the journal, oldest first, and the memory that they pin.
	oldest, newest *durableChunk
	journalBytes   int64
	storedBytes    int64 // of the values in Badger that are not all dead
	storedDead     int64 // about how many of them belong to records that are gone
	storedLarge    int64 // how many of them are of values in the value log

	sparse map[*durableChunk]struct{} // stored chunks that have lost records since they were written
}

// durableLog is the durable side of one log.
type durableLog struct {
	id       LogID
	tag      []byte
	log      *Log // nil during recovery
	chunks   ordered[*durableChunk]
	next     uint64 // 1 + the highest seq that anything durable named
	moved    uint64 // every record below it is in Badger or gone
	mark     uint64 // delivered-up-to
	dropped  bool
	inDB     bool            // has a descriptor in Badger
	dirty    bool            // is on durableState.dirty
	deletes  []*durableChunk // stored, and all gone
	touched  map[*durableChunk]struct{}
	notes    notes
	changed  map[uint64]struct{} // blocks of notes of which Badger does not have the newest state
	filling  *chunk              // recovery: where the next records go
	refilled uint64              // recovery: every enqueue below it was read
	runFrom  int                 // recovery: index in filling of the first record that is not yet durable state
}

// durableChunk is a run of records of one log that began in one chunk of the queue. Bit i of live stands for the
// record first+i: it is durable, and its end is not.
type durableChunk struct {
	log       *durableLog
	first     uint64
	count     int
	live      []uint64
	liveCount int

	// While its records are only in the journal: they are mem's, from index base on.
	mem     *chunk
	base    int
	data    []byte // copies of mem's, as long as what is durable
	ends    []uint32
	segment uint64 // of its first record
	sealed  bool   // no further records come

	older, younger *durableChunk // list of chunks that are only in the journal

	// Once it is in Badger.
	stored     bool
	kept       []uint64 // which records the value holds
	keptCount  int
	bytes      int  // of the value
	part       int  // number of its first part: a rewritten value never stands where the old one did
	parts      int  // how many
	unreadable bool // the pager could not read it; it is left to who wants its records
}

func (c *durableChunk) next() uint64 { return c.first + uint64(c.count) }

// dead returns about how many bytes of the value belong to records that are gone.
func (c *durableChunk) dead() int64 {
	return int64(c.bytes) * int64(c.keptCount-c.liveCount) / int64(max(c.keptCount, 1))
}

// large returns how many bytes of the value are in the value log. The end of one with several parts may be inline.
func (c *durableChunk) large() int64 {
	if c.bytes < valueThreshold {
		return 0
	}
	return int64(c.bytes)
}

func newDurableState() *durableState {
	return &durableState{
		logs: map[LogID]*durableLog{}, nextLog: 1, sparse: map[*durableChunk]struct{}{},
		table: tableState{pending: map[string][]byte{}},
	}
}

// touch notes that Badger has to be told what is gone of c.
func (l *durableLog) touch(c *durableChunk) {
	if l.touched == nil {
		l.touched = make(map[*durableChunk]struct{})
	}
	l.touched[c] = struct{}{}
}

// soil notes that Badger does not have the newest state of l.
func (d *durableState) soil(l *durableLog) {
	if !l.dirty {
		l.dirty = true
		d.dirty = append(d.dirty, l)
	}
}

func (d *durableState) create(l *durableLog) {
	d.logs[l.id] = l
	d.nextLog = max(d.nextLog, l.id+1)
	d.soil(l)
}

// enqueue adds records from up to to of the piece e.
func (d *durableState) enqueue(l *durableLog, e *piece, from, to int) {
	c := l.chunks.last()
	if c == nil || c.stored || c.sealed || c.mem != e.chunk {
		if c != nil {
			c.sealed = true
		}
		c = d.newChunk(l, e, from)
	}
	c.data, c.ends = e.data, e.ends
	c.count = to - c.base
	for len(c.live) < (c.count+63)/64 {
		c.live = append(c.live, 0)
	}
	setBits(c.live, from-c.base, to-c.base)
	c.liveCount += to - from
	l.next = max(l.next, c.next())
	d.soil(l)
}

func (d *durableState) newChunk(l *durableLog, e *piece, from int) *durableChunk {
	c := &durableChunk{log: l, first: e.first + uint64(from), base: from, mem: e.chunk, segment: d.segment}
	e.chunk.retain()
	c.data = e.data
	d.journalBytes += int64(cap(e.data))
	if c.older = d.newest; c.older != nil {
		c.older.younger = c
	} else {
		d.oldest = c
	}
	d.newest = c
	l.chunks.push(c.first, c)
	return c
}

// letGo ends the chunk's hold on memory: it was stored, or all of it is gone.
func (d *durableState) letGo(c *durableChunk) {
	if c.mem == nil {
		return
	}
	d.journalBytes -= int64(cap(c.data))
	if c.older != nil {
		c.older.younger = c.younger
	} else {
		d.oldest = c.younger
	}
	if c.younger != nil {
		c.younger.older = c.older
	} else {
		d.newest = c.older
	}
	c.older, c.younger = nil, nil
	mem := c.mem
	c.mem, c.data, c.ends, c.base = nil, nil, nil, 0
	mem.release()
}

// gone marks records; those that are not known are ignored, so a range may be applied again.
func (d *durableState) gone(l *durableLog, r seqRange) {
	l.next = max(l.next, r.to)
	d.soil(l)
	d.unnote(l, r)
	for i, c := range l.chunks.after(r.from) {
		if c.first >= r.to {
			break
		}
		from := int(max(r.from, c.first) - c.first)
		to := int(min(r.to, c.next()) - c.first)
		n := clearBits(c.live, from, to)
		if n == 0 {
			continue
		}
		d.lessen(c, n)
		switch {
		case c.liveCount > 0 && c.stored:
			l.touch(c)
		case c.liveCount == 0:
			l.chunks.clear(i)
			d.end(c)
		}
	}
	l.chunks.tidy()
}

// lessen counts n records of c as gone.
func (d *durableState) lessen(c *durableChunk, n int) {
	if !c.stored {
		c.liveCount -= n
		return
	}
	d.storedDead -= c.dead()
	c.liveCount -= n
	d.storedDead += c.dead()
	d.sparse[c] = struct{}{}
}

// store counts c as stored. What is gone of it already Badger has to be told.
func (d *durableState) store(c *durableChunk) {
	d.countStored(c)
	switch {
	case c.liveCount == 0:
		d.end(c)
		d.soil(c.log)
	case c.liveCount < c.keptCount:
		c.log.touch(c)
		d.soil(c.log)
	}
}

func (d *durableState) countStored(c *durableChunk) {
	c.stored = true
	d.storedBytes += int64(c.bytes)
	d.storedDead += c.dead()
	d.storedLarge += c.large()
	if c.liveCount < c.keptCount {
		d.sparse[c] = struct{}{}
	}
}

// unstore takes c out of what is stored: all of it is gone, or another chunk has what is live of it.
func (d *durableState) unstore(c *durableChunk) {
	d.storedBytes -= int64(c.bytes)
	d.storedDead -= c.dead()
	d.storedLarge -= c.large()
	delete(d.sparse, c)
	delete(c.log.touched, c)
}

// end is called when the last live record of c is gone. What Badger has of it the pager deletes.
func (d *durableState) end(c *durableChunk) {
	d.letGo(c)
	if c.stored {
		d.unstore(c)
		c.log.deletes = append(c.log.deletes, c)
	}
}

// deliver sets how far records may have been handed out.
func (d *durableState) deliver(l *durableLog, mark uint64) {
	l.mark = mark
	d.soil(l)
}

// drop ends a log. Its keys in Badger are the pager's to delete.
func (d *durableState) drop(l *durableLog) {
	l.dropped = true
	delete(d.logs, l.id)
	d.unnote(l, seqRange{0, math.MaxUint64})
	for i, c := range l.chunks.all() {
		l.chunks.clear(i)
		clear(c.live)
		d.lessen(c, c.liveCount)
		d.end(c)
	}
	l.chunks.tidy()
	d.soil(l)
}
