package storage

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// toyDisk answers for the free space of a volume on which only the reserve counts.
type toyDisk struct {
	dir  string
	free int64
	logs []string
}

func (d *toyDisk) options() Options {
	return Options{
		ValueLogBytes: 1 << 20, ReserveBytes: 4 << 20,
		FreeSpace: func(string) (int64, error) {
			if d.reserve() > 0 {
				return d.free, nil
			}
			return d.free + 4<<20, nil
		},
		Log: func(format string, args ...any) { d.logs = append(d.logs, fmt.Sprintf(format, args...)) },
	}
}

// reserve returns how many bytes the reserve takes on the real disk.
func (d *toyDisk) reserve() int64 {
	info, err := os.Stat(filepath.Join(d.dir, reserveName))
	if err != nil {
		return 0
	}
	return info.Sys().(*syscall.Stat_t).Blocks * 512
}

func TestTheReserveLetsAStoreStartOnAFullDisk(t *testing.T) {
	d := &toyDisk{dir: t.TempDir(), free: 1 << 30}
	fs := newFaultFS(rand.New(rand.NewPCG(1, 1)))
	s := openManual(t, d.dir, fs, d.options())
	s.keepReserve()
	if n := d.reserve(); n < 4<<20 {
		t.Fatalf("the reserve takes %d bytes", n)
	}
	s.Enter()
	l := s.CreateLog(nil, true)
	l.Append(100, true)
	s.Leave()
	if !s.commitPending() || s.Close() != nil {
		t.Fatal(s.Err())
	}

	d.free = 0
	s = openManual(t, d.dir, fs, d.options())
	if d.reserve() != 0 || len(d.logs) != 1 || !strings.Contains(d.logs[0], "is full") {
		t.Fatalf("the reserve has %d bytes; logged: %q", d.reserve(), d.logs)
	}
	if logs := s.Logs(); len(logs) != 1 || logs[0].Count() != 1 {
		t.Fatal("the record is missing")
	}
	now := time.Now()
	page := func() {
		t.Helper()
		now = now.Add(10 * time.Second)
		if err := s.pageOnce(now); err != nil {
			t.Fatal(err)
		}
	}
	d.free = s.SpaceLimit()
	if page(); d.reserve() != 0 {
		t.Fatal("the reserve is made where publishers need the room")
	}
	d.free = s.SpaceLimit() + 8<<20
	if page(); d.reserve() < 4<<20 {
		t.Fatal("the reserve is not made again")
	}
}

func TestADiskWithoutAnyRoomIsRefusedAndNothingIsLost(t *testing.T) {
	d := &toyDisk{dir: t.TempDir(), free: 1 << 30}
	fs := newFaultFS(rand.New(rand.NewPCG(1, 1)))
	s := openManual(t, d.dir, fs, d.options())
	s.Enter()
	s.CreateLog([]byte("q"), true)
	s.Leave()
	if !s.commitPending() || s.Close() != nil {
		t.Fatal(s.Err())
	}
	d.free = -4 << 20
	_, err := open(d.dir, d.options(), runFS{fs, ""})
	if full, ok := errors.AsType[*DiskFullError](err); !ok || full.Free != 0 || full.Need == 0 {
		t.Fatalf("got %v", err)
	}
	d.free = 1 << 30
	if logs := openManual(t, d.dir, fs, d.options()).Logs(); len(logs) != 1 {
		t.Fatal("the log is missing")
	}
}

// TestOnAFullDiskNothingReachesTheDatabase: Badger's mappings would fault. The journal takes what there is room for,
// publishers wait, and all goes on where it stood when there is room again.
func TestOnAFullDiskNothingReachesTheDatabase(t *testing.T) {
	d := &toyDisk{dir: t.TempDir(), free: 1 << 30}
	fs := newFaultFS(rand.New(rand.NewPCG(1, 1)))
	o := d.options()
	o.SegmentBytes, o.LiveSegments, o.JournalMemory, o.MemoryBytes = 64<<10, 3, 64<<10, 64<<10
	s := openManual(t, d.dir, fs, o)
	s.beforeTxn = func() error {
		if d.free == 0 {
			t.Error("the database was written to")
		}
		return nil
	}
	s.Enter()
	l := s.CreateLog(nil, true)
	s.Leave()
	now := time.Now()
	page := func() {
		t.Helper()
		now = now.Add(10 * time.Second)
		if err := s.pageOnce(now); err != nil {
			t.Fatal(err)
		}
	}
	add := func() bool {
		s.Enter()
		for range 10 {
			seq, record := l.Append(1000, true)
			copy(record, fmt.Sprint(seq, "."))
		}
		s.Leave()
		return s.commitPending()
	}
	for range 20 {
		add()
		page()
	}
	d.free = 0
	rounds := 0
	for ; s.Room() && rounds < 100; rounds++ {
		add()
		page()
	}
	if rounds == 0 || rounds == 100 {
		t.Fatalf("publishers were stopped after %d rounds", rounds)
	}
	confirmed := s.Durable()
	fs.full = true
	s.retryNoSpace = func() bool {
		if s.Durable() > confirmed+20 {
			t.Error("confirmed without space")
		}
		page()
		fs.full, d.free = false, 1<<30
		return true
	}
	for range 30 { // until the journal needs another segment, and beyond
		if !add() {
			t.Fatal(s.Err())
		}
	}
	if fs.full {
		t.Fatal("the journal was never full")
	}
	page()
	if !s.Room() {
		t.Fatal("publishers wait though there is room")
	}
	live := map[uint64]bool{}
	for seq := range l.Next() {
		live[seq] = true
	}
	checkRecords(t, s, l, live)
}

// TestADiskThatFillsUnderThePagerHoldsItWhereItIs, between two transactions, and nothing is left half done.
func TestADiskThatFillsUnderThePagerHoldsItWhereItIs(t *testing.T) {
	d := &toyDisk{dir: t.TempDir(), free: 1 << 30}
	fs := newFaultFS(rand.New(rand.NewPCG(1, 1)))
	s := openManual(t, d.dir, fs, d.options())
	s.Enter()
	l := s.CreateLog(nil, true)
	for seq := range uint64(1000) {
		_, record := l.Append(1000, true)
		copy(record, fmt.Sprint(seq, "."))
	}
	s.Leave()
	s.commitPending()
	waits, transactions := 0, 0
	s.beforeTxn = func() error {
		transactions++
		d.free = 0 // from the next one on
		return nil
	}
	s.retryPaging = func() bool {
		waits++
		if waits%2 == 0 {
			d.free = 1 << 30
		}
		return true
	}
	for range 2 {
		if err := s.retire(); err != nil {
			t.Fatal(err)
		}
		d.free = 1 << 30
		s.Enter()
		for seq := range l.Next() {
			if seq%7 == 0 {
				l.Gone(seq)
			}
		}
		s.Leave()
		s.commitPending()
	}
	if waits < 2 || transactions < 4 {
		t.Fatalf("%d transactions, held %d times", transactions, waits)
	}
	live := map[uint64]bool{}
	for seq := range l.Next() {
		live[seq] = seq%7 != 0
	}
	checkRecords(t, s, l, live)
	s.beforeTxn = nil
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openManual(t, d.dir, fs, d.options())
	checkRecords(t, s, s.Logs()[0], live)
}
