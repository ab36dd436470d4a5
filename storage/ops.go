package storage

import (
	"encoding/binary"
	"errors"
)

var errMalformedOp = errors.New("malformed op")

// opReader reads the ops of a group. A checksum has been verified before, so an error here means a group that was
// written wrong, not one that was torn.
type opReader struct {
	b     []byte
	bad   bool
	ops   []byte   // all of the group
	sizes []uint32 // scratch, as what follows

	refs   []reference
	record []byte
}

func (r *opReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *opReader) bytes(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

// visitOps calls v with every op of a group.
func (r *opReader) visitOps(ops []byte, v opVisitor) error {
	r.b, r.bad, r.ops = ops, false, ops
	for len(r.b) > 0 && !r.bad {
		op, at := r.b[0], len(ops)-len(r.b)
		r.b = r.b[1:]
		switch op {
		case opEnqueue:
			r.enqueue(v)
		case opGone:
			r.gone(v)
		case opCreate:
			id := r.uvarint()
			if tag := r.bytes(r.uvarint()); !r.bad {
				v.create(LogID(id), tag)
			}
		case opDelivered:
			id, mark := r.uvarint(), r.uvarint()
			if !r.bad {
				v.deliver(LogID(id), mark)
			}
		case opNote:
			r.notes(v)
		case opReference:
			r.references(v, at)
		case opDrop:
			if id := r.uvarint(); !r.bad {
				v.drop(LogID(id))
			}
		case opPut:
			key := r.bytes(r.uvarint())
			if value := r.bytes(r.uvarint()); !r.bad {
				v.put(key, value)
			}
		case opDelete:
			if key := r.bytes(r.uvarint()); !r.bad {
				v.delete(key)
			}
		default:
			r.bad = true
		}
	}
	if r.bad {
		return errMalformedOp
	}
	return nil
}

func (r *opReader) enqueue(v opVisitor) {
	id, first, n := r.uvarint(), r.uvarint(), r.uvarint()
	if n > uint64(len(r.b)) { // every size takes a byte
		r.bad = true
		return
	}
	r.sizes = r.sizes[:0]
	total := uint64(0)
	for range n {
		size := r.uvarint()
		if size > maxRecordBytes {
			r.bad = true
			return
		}
		total += size
		r.sizes = append(r.sizes, uint32(size))
	}
	if records := r.bytes(total); !r.bad {
		v.enqueue(LogID(id), first, r.sizes, records)
	}
}

func (r *opReader) gone(v opVisitor) {
	id, n := LogID(r.uvarint()), r.uvarint()
	at := uint64(0)
	for range n {
		from := at + r.uvarint()
		at = from + r.uvarint()
		if r.bad || at < from {
			r.bad = true
			return
		}
		v.gone(id, seqRange{from, at})
	}
}
