package storage

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
)

const (
	formatVersion = 2 // 1 has no notes and no references
	oldestFormat  = 1

	segmentMagic       = "WarrenJ\n"
	segmentHeaderBytes = blockBytes // groups begin here
	segmentSuffix      = ".seg"
	spareSuffix        = ".spare"
)

// segmentHeader stands at the beginning of a segment. It is on disk before the file has its name, so a segment
// without a good one is damaged, not torn.
//
//	0 magic(8) | 8 format u32 | 12 seed u32 | 16 store u64 | 24 number u64 | 32 last commit before u64 |
//	40 end of the previous segment u64 | 48 first live segment u64 | 56 crc32c of the above u32
type segmentHeader struct {
	format  uint32
	seed    uint32 // starts the checksum of every group, so that what a recycled file held before is not taken for one
	store   uint64
	number  uint64
	before  Commit // the last commit before this segment
	prevEnd uint64 // where the previous segment ends; what lies behind was cut. 0 for the first of a store.
	live    uint64 // the first live segment when this one was begun: the checkpoint
}

func (h *segmentHeader) encode() []byte {
	le := binary.LittleEndian
	b := alignedBytes(segmentHeaderBytes)[:0]
	b = append(b, segmentMagic...)
	b = le.AppendUint32(b, h.format)
	b = le.AppendUint32(b, h.seed)
	b = le.AppendUint64(b, h.store)
	b = le.AppendUint64(b, h.number)
	b = le.AppendUint64(b, uint64(h.before))
	b = le.AppendUint64(b, h.prevEnd)
	b = le.AppendUint64(b, h.live)
	b = le.AppendUint32(b, crc32.Checksum(b, castagnoli))
	return b[:segmentHeaderBytes]
}

// decodeSegmentHeader reads what encode wrote.
func decodeSegmentHeader(b []byte) (segmentHeader, error) {
	le := binary.LittleEndian
	var h segmentHeader
	if len(b) < 60 || string(b[:8]) != segmentMagic {
		return h, fmt.Errorf("no segment header")
	}
	if h.format = le.Uint32(b[8:]); h.format < oldestFormat || h.format > formatVersion {
		return h, &FormatError{Found: h.format}
	}
	if crc32.Checksum(b[:56], castagnoli) != le.Uint32(b[56:]) {
		return h, fmt.Errorf("wrong checksum of the segment header")
	}
	h.seed = le.Uint32(b[12:])
	h.store = le.Uint64(b[16:])
	h.number = le.Uint64(b[24:])
	h.before = Commit(le.Uint64(b[32:]))
	h.prevEnd = le.Uint64(b[40:])
	h.live = le.Uint64(b[48:])
	return h, nil
}

func segmentName(number uint64) string { return fmt.Sprintf("%016x%s", number, segmentSuffix) }

func parseSegmentName(name string) (number uint64, ok bool) {
	hex, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok || len(hex) != 16 {
		return 0, false
	}
	number, err := strconv.ParseUint(hex, 16, 64)
	return number, err == nil
}
