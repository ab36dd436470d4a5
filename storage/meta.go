package storage

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

const (
	metaHasGaps = 1 << iota // some sequence numbers have no record in the value
	metaHasGone             // some records are gone
	metaHasPart             // the value was rewritten: its first part has a number other than 0
)

// chunkMeta is the 'm' record: which sequence numbers a stored chunk spans, which of them its value holds, and
// which of those are live.
type chunkMeta struct {
	count int // sequence numbers spanned
	part  int // number of the first part of the value
	parts int // of the value
	bytes int // of the value, all parts
	kept  []uint64
	live  []uint64 // a subset of kept
}

// encode: format(1) | flags(1) | parts(2) | span(4) | bytes(4) | gaps, if any: ceil(span/64) × 8 | gone, if any:
// the same | first part(2), if not 0 | crc32c(4). Both bitmaps have a bit per sequence number, set where there is no record to read; with
// chunks of 16,384 records they stay below 4.1 KiB together.
func (m *chunkMeta) encode(key []byte) []byte {
	be := binary.BigEndian
	b := append(make([]byte, 0, 16+16*len(m.kept)), formatInDatabase, 0)
	b = be.AppendUint16(b, uint16(m.parts))
	b = be.AppendUint32(b, uint32(m.count))
	b = be.AppendUint32(b, uint32(m.bytes))
	kept := countBits(m.kept)
	if kept < m.count {
		b[1] |= metaHasGaps
		for _, w := range m.kept {
			b = be.AppendUint64(b, ^w)
		}
	}
	if countBits(m.live) < kept {
		b[1] |= metaHasGone
		for _, w := range m.live {
			b = be.AppendUint64(b, ^w)
		}
	}
	if m.part > 0 {
		b[0], b[1] = formatRewritten, b[1]|metaHasPart
		b = be.AppendUint16(b, uint16(m.part))
	}
	return checked(key, b)
}

func (m *chunkMeta) decode(key, value []byte) error {
	b, err := uncheckedUpTo(formatRewritten, key, value)
	if err != nil {
		return err
	}
	if len(b) < 12 {
		return fmt.Errorf("chunk meta of %d bytes", len(b))
	}
	be := binary.BigEndian
	flags := b[1]
	m.parts, m.count, m.bytes = int(be.Uint16(b[2:])), int(be.Uint32(b[4:])), int(be.Uint32(b[8:]))
	b = b[12:]
	if m.count > maxChunkRecords || m.count == 0 {
		return fmt.Errorf("chunk meta spans %d records", m.count)
	}
	m.kept = make([]uint64, (m.count+63)/64)
	setBits(m.kept, 0, m.count)
	if flags&metaHasGaps != 0 {
		if b, err = maskBits(m.kept, b); err != nil {
			return err
		}
	}
	m.live = append([]uint64(nil), m.kept...)
	if flags&metaHasGone != 0 {
		if b, err = maskBits(m.live, b); err != nil {
			return err
		}
	}
	if m.part = 0; flags&metaHasPart != 0 && len(b) >= 2 {
		m.part, b = int(be.Uint16(b)), b[2:]
	}
	if len(b) != 0 {
		return fmt.Errorf("chunk meta has %d bytes too many", len(b))
	}
	return nil
}

// maskBits clears the bits that are set in the bitmap at the beginning of b, and returns what follows it.
func maskBits(words []uint64, b []byte) ([]byte, error) {
	if len(b) < 8*len(words) {
		return nil, fmt.Errorf("chunk meta is cut")
	}
	for i := range words {
		words[i] &^= binary.BigEndian.Uint64(b[8*i:])
	}
	return b[8*len(words):], nil
}

func countBits(words []uint64) (n int) {
	for _, w := range words {
		n += bits.OnesCount64(w)
	}
	return n
}

// setBits sets the bits from up to to, all of which were clear.
func setBits(words []uint64, from, to int) {
	for i := from; i < to; {
		n := min(64-i&63, to-i)
		words[i>>6] |= ^uint64(0) >> (64 - n) << (i & 63)
		i += n
	}
}

// clearBits clears the bits from up to to and returns how many were set.
func clearBits(words []uint64, from, to int) (cleared int) {
	for i := from; i < to; {
		n := min(64-i&63, to-i)
		mask := ^uint64(0) >> (64 - n) << (i & 63)
		cleared += bits.OnesCount64(words[i>>6] & mask)
		words[i>>6] &^= mask
		i += n
	}
	return cleared
}
