package storage

import (
	"encoding/binary"
	"hash/crc32"
)

// A group is one commit, as docs/formats/journal.md draws it:
//
//	u32 length | u32 crc32c | u64 commit | u64 synced | ops … | zeros to a multiple of 8
const groupHeaderBytes = 24

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Ops of a group. Integers in ops are uvarints.
const (
	opEnqueue   = 1 // log, first seq, n, n sizes, records
	opGone      = 2 // log, n, n × (distance from the end of the previous range, count)
	opDelivered = 3 // log, seq: everything below it may have been delivered
	opCreate    = 4 // log, size of the tag, tag
	opDrop      = 5 // log
	opPut       = 6 // size of key, key, size of value, value
	opDelete    = 7 // size of key, key
	opNote      = 8 // log, n, n × (seq, count, not-before)
	opReference = 9 // log, first seq, n, n × (size, tail, where in the group the tail is), records without their tails
)

// beginGroup makes room for the header.
func beginGroup(b []byte) []byte { return append(b[:0], make([]byte, groupHeaderBytes)...) }

// endGroup fills the header in and pads. seed is the segment's.
func endGroup(b []byte, seed uint32, commit, synced Commit) []byte {
	le := binary.LittleEndian
	le.PutUint32(b[0:], uint32(len(b)))
	le.PutUint64(b[8:], uint64(commit))
	le.PutUint64(b[16:], uint64(synced))
	le.PutUint32(b[4:], groupChecksum(b, seed))
	for len(b)&7 != 0 {
		b = append(b, 0)
	}
	return b
}

// groupChecksum covers everything but itself.
func groupChecksum(b []byte, seed uint32) uint32 {
	return crc32.Update(crc32.Update(seed, castagnoli, b[:4]), castagnoli, b[8:])
}

// appendOps writes what p adds to the group, which b is from its beginning on.
func (p *pending) appendOps(b []byte, bodies groupBodies) []byte {
	id := uint64(p.log.id)
	if p.dropped {
		if p.created {
			return b // came and went within the group
		}
		b = append(b, opDrop)
		return binary.AppendUvarint(b, id)
	}
	if p.created {
		b = append(b, opCreate)
		b = binary.AppendUvarint(b, id)
		b = binary.AppendUvarint(b, uint64(len(p.log.state.tag)))
		b = append(b, p.log.state.tag...)
	}
	gone, shared := p.gone.sorted(), p.shared
	for i := range p.pieces {
		e := &p.pieces[i]
		e.surviving(gone, func(from, to int) {
			if len(shared) == 0 {
				b = e.appendEnqueue(b, id, from, to)
			} else {
				b, shared = e.appendSharing(b, id, from, to, shared, bodies)
			}
		})
	}
	b = appendGone(b, id, gone, p.from)
	if len(p.notes) > 0 {
		b = p.appendNotes(b, gone)
	}
	if p.marked {
		b = append(b, opDelivered)
		b = binary.AppendUvarint(b, id)
		b = binary.AppendUvarint(b, p.mark)
	}
	return b
}

func (e *piece) appendEnqueue(b []byte, id uint64, from, to int) []byte {
	b = append(b, opEnqueue)
	b = binary.AppendUvarint(b, id)
	b = binary.AppendUvarint(b, e.first+uint64(from))
	b = binary.AppendUvarint(b, uint64(to-from))
	first, end := bounds(e.ends, from)
	start := first
	for i := from; i < to; i++ {
		end = e.ends[i] &^ transientBit
		b = binary.AppendUvarint(b, uint64(end-start))
		start = end
	}
	return append(b, e.data[first:end]...)
}

// appendGone writes the ranges below limit; those above it belong to records that the group leaves out.
func appendGone(b []byte, id uint64, gone []seqRange, limit uint64) []byte {
	n := 0
	for n < len(gone) && gone[n].from < limit {
		n++
	}
	if n == 0 {
		return b
	}
	b = append(b, opGone)
	b = binary.AppendUvarint(b, id)
	b = binary.AppendUvarint(b, uint64(n))
	at := uint64(0)
	for _, r := range gone[:n] {
		to := min(r.to, limit)
		b = binary.AppendUvarint(b, r.from-at)
		b = binary.AppendUvarint(b, to-r.from)
		at = to
	}
	return b
}

// opVisitor receives the ops of a group in order. Slices are views of the group.
type opVisitor interface {
	create(id LogID, tag []byte)
	enqueue(id LogID, first uint64, sizes []uint32, records []byte)
	gone(id LogID, r seqRange)
	note(id LogID, seq uint64, n note)
	deliver(id LogID, mark uint64)
	drop(id LogID)
	put(key, value []byte)
	delete(key []byte)
}
