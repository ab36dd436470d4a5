package storage_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/warren-mq/warren/storage"
)

// logModel is what a log is by definition: a map.
type logModel struct {
	records map[uint64][]byte
	low     uint64 // nothing before it is there
	next    uint64
}

func (m *logModel) first() uint64 {
	for ; m.low < m.next; m.low++ {
		if _, ok := m.records[m.low]; ok {
			break
		}
	}
	return m.low
}

// TestLogBehavesLikeAMap drives a log and a map with the same random operations: bursts of appends, acks in order,
// acks anywhere, purges and drops.
func TestLogBehavesLikeAMap(t *testing.T) {
	for range 15 {
		seed := rand.Uint64()
		rng := rand.New(rand.NewPCG(seed, 0))
		l := storage.NewLog(storage.Options{ChunkBytes: 1 << (10 + rng.IntN(9))})
		m := &logModel{records: map[uint64][]byte{}}
		for step := range 400 {
			if !stepBoth(rng, l, m) || !sameLog(t, rng, l, m) {
				t.Fatalf("seed %d, step %d: log and model differ", seed, step)
			}
		}
	}
}

func stepBoth(rng *rand.Rand, l *storage.Log, m *logModel) bool {
	switch op := rng.IntN(100); {
	case op < 45:
		for range rng.IntN(40) {
			if !appendBoth(rng, l, m) {
				return false
			}
		}
	case op < 70: // in order
		for range rng.IntN(60) {
			seq := l.First()
			l.Gone(seq)
			delete(m.records, seq)
		}
	case op < 95: // anywhere
		for range rng.IntN(60) {
			seq := rng.Uint64N(m.next + 2)
			l.Gone(seq)
			delete(m.records, seq)
		}
	case op < 99: // purge
		below := m.next - rng.Uint64N(min(m.next, 20)+1)
		l.GoneRange(0, below)
		for seq := range below {
			delete(m.records, seq)
		}
	default:
		l.Drop()
		clear(m.records)
	}
	return true
}

func appendBoth(rng *rand.Rand, l *storage.Log, m *logModel) bool {
	size := rng.IntN(200)
	switch rng.IntN(20) {
	case 0:
		size = rng.IntN(40_000)
	case 1:
		size = 0
	case 2:
		if rng.IntN(10) == 0 {
			size = 120_000 + rng.IntN(300_000)
		}
	}
	seq, record := l.Append(size, rng.IntN(2) == 0)
	if seq != m.next || len(record) != size || cap(record) != size {
		return false
	}
	for i := 0; i+8 <= size; i += 8 {
		binary.NativeEndian.PutUint64(record[i:], rng.Uint64())
	}
	for i := size &^ 7; i < size; i++ {
		record[i] = byte(i)
	}
	m.records[seq] = bytes.Clone(record)
	m.next++
	return true
}

func sameLog(t *testing.T, rng *rand.Rand, l *storage.Log, m *logModel) bool {
	if l.First() != m.first() || l.Next() != m.next {
		t.Errorf("first %d, next %d; want %d, %d", l.First(), l.Next(), m.first(), m.next)
		return false
	}
	for range 50 {
		seq := rng.Uint64N(m.next + 2)
		want, live := m.records[seq]
		got, ok := l.At(seq)
		if ok != live || l.Live(seq) != live || !bytes.Equal(got, want) {
			t.Errorf("seq %d: at %v, live %v, want %v; %d bytes, want %d", seq, ok, l.Live(seq), live, len(got), len(want))
			return false
		}
	}
	return true
}
