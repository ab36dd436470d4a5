package storage

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/bits"
	"slices"
)

// note is a word that the owner of a log leaves beside a record: how often it was given back, and the time, in unix
// milliseconds, before which it may not be handed out. The zero note is none.
type note struct{ count, notBefore int64 }

// noteSpan is how many sequence numbers share a block: small enough for its value to stay inline in Badger.
const noteSpan = 256

// notes are those of one log, in blocks by sequence number: 16 bytes for each, nothing for records without one.
type notes struct {
	blocks map[uint64]*noteBlock // by seq / noteSpan; none is empty
	count  int
}

// noteBlock holds the notes of noteSpan records. Bit i of has says that record i has one; list has them in order.
type noteBlock struct {
	has  [noteSpan / 64]uint64
	list []note
}

// place returns where in list the note of record i is, or would be.
func (b *noteBlock) place(i int) (at int, has bool) {
	word := i >> 6
	for _, w := range b.has[:word] {
		at += bits.OnesCount64(w)
	}
	bit := uint64(1) << (i & 63)
	return at + bits.OnesCount64(b.has[word]&(bit-1)), b.has[word]&bit != 0
}

func (n *notes) get(seq uint64) note {
	if b := n.blocks[seq/noteSpan]; b != nil {
		if at, has := b.place(int(seq % noteSpan)); has {
			return b.list[at]
		}
	}
	return note{}
}

// set leaves a note that is not zero.
func (n *notes) set(seq uint64, v note) {
	b := n.blocks[seq/noteSpan]
	if b == nil {
		if n.blocks == nil {
			n.blocks = make(map[uint64]*noteBlock)
		}
		b = new(noteBlock)
		n.blocks[seq/noteSpan] = b
	}
	i := int(seq % noteSpan)
	at, has := b.place(i)
	if has {
		b.list[at] = v
		return
	}
	b.has[i>>6] |= 1 << (i & 63)
	b.list = slices.Insert(b.list, at, v)
	n.count++
}

// remove takes the notes of a range away. changed, if there is one, is called for every block that had some of them.
// The caller has seen that there are notes at all. It costs the smaller of the blocks there are and those of the range.
func (n *notes) remove(r seqRange, changed func(block uint64)) {
	if r.from >= r.to {
		return
	}
	first, last := r.from/noteSpan, (r.to-1)/noteSpan
	if last-first < uint64(len(n.blocks)) {
		for block := first; block <= last; block++ {
			n.removeIn(block, r, changed)
		}
		return
	}
	for block := range n.blocks {
		if first <= block && block <= last {
			n.removeIn(block, r, changed)
		}
	}
}

func (n *notes) removeIn(block uint64, r seqRange, changed func(block uint64)) {
	b := n.blocks[block]
	if b == nil {
		return
	}
	base := block * noteSpan
	from, to := int(max(r.from, base)-base), int(min(r.to, base+noteSpan)-base)
	start, _ := b.place(from)
	removed := clearBits(b.has[:], from, to)
	if removed == 0 {
		return
	}
	b.list = slices.Delete(b.list, start, start+removed)
	n.count -= removed
	if len(b.list) == 0 {
		delete(n.blocks, block)
	}
	if changed != nil {
		changed(block)
	}
}

// each calls visit for all notes, in order of their records.
func (n *notes) each(visit func(seq uint64, v note)) {
	for _, block := range slices.Sorted(maps.Keys(n.blocks)) {
		b := n.blocks[block]
		at := 0
		for i := range setBitsOf(b.has[:]) {
			visit(block*noteSpan+uint64(i), b.list[at])
			at++
		}
	}
}

func (n *notes) bytes() int64 { return int64(16*n.count + 64*len(n.blocks)) }

// encode: format(1) | for each note: index in the block(1), count(uvarint), not-before(uvarint) | crc32c(4)
func (b *noteBlock) encode(key []byte) []byte {
	out := append(make([]byte, 0, 8+10*len(b.list)), formatInDatabase)
	at := 0
	for i := range setBitsOf(b.has[:]) {
		out = append(out, byte(i))
		out = appendNote(out, b.list[at])
		at++
	}
	return checked(key, out)
}

func appendNote(b []byte, v note) []byte {
	b = binary.AppendUvarint(b, uint64(v.count))
	return binary.AppendUvarint(b, uint64(v.notBefore))
}

// decodeNotes calls visit with the notes of a block.
func decodeNotes(key, value []byte, visit func(seq uint64, v note)) error {
	b, err := unchecked(key, value)
	if err != nil {
		return err
	}
	first := binary.BigEndian.Uint64(key[9:])
	r := opReader{b: b[1:]}
	for len(r.b) > 0 && !r.bad {
		i := r.bytes(1)
		v := note{int64(r.uvarint()), int64(r.uvarint())}
		if !r.bad {
			visit(first+uint64(i[0]), v)
		}
	}
	if r.bad {
		return fmt.Errorf("notes are cut")
	}
	return nil
}

