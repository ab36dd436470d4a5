package queue_test

import (
	"maps"
	"slices"

	"github.com/warren-mq/warren/queue"
)

// memoryLog is a Log for tests: records back to back in one slice that starts anew when all are gone.
type memoryLog struct {
	data    []byte
	records []memoryRecord // of the seqs from first on
	first   uint64
	notes   map[uint64][2]int64
	live    int
	dropped bool

	deliveredUpTo uint64
}

type memoryRecord struct {
	data []byte // nil: gone
}

func newMemoryLog(uint8) queue.Log { return &memoryLog{} }

func (l *memoryLog) Append(size int, _ bool) (uint64, []byte) {
	if l.live == 0 {
		l.first += uint64(len(l.records))
		l.records, l.data = l.records[:0], l.data[:0]
	}
	if len(l.data)+size > cap(l.data) {
		// Views into the old slice stay good.
		l.data = make([]byte, 0, max(2*cap(l.data), size, 4096))
	}
	n := len(l.data)
	l.data = l.data[:n+size]
	record := l.data[n : n+size : n+size]
	l.records = append(l.records, memoryRecord{record})
	l.live++
	return l.Next() - 1, record
}

func (l *memoryLog) At(seq uint64) ([]byte, bool) {
	if seq < l.first || seq >= l.Next() {
		return nil, false
	}
	r := l.records[seq-l.first].data
	return r, r != nil
}

func (l *memoryLog) GoneRange(from, to uint64) {
	for seq := from; seq < to; seq++ {
		l.Gone(seq)
	}
}

func (l *memoryLog) Gone(seq uint64) {
	if _, ok := l.At(seq); ok {
		l.records[seq-l.first].data = nil
		delete(l.notes, seq)
		l.live--
	}
}

func (l *memoryLog) Live(seq uint64) bool { _, ok := l.At(seq); return ok }

func (l *memoryLog) Note(seq uint64, count, notBefore int64) {
	if !l.Live(seq) {
		panic("a note beside a record that is gone")
	}
	if l.notes == nil {
		l.notes = map[uint64][2]int64{}
	}
	if l.notes[seq] = [2]int64{count, notBefore}; count == 0 && notBefore == 0 {
		delete(l.notes, seq)
	}
}

func (l *memoryLog) Noted(seq uint64) (count, notBefore int64) {
	return l.notes[seq][0], l.notes[seq][1]
}

func (l *memoryLog) EachNote(visit func(seq uint64, count, notBefore int64)) {
	for _, seq := range slices.Sorted(maps.Keys(l.notes)) {
		visit(seq, l.notes[seq][0], l.notes[seq][1])
	}
}

// What a log on disk could refuse, this one never does.
func (l *memoryLog) Deliver(uint64) bool   { return true }
func (l *memoryLog) KeepFirm()             {}
func (l *memoryLog) DeliveredUpTo() uint64 { return l.deliveredUpTo }

// Size is what a queue takes for the size of a body where it cannot look: here it is right.
func (l *memoryLog) Size(seq uint64) int {
	if rec, ok := l.At(seq); ok {
		return int(queue.BodySize(rec))
	}
	return 0
}

func (l *memoryLog) Count() (n int) {
	for seq := l.First(); seq < l.Next(); seq++ {
		if l.Live(seq) {
			n++
		}
	}
	return n
}

func (l *memoryLog) LiveBytes() (n int64) {
	for seq := l.First(); seq < l.Next(); seq++ {
		n += int64(l.Size(seq))
	}
	return n
}

func (l *memoryLog) First() uint64 { return l.first }
func (l *memoryLog) Next() uint64  { return l.first + uint64(len(l.records)) }
func (l *memoryLog) Bytes() int64  { return int64(cap(l.data)) }

func (l *memoryLog) Drop() {
	*l = memoryLog{first: l.Next(), dropped: true}
}

func (l *memoryLog) Peek(seq uint64) ([]byte, bool) { return l.At(seq) }
func (l *memoryLog) Resident() int                  { return l.live }

func (l *memoryLog) Share(uint64, *uint32, int) {}
