package storage

import (
	"bytes"
	"sync/atomic"
)

// maxFill is the largest gap of sequence numbers that a rebuilt chunk bridges with empty records.
const maxFill = 64

// replayOps applies ops to the durable side as they are read back. Every op may be applied again, and after
// anything that came later; what is known to be over is ignored.
type replayOps struct {
	*durableState
	chunkBytes int
	meter      *atomic.Int64
}

func (d *replayOps) create(id LogID, tag []byte) {
	d.nextLog = max(d.nextLog, id+1)
	if d.logs[id] != nil {
		return
	}
	d.durableState.create(&durableLog{id: id, tag: bytes.Clone(tag)})
}

func (d *replayOps) enqueue(id LogID, first uint64, sizes []uint32, records []byte) {
	l := d.logs[id]
	if l == nil {
		return // dropped later
	}
	for i, size := range sizes {
		seq := first + uint64(i)
		if seq >= l.moved && seq >= l.refilled {
			d.fill(l, seq, records[:size])
		}
		records = records[size:]
	}
	d.endRun(l)
}

// fill appends a record to the chunk that is being rebuilt. Sequence numbers that were never written, of transient
// messages and of those acked within their group, become empty records.
func (d *replayOps) fill(l *durableLog, seq uint64, record []byte) {
	c := l.filling
	if c != nil {
		if gap := seq - c.next(); gap > maxFill || c.count+int(gap) >= maxChunkRecords || !c.fits(len(record)) {
			d.closeFilling(l)
			c = nil
		} else if gap > 0 {
			d.endRun(l)
			for range gap {
				c.append(0, transientBit)
			}
			l.runFrom = c.count
		}
	}
	if c == nil {
		c = takeChunk(seq, max(d.chunkBytes, len(record)), d.meter)
		l.filling, l.runFrom = c, 0
	}
	copy(c.append(len(record), 0), record)
	l.refilled = seq + 1
}

// endRun makes the records that were filled in since the last call part of the durable state.
func (d *replayOps) endRun(l *durableLog) {
	c := l.filling
	if c == nil || l.runFrom == c.count {
		return
	}
	d.durableState.enqueue(l, &piece{chunk: c, first: c.first, data: c.data, ends: c.ends}, l.runFrom, c.count)
	l.runFrom = c.count
}

// closeFilling ends the chunk that is being rebuilt. The durable side keeps it, if any of it is live.
func (d *replayOps) closeFilling(l *durableLog) {
	d.endRun(l)
	if l.filling != nil {
		if c := l.chunks.last(); c != nil && c.mem == l.filling {
			c.sealed = true
		}
		l.filling.release()
		l.filling = nil
	}
}

func (d *replayOps) gone(id LogID, r seqRange) {
	if l := d.logs[id]; l != nil {
		d.durableState.gone(l, r)
	}
}

func (d *replayOps) note(id LogID, seq uint64, n note) {
	if l := d.logs[id]; l != nil {
		d.durableState.note(l, seq, n)
	}
}

func (d *replayOps) deliver(id LogID, mark uint64) {
	if l := d.logs[id]; l != nil {
		d.durableState.deliver(l, mark)
	}
}

func (d *replayOps) drop(id LogID) {
	if l := d.logs[id]; l != nil {
		d.closeFilling(l)
		d.durableState.drop(l)
	}
}

func (d *replayOps) put(key, value []byte) {
	d.table.apply(&tableOp{key: string(key), value: append([]byte{}, value...)})
}

func (d *replayOps) delete(key []byte) { d.table.apply(&tableOp{key: string(key), delete: true}) }
