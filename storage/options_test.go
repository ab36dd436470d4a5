package storage

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSizesFollowTheVolumeAndTheMemory(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		volume, memory                                int64
		segment, valueLog, journal, resident, pending int64 // MiB
	}{
		{100 << 30, 0, 32, 32, 20, 32, 16},
		{100 << 30, 64 << 30, 32, 32, 20, 32, 16},
		{100 << 30, 1 << 30, 32, 32, 20, 32, 16},
		{2 << 30, 0, 32, 32, 20, 32, 16},
		{2<<30 - 64*mib, 0, 31, 31, 20, 32, 16},
		{256 * mib, 0, 4, 4, 16, 32, 8},
		{64 * mib, 0, 1, 2, 4, 32, 2},
		{mib, 0, 1, 2, 4, 32, 2},
		{100 << 30, 640 * mib, 32, 32, 20, 32, 10},
		{100 << 30, 160 * mib, 32, 32, 5, 8, 2},
		{256 * mib, 320 * mib, 4, 4, 10, 16, 5},
		{128 * mib, 320 * mib, 2, 2, 8, 16, 4},
	} {
		t.Run(fmt.Sprintf("%d-%d", c.volume/mib, c.memory/mib), func(t *testing.T) {
			o := Options{MachineMemory: c.memory}
			o.scaleTo(c.volume)
			o = o.withDefaults()
			got := [...]int64{o.SegmentBytes / mib, o.ValueLogBytes / mib, o.JournalMemory / mib, o.MemoryBytes / mib, o.PendingBytes / mib}
			if want := [...]int64{c.segment, c.valueLog, c.journal, c.resident, c.pending}; got != want {
				t.Errorf("segment, value log, journal, memory, pending: %v, want %v", got, want)
			}
			s := &Store{options: o, durable: newDurableState()}
			if limit := s.SpaceLimit(); c.volume >= 256*mib && limit > c.volume/2 {
				t.Errorf("%d MiB of %d have to stay free", limit/mib, c.volume/mib)
			}
			if most := s.spaceFor(o.JournalMemory + o.PendingBytes); s.SpaceLimit() <= most {
				t.Errorf("publishers wait at %d, the pager at up to %d", s.SpaceLimit(), most)
			}
		})
	}
	given := Options{SegmentBytes: 5, ValueLogBytes: 6, JournalMemory: 7, MemoryBytes: 8, PendingBytes: 9, MachineMemory: 100 * mib}
	scaled := given
	if scaled.scaleTo(100 * mib); fmt.Sprint(scaled) != fmt.Sprint(given) {
		t.Errorf("what was said is changed: %+v", scaled)
	}
}

// TestSizesMayShrinkBetweenStarts, as they do when the disk fills: what was written with larger ones is read.
func TestSizesMayShrinkBetweenStarts(t *testing.T) {
	fs, dir := newFaultFS(rand.New(rand.NewPCG(1, 1))), t.TempDir()
	count := uint64(0)
	for _, size := range []int64{8 << 20, 1 << 20, 4 << 20} {
		s, err := open(dir, Options{SegmentBytes: size, ValueLogBytes: size, SpareSegments: 2}, runFS{fs, ""})
		if err != nil {
			t.Fatal(err)
		}
		s.Enter()
		if count == 0 {
			s.CreateLog(nil, true)
		}
		l := s.Logs()[0]
		for range 20 {
			seq, record := l.Append(100<<10, true)
			record[0], record[len(record)-1] = byte(seq), byte(seq)
			count++
		}
		s.Leave()
		s.commitPending()
		if err := s.retire(); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s := openManual(t, dir, fs, Options{SegmentBytes: 1 << 20, ValueLogBytes: 1 << 20})
	l, h := s.Logs()[0], &history{t: t, s: s}
	if uint64(l.Count()) != count {
		t.Fatalf("%d records of %d", l.Count(), count)
	}
	for seq := range l.Next() {
		if record, ok := h.read(l, seq); l.Live(seq) && (!ok || record[0] != byte(seq) || record[len(record)-1] != byte(seq)) {
			t.Fatalf("record %d: %v", seq, ok)
		}
	}
}

// TestVolumeOfTheFolderCounts sees that Open looks at the volume that it is on.
func TestVolumeOfTheFolderCounts(t *testing.T) {
	dir := t.TempDir()
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	want := Options{}
	want.scaleTo(int64(min(st.Blocks, st.Bavail)) * st.Bsize)
	want = want.withDefaults()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if o := s.options; o.SegmentBytes != want.SegmentBytes || o.JournalMemory != want.JournalMemory {
		t.Errorf("segments of %d, journal memory %d; want %d, %d", o.SegmentBytes, o.JournalMemory, want.SegmentBytes, want.JournalMemory)
	}
	if free, need, err := s.Space(); err != nil || free <= 0 || need > s.SpaceLimit() {
		t.Errorf("free %d, need %d, limit %d, %v", free, need, s.SpaceLimit(), err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