// Note leaves a note beside a live record, in place of an earlier one: how often it was given back, and the time in
// unix milliseconds before which it may not be handed out. It lives as long as the record, and survives a restart if
// that does. Both zero takes the note away.
func (l *Log) Note(seq uint64, count, notBefore int64) {
	c, _ := l.find(seq)
	if c == nil || c.isGone(int(seq-c.first)) {
		return
	}
	v := note{count, notBefore}
	if v == (note{}) {
		l.unnote(seqRange{seq, seq + 1})
	} else {
		l.notes.set(seq, v)
	}
	if l.durable && !(c.resident() && c.ends[seq-c.first]&transientBit != 0) {
		p := l.pend()
		p.notes = append(p.notes, pendingNote{seq, v})
	}
}

// Noted returns the note of a record, zeros if it has none.
func (l *Log) Noted(seq uint64) (count, notBefore int64) {
	if l.notes.count == 0 {
		return 0, 0
	}
	v := l.notes.get(seq)
	return v.count, v.notBefore
}

// EachNote calls visit for every record with a note, in their order.
func (l *Log) EachNote(visit func(seq uint64, count, notBefore int64)) {
	l.notes.each(func(seq uint64, v note) { visit(seq, v.count, v.notBefore) })
}

// unnote takes away the notes of records that are gone. Logs without notes do not notice.
func (l *Log) unnote(r seqRange) {
	if l.notes.count > 0 {
		l.notes.remove(r, nil)
	}
}

// pendingNote is a note on its way into a group. A later one of the same record comes behind it.
type pendingNote struct {
	seq uint64
	note
}

// lastingNotes calls visit with the notes that a group has to hold: not those of records that are gone within it.
func (p *pending) lastingNotes(gone []seqRange, visit func(seq uint64, v note)) {
	for _, n := range p.notes {
		at, _ := slices.BinarySearchFunc(gone, n.seq, func(r seqRange, seq uint64) int {
			if r.to <= seq {
				return -1
			}
			return 1
		})
		if at == len(gone) || n.seq < gone[at].from {
			visit(n.seq, n.note)
		}
	}
}

// appendNotes writes the op.
func (p *pending) appendNotes(b []byte, gone []seqRange) []byte {
	n := 0
	p.lastingNotes(gone, func(uint64, note) { n++ })
	if n == 0 {
		return b
	}
	b = append(b, opNote)
	b = binary.AppendUvarint(b, uint64(p.log.id))
	b = binary.AppendUvarint(b, uint64(n))
	p.lastingNotes(gone, func(seq uint64, v note) {
		b = binary.AppendUvarint(b, seq)
		b = appendNote(b, v)
	})
	return b
}

func (r *opReader) notes(v opVisitor) {
	id, n := LogID(r.uvarint()), r.uvarint()
	for range n {
		seq := r.uvarint()
		left := note{int64(r.uvarint()), int64(r.uvarint())}
		if r.bad {
			return
		}
		v.note(id, seq, left)
	}
}

// note sets or, if v is zero, removes the note of a record. Those of records that are gone are ignored, so it may be
// applied again.
func (d *durableState) note(l *durableLog, seq uint64, v note) {
	c, _ := l.chunks.find(seq)
	if c == nil {
		return
	}
	if i := int(seq - c.first); c.live[i>>6]&(1<<(i&63)) == 0 {
		return
	}
	d.soil(l)
	if v == (note{}) {
		d.unnote(l, seqRange{seq, seq + 1})
		return
	}
	l.notes.set(seq, v)
	l.noteChanged(seq / noteSpan)
}

// unnote takes away the notes of records that are gone.
func (d *durableState) unnote(l *durableLog, r seqRange) {
	if l.notes.count > 0 {
		l.notes.remove(r, l.noteChanged)
	}
}

// noteChanged notes that Badger does not have the newest state of a block of notes.
func (l *durableLog) noteChanged(block uint64) {
	if l.changed == nil {
		l.changed = make(map[uint64]struct{})
	}
	l.changed[block] = struct{}{}
}

// noteChange is a block of notes on its way to Badger; without a value it is deleted.
type noteChange struct{ key, value []byte }

// takeNotes returns the blocks that Badger lacks. durableState.mu is held.
func (l *durableLog) takeNotes() (list []noteChange) {
	for block := range l.changed {
		n := noteChange{key: noteKey(l.id, block*noteSpan)}
		if b := l.notes.blocks[block]; b != nil {
			n.value = b.encode(n.key)
		}
		list = append(list, n)
	}
	clear(l.changed)
	return list
}

func (w *writer) writeNotes(list []noteChange) error {
	for _, n := range list {
		err := error(nil)
		if n.value == nil {
			err = w.delete(n.key)
		} else {
			err = w.setInline(n.key, n.value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
