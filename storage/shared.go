package storage

import "encoding/binary"

// sharing says that a record which waits for the next group ends with the bytes of a body that records of other logs end
// with too. The journal holds such a body once for a group: with the first record that is not left out, whichever that
// is; the others refer to it. Chunks, in memory and in Badger, each have their copy.
type sharing struct {
	seq  uint64
	body uint32 // number among the shared bodies of the group, from 1 on
	tail int    // bytes of the body
}

// Share says that the last tail bytes of the record seq, the persistent one that was appended last, are a body that goes
// to several logs in this commit. body is where its number among those is kept: 0, until the first of the logs has taken
// it and gives it one.
func (l *Log) Share(seq uint64, body *uint32, tail int) {
	if l.pending == nil || !l.durable || tail < minSharedBytes {
		return
	}
	if *body == 0 {
		*body = l.store.nextBody()
	}
	l.pending.shared = append(l.pending.shared, sharing{seq, *body, tail})
}

// minSharedBytes is the smallest body that is worth a reference.
const minSharedBytes = 64

func (s *Store) nextBody() uint32 {
	s.commit.Lock()
	defer s.commit.Unlock()
	s.commit.bodies++
	return s.commit.bodies
}

// groupBodies are the places of shared bodies in a group, by their numbers; 0 is that of one that is not written yet.
type groupBodies []uint32

// reset makes room for n bodies.
func (g groupBodies) reset(n uint32) groupBodies {
	if n > maxKeptBodies || int(n)+1 > cap(g) {
		return make(groupBodies, n+1)
	}
	g = g[:n+1]
	clear(g)
	return g
}

// maxKeptBodies bounds the memory that is kept for the next group.
const maxKeptBodies = 1 << 16

// appendSharing writes the records from up to to of the piece e, as appendEnqueue does, but those whose body the group
// has already by reference. shared are what is shared of the piece's log from there on; what is left of it is returned.
func (e *piece) appendSharing(b []byte, id uint64, from, to int, shared []sharing, bodies groupBodies) ([]byte, []sharing) {
	for from < to {
		shared = sharedFrom(shared, e.first+uint64(from))
		byReference, n := false, 0 // records, and how many sharings
		end := from
		for rest := shared; end < to; end++ {
			rest = sharedFrom(rest, e.first+uint64(end))
			here := len(rest) > 0 && rest[0].seq == e.first+uint64(end)
			if known := here && bodies[rest[0].body] != 0; end == from {
				byReference = known
			} else if known != byReference {
				break
			}
			if here {
				n++
				rest = rest[1:]
			}
		}
		if byReference {
			b = e.appendReferences(b, id, from, end, shared[:n], bodies)
		} else {
			b = e.appendEnqueue(b, id, from, end)
			e.noteBodies(len(b), end, shared[:n], bodies)
		}
		shared, from = shared[n:], end
	}
	return b, shared
}

// sharedFrom drops what concerns records before seq, which are left out.
func sharedFrom(shared []sharing, seq uint64) []sharing {
	for len(shared) > 0 && shared[0].seq < seq {
		shared = shared[1:]
	}
	return shared
}

// noteBodies notes where the bodies of records are that have been written whole; the group was of size bytes after the one
// before to.
func (e *piece) noteBodies(size, to int, shared []sharing, bodies groupBodies) {
	_, last := bounds(e.ends, to-1)
	for _, s := range shared {
		_, end := bounds(e.ends, int(s.seq-e.first))
		if at := &bodies[s.body]; *at == 0 {
			*at = uint32(size - int(last-end) - s.tail)
		}
	}
}

// appendReferences writes records, all of which are shared, without their bodies.
func (e *piece) appendReferences(b []byte, id uint64, from, to int, shared []sharing, bodies groupBodies) []byte {
	b = append(b, opReference)
	b = binary.AppendUvarint(b, id)
	b = binary.AppendUvarint(b, e.first+uint64(from))
	b = binary.AppendUvarint(b, uint64(to-from))
	for i, s := range shared {
		start, end := bounds(e.ends, from+i)
		b = binary.AppendUvarint(b, uint64(end-start))
		b = binary.AppendUvarint(b, uint64(s.tail))
		b = binary.AppendUvarint(b, uint64(bodies[s.body]))
	}
	for i, s := range shared {
		start, end := bounds(e.ends, from+i)
		b = append(b, e.data[start:end-uint32(s.tail)]...)
	}
	return b
}

// reference is a record that opReference describes.
type reference struct{ size, tail, at uint64 }

// references reads records that end with bytes which the group has before. All are checked before the first is visited,
// each by itself, since together they may be much larger than the group.
func (r *opReader) references(v opVisitor, opAt int) {
	id, first, n := r.uvarint(), r.uvarint(), r.uvarint()
	if n > uint64(len(r.b)/3) {
		r.bad = true
		return
	}
	r.refs = r.refs[:0]
	heads := uint64(0)
	for range n {
		ref := reference{r.uvarint(), r.uvarint(), r.uvarint()}
		if ref.size > maxRecordBytes || ref.tail > ref.size ||
			ref.at < groupHeaderBytes || ref.at > uint64(opAt+groupHeaderBytes) || ref.tail > uint64(opAt+groupHeaderBytes)-ref.at {
			r.bad = true
			return
		}
		heads += ref.size - ref.tail
		r.refs = append(r.refs, ref)
	}
	head := r.bytes(heads)
	if r.bad {
		return
	}
	for i, ref := range r.refs {
		own := ref.size - ref.tail
		r.record = append(append(r.record[:0], head[:own]...), r.ops[ref.at-groupHeaderBytes:][:ref.tail]...)
		head = head[own:]
		r.sizes = append(r.sizes[:0], uint32(ref.size))
		v.enqueue(LogID(id), first+uint64(i), r.sizes, r.record)
	}
}
