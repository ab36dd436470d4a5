package storage

import (
	"maps"
	"math/rand/v2"
	"testing"
)

// notesOf returns what a log has noted.
func notesOf(l *Log) map[uint64]note {
	found := map[uint64]note{}
	last := uint64(0)
	l.EachNote(func(seq uint64, count, notBefore int64) {
		if len(found) > 0 && seq <= last {
			panic("not in order")
		}
		found[seq], last = note{count, notBefore}, seq
	})
	return found
}

// TestNotesGoWithTheirRecords plays random notes and removals to a log in memory and to a map.
func TestNotesGoWithTheirRecords(t *testing.T) {
	for range 30 {
		seed := rand.Uint64()
		rng := rand.New(rand.NewPCG(seed, 0))
		l := NewLog(Options{ChunkBytes: 1 << 10})
		want := map[uint64]note{}
		for step := range 200 {
			switch rng.IntN(6) {
			case 0, 1:
				for range rng.IntN(300) {
					l.Append(10, true)
				}
			case 2, 3:
				for range rng.IntN(300) {
					seq := rng.Uint64N(l.Next() + 1)
					v := note{rng.Int64N(3), rng.Int64N(2)}
					l.Note(seq, v.count, v.notBefore)
					if delete(want, seq); v != (note{}) && l.Live(seq) {
						want[seq] = v
					}
				}
			case 4:
				for range rng.IntN(50) {
					seq := rng.Uint64N(l.Next() + 1)
					l.Gone(seq)
					delete(want, seq)
				}
			default:
				below := rng.Uint64N(l.Next() + 1)
				if rng.IntN(4) > 0 {
					below = l.First() + min(rng.Uint64N(700), l.Next()-l.First())
				}
				l.GoneRange(0, below)
				maps.DeleteFunc(want, func(seq uint64, _ note) bool { return seq < below })
			}
			if got := notesOf(l); !maps.Equal(got, want) || l.notes.count != len(want) {
				t.Fatalf("seed %d, step %d: notes %v, want %v", seed, step, got, want)
			}
		}
		l.Drop()
		if l.notes.count != 0 || l.Bytes() != 0 {
			t.Errorf("a dropped log keeps %d notes, %d bytes", l.notes.count, l.Bytes())
		}
	}
}

func TestBlocksOfNotesAreReadAsWritten(t *testing.T) {
	var n notes
	for i := range uint64(noteSpan) {
		n.set(5*noteSpan+i, note{int64(i), 1<<62 + int64(i)})
	}
	key := noteKey(7, 5*noteSpan)
	value := n.blocks[5].encode(key)
	if len(value) > maxInlineBytes {
		t.Errorf("a full block has %d bytes, %d may be inline", len(value), maxInlineBytes)
	}
	var got notes
	if err := decodeNotes(key, value, got.set); err != nil || got.count != noteSpan || got.get(5*noteSpan+200) != (note{200, 1<<62 + 200}) {
		t.Errorf("read %d notes, %v", got.count, err)
	}
	for cut := range value {
		if err := decodeNotes(key, value[:cut], func(uint64, note) {}); err == nil {
			t.Errorf("%d of %d bytes were taken for a block", cut, len(value))
		}
	}
	if err := decodeNotes(noteKey(8, 5*noteSpan), value, func(uint64, note) {}); err == nil {
		t.Error("a block under another key was taken for one of its own")
	}
}

// BenchmarkPurgeWithNotes removes a million records, each with a note.
func BenchmarkPurgeWithNotes(b *testing.B) {
	const records = 1_000_000
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		l := NewLog(Options{})
		for range records {
			seq, _ := l.Append(100, true)
			l.Note(seq, 1, 1<<40)
		}
		b.StartTimer()
		l.GoneRange(0, l.Next())
	}
}
