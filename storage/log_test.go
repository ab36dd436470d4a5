package storage_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/warren-mq/warren/storage"
)

// put appends a record with the given content.
func put(l *storage.Log, content []byte) uint64 {
	seq, record := l.Append(len(content), true)
	copy(record, content)
	return seq
}

func TestAppendGivesDenseSequenceNumbersAndAtReadsThemBack(t *testing.T) {
	l := storage.NewLog(storage.Options{})
	for i := range 10_000 {
		if seq := put(l, fmt.Appendf(nil, "record %d", i)); seq != uint64(i) {
			t.Fatalf("append %d got seq %d", i, seq)
		}
	}
	if l.First() != 0 || l.Next() != 10_000 {
		t.Fatalf("first %d, next %d", l.First(), l.Next())
	}
	for i := range 10_000 {
		want := fmt.Sprintf("record %d", i)
		if got, ok := l.At(uint64(i)); !ok || string(got) != want {
			t.Fatalf("At(%d) = %q, %v", i, got, ok)
		}
	}
	if _, ok := l.At(10_000); ok {
		t.Fatal("a record that was never appended is there")
	}
}

func TestRecordsReservedTogetherMayBeFilledLater(t *testing.T) {
	l := storage.NewLog(storage.Options{})
	var records [][]byte
	for range 100 {
		_, record := l.Append(300, true)
		records = append(records, record)
	}
	for i, record := range records {
		copy(record, bytes.Repeat([]byte{byte(i)}, 300))
	}
	for i := range 100 {
		if got, _ := l.At(uint64(i)); !bytes.Equal(got, bytes.Repeat([]byte{byte(i)}, 300)) {
			t.Fatalf("record %d has other content", i)
		}
	}
}

func TestRecordsCannotReachIntoTheirNeighbour(t *testing.T) {
	l := storage.NewLog(storage.Options{})
	_, first := l.Append(4, true)
	put(l, []byte("next"))
	_ = append(first, "overflow"...)
	if got, _ := l.At(1); string(got) != "next" {
		t.Fatalf("the neighbour became %q", got)
	}
}

func TestGoneRecordsAreNotReadAndMayBeMarkedTwice(t *testing.T) {
	l := storage.NewLog(storage.Options{})
	for range 10 {
		put(l, []byte("x"))
	}
	for _, seq := range []uint64{0, 1, 5, 5, 42} {
		l.Gone(seq)
	}
	for seq := range uint64(12) {
		want := seq < 10 && seq != 0 && seq != 1 && seq != 5
		if _, ok := l.At(seq); ok != want || l.Live(seq) != want {
			t.Errorf("seq %d: at %v, live %v, want %v", seq, ok, l.Live(seq), want)
		}
	}
	if l.First() != 2 {
		t.Errorf("first is %d, want 2", l.First())
	}
}

func TestSequenceNumbersGoOnAfterDrop(t *testing.T) {
	l := storage.NewLog(storage.Options{})
	for range 5 {
		put(l, make([]byte, 1000))
	}
	l.Drop()
	if l.First() != 5 || l.Next() != 5 || l.Bytes() != 0 || l.Live(3) {
		t.Fatalf("first %d, next %d, bytes %d", l.First(), l.Next(), l.Bytes())
	}
	if seq := put(l, []byte("y")); seq != 5 {
		t.Fatalf("append after drop got seq %d", seq)
	}
}

func TestAnEmptyLogKeepsLittleMemory(t *testing.T) {
	for _, size := range []int{0, 10, 1000, 20_000, 200_000} {
		l := storage.NewLog(storage.Options{})
		for range 100 {
			put(l, make([]byte, size))
		}
		for seq := range l.Next() {
			l.Gone(seq)
		}
		if l.First() != l.Next() || l.Bytes() > 4<<10 {
			t.Errorf("size %d: an empty log keeps %d bytes", size, l.Bytes())
		}
	}
}

func TestAShortQueueCostsLittleMoreThanItsBytes(t *testing.T) {
	l := storage.NewLog(storage.Options{})
	put(l, make([]byte, 100))
	if l.Bytes() > 1<<10 {
		t.Errorf("a queue with one small message costs %d bytes", l.Bytes())
	}
	for range 1_000 {
		put(l, make([]byte, 100))
	}
	if l.Bytes() > 3*100_000 {
		t.Errorf("100 kB in a log cost %d bytes", l.Bytes())
	}
}

func TestLargeRecordsGetAChunkOfTheirOwn(t *testing.T) {
	l := storage.NewLog(storage.Options{})
	put(l, []byte("before"))
	large := bytes.Repeat([]byte("large"), 1<<20)
	seq := put(l, large)
	put(l, []byte("after"))
	if got, ok := l.At(seq); !ok || !bytes.Equal(got, large) {
		t.Fatal("the large record came back changed")
	}
	before := l.Bytes()
	l.Gone(seq)
	if l.Bytes() > before-int64(len(large)) {
		t.Fatalf("the large record is gone but %d of %d bytes stay", l.Bytes(), before)
	}
}

func TestAViewStaysGoodWhileOthersGo(t *testing.T) {
	l := storage.NewLog(storage.Options{})
	content := bytes.Repeat([]byte("keep"), 25)
	kept := put(l, content)
	for range 20_000 {
		put(l, make([]byte, 100))
	}
	view, _ := l.At(kept)
	for seq := kept + 1; seq < l.Next(); seq++ {
		l.Gone(seq)
	}
	if !bytes.Equal(view, content) {
		t.Fatal("the view changed while its record was live")
	}
}

func TestLingeringMessagesDoNotPinTheirChunks(t *testing.T) {
	l := storage.NewLog(storage.Options{})
	for i := range 100_000 {
		put(l, fmt.Appendf(nil, "%0100d", i))
	}
	full, live := l.Bytes(), int64(0)
	for seq := range l.Next() {
		if seq%2_000 == 0 { // about one in each chunk of 256 KiB
			live += 100
			continue
		}
		l.Gone(seq)
	}
	if limit := 4*live + 5<<20/4; l.Bytes() > limit {
		t.Errorf("%d live bytes hold %d of %d, want at most %d", live, l.Bytes(), full, limit)
	}
	for seq := uint64(0); seq < l.Next(); seq += 2_000 {
		if got, ok := l.At(seq); !ok || string(got) != fmt.Sprintf("%0100d", seq) {
			t.Fatalf("record %d is %q, %v", seq, got, ok)
		}
	}
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	for _, c := range []struct{ size, depth int }{{100, 0}, {100, 100}, {2_000, 0}, {2_000, 500}, {100_000, 1}} {
		t.Run(fmt.Sprintf("size=%d/depth=%d", c.size, c.depth), func(t *testing.T) {
			l := storage.NewLog(storage.Options{})
			step := func() {
				l.Append(c.size, true)
				if l.Next() > uint64(c.depth) {
					l.Gone(l.First())
				}
			}
			for range 100_000 / (1 + c.size/1_000) {
				step()
			}
			// The pools are emptied by the garbage collector now and then: a few allocations, but none per message.
			if n := testing.AllocsPerRun(10, func() {
				for range 1_000 {
					step()
				}
			}); n > 20 && !raceEnabled {
				t.Errorf("%v allocations per 1,000 messages", n)
			}
		})
	}
}
