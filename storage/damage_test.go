package storage

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// journalOf writes a store's worth of groups and returns its files, the folder of its database and the last commit.
func journalOf(t *testing.T, rng *rand.Rand, groups int) (fs *faultFS, dir string, last Commit) {
	t.Helper()
	fs, dir = newFaultFS(rng), t.TempDir()
	s := openManual(t, dir, fs, Options{SegmentBytes: 16 << 10, LiveSegments: 100})
	s.Enter()
	l := s.CreateLog([]byte("q"), true)
	s.Leave()
	for range groups {
		s.Enter()
		for range 1 + rng.IntN(10) {
			_, record := l.Append(10+rng.IntN(200), true)
			for i := range record {
				record[i] = byte(rng.Uint32())
			}
		}
		s.Leave()
		if !s.commitPending() {
			t.Fatal(s.Err())
		}
	}
	last = s.Durable()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return fs, dir, last
}

func openManual(t testing.TB, dir string, fs *faultFS, o Options) *Store {
	t.Helper()
	s, err := open(dir, o, runFS{fs, ""})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// TestAFlippedBitIsNeverAnAnswer flips bits anywhere in the journal. The store must refuse to open and name the file,
// or come back to everything that was durable: what was damaged was not in use.
func TestAFlippedBitIsNeverAnAnswer(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 2))
	fs, dir, last := journalOf(t, rng, 60)
	refused, served := 0, 0
	for range 60 {
		damaged := fs.crash(false)
		names := make([]string, 0, len(damaged.files))
		for name := range damaged.files {
			if _, ok := parseSegmentName(filepath.Base(name)); ok {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		file := damaged.files[names[rng.IntN(len(names))]]
		at := rng.IntN(len(file.current))
		file.current[at] ^= 1 << rng.IntN(8)
		file.durable = slices.Clone(file.current)
		s, err := open(dir, Options{SegmentBytes: 16 << 10}, runFS{damaged, ""})
		if err == nil {
			served++
			if got := s.Durable(); got < last {
				t.Errorf("seed %d: came back to commit %d, %d was durable", seed, got, last)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		refused++
		corrupt, isCorrupt := errors.AsType[*CorruptError](err)
		_, isFormat := errors.AsType[*FormatError](err)
		if !isFormat && (!isCorrupt || corrupt.File == "") {
			t.Errorf("seed %d: refused without naming a file: %v", seed, err)
		}
	}
	if refused == 0 || served == 0 {
		t.Errorf("seed %d: %d refused, %d served: the test shows nothing", seed, refused, served)
	}
}

func TestSalvageOpensWhatIsWholeAndReportsTheRest(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	fs, dir, last := journalOf(t, rng, 60)
	damaged := fs.crash(false)
	file := damaged.files[filepath.Join("journal", segmentName(2))]
	file.current[segmentHeaderBytes+100] ^= 1
	if _, err := open(dir, Options{SegmentBytes: 16 << 10}, runFS{damaged.crash(false), ""}); err == nil {
		t.Fatal("opened a damaged journal without being asked to")
	}
	s := openManual(t, dir, damaged, Options{SegmentBytes: 16 << 10, Salvage: true})
	reports, _ := s.Lost()
	if s.Durable() < last || len(reports) != 1 {
		t.Fatalf("commit %d of %d; reports: %q", s.Durable(), last, reports)
	}
	l := s.Logs()[0]
	live, lost := 0, 0
	for seq := range l.Next() {
		if l.Live(seq) {
			live++
		} else {
			lost++
		}
	}
	if lost == 0 || lost > 10 || live < 100 {
		t.Fatalf("%d live, %d lost; one group of at most 10 was damaged", live, lost)
	}
	if err := s.leaveDamage(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole := openManual(t, dir, damaged, Options{SegmentBytes: 16 << 10})
	kept := 0
	for seq := range whole.Logs()[0].Next() {
		if whole.Logs()[0].Live(seq) {
			kept++
		}
	}
	if kept != live {
		t.Fatalf("%d live after the next start, %d were saved", kept, live)
	}
}

func TestAFailingSyncPoisonsTheStore(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	fs := newFaultFS(rng)
	s := openManual(t, t.TempDir(), fs, Options{})
	s.Enter()
	l := s.CreateLog(nil, true)
	s.Leave()
	s.commitPending()
	before := s.Durable()
	fs.failSync = true
	s.Enter()
	l.Append(10, true)
	s.Leave()
	if s.commitPending() {
		t.Fatal("committed without a sync")
	}
	fs.failSync = false
	s.Enter()
	l.Append(10, true)
	s.Leave()
	if s.commitPending() || s.Durable() != before {
		t.Fatalf("the store went on after a failed sync: durable %d, was %d", s.Durable(), before)
	}
	select {
	case <-s.Failed():
	default:
		t.Fatal("nobody was told")
	}
	if !errors.Is(s.Err(), errSync) || !errors.Is(s.Close(), errSync) {
		t.Fatalf("the reason is %v", s.Err())
	}
}

func TestAFullDiskHoldsCommitsAndReleasesThem(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	fs := newFaultFS(rng)
	s, err := open(t.TempDir(), Options{}, runFS{fs, ""})
	if err != nil {
		t.Fatal(err)
	}
	fs.full = true
	s.retryNoSpace = func() bool { fs.full = false; return true }
	s.Enter()
	l := s.CreateLog(nil, true)
	l.Append(10, true)
	s.Leave()
	if !s.commitPending() || fs.full || s.Durable() != 1 {
		t.Fatalf("durable %d, error %v", s.Durable(), s.Err())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestADatabaseOlderThanItsJournalIsRefused(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	fs, dir := newFaultFS(rng), t.TempDir()
	o := Options{SegmentBytes: 16 << 10, LiveSegments: 3}
	s := openManual(t, dir, fs, o)
	old := t.TempDir()
	(&history{t: t, dir: dir}).copyFolder(filepath.Join(dir, "badger"), filepath.Join(old, "badger"))
	s.Enter()
	l := s.CreateLog(nil, true)
	s.Leave()
	for range 100 {
		s.Enter()
		_, record := l.Append(1000, true)
		clear(record)
		s.Leave()
		s.commitPending()
		if err := s.retire(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := open(old, o, runFS{fs, ""})
	if _, ok := errors.AsType[*CorruptError](err); !ok {
		t.Fatalf("got %v", err)
	}
}

// TestWrittenIsToldBetweenWriteAndSync: with a sync that fails, the group was written and never is durable.
func TestWrittenIsToldBetweenWriteAndSync(t *testing.T) {
	fs := newFaultFS(rand.New(rand.NewPCG(1, 1)))
	s := openManual(t, t.TempDir(), fs, Options{})
	var told []Commit
	s.NotifyWritten(func(c Commit) {
		if told = append(told, c); s.Written() != c || s.Durable() >= c {
			t.Errorf("told of commit %d: written %d, durable %d", c, s.Written(), s.Durable())
		}
		fs.failSync = c == 2 // the sync that comes next
	})
	for range 2 {
		s.Enter()
		s.CreateLog(nil, true)
		s.Leave()
		s.commitPending()
	}
	if !slices.Equal(told, []Commit{1, 2}) || s.Written() != 2 || s.Durable() != 1 || s.Err() == nil {
		t.Errorf("told %v, written %d, durable %d, error %v", told, s.Written(), s.Durable(), s.Err())
	}
}

// TestSalvageGoesOnWithoutAWholeSegment: one whose header is damaged or that is missing, wherever it stands.
func TestSalvageGoesOnWithoutAWholeSegment(t *testing.T) {
	fs, dir, last := journalOf(t, rand.New(rand.NewPCG(8, 8)), 60)
	var names []string
	for name := range fs.files {
		if _, ok := parseSegmentName(filepath.Base(name)); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	damages := map[string]func(fs *faultFS, name string){
		"header damaged": func(fs *faultFS, name string) { fs.files[name].current[20] ^= 1 },
		"header cut":     func(fs *faultFS, name string) { fs.files[name].current = fs.files[name].current[:100] },
		"missing":        func(fs *faultFS, name string) { delete(fs.files, name) },
	}
	o := Options{SegmentBytes: 16 << 10}
	for what, damage := range damages {
		for i, name := range names {
			database := t.TempDir()
			(&history{t: t}).copyFolder(filepath.Join(dir, "badger"), filepath.Join(database, "badger"))
			damaged := fs.crash(false)
			damage(damaged, name)
			refused, err := open(database, o, runFS{damaged.crash(false), ""})
			if err == nil {
				err = refused.Close()
			}
			missingLast := what == "missing" && i == len(names)-1
			if corrupt, ok := errors.AsType[*CorruptError](err); !missingLast && (!ok || filepath.Base(corrupt.File) != filepath.Base(name)) {
				t.Errorf("segment %d %s: %v", i, what, err)
			}
			o := o
			o.Salvage = true
			s := openManual(t, database, damaged, o)
			reports, _ := s.Lost()
			if len(reports) == 0 && !missingLast {
				t.Errorf("segment %d %s: no report", i, what)
			}
			live := 0
			for _, l := range s.Logs() {
				live += l.Count()
			}
			if i > 0 && live == 0 {
				t.Errorf("segment %d %s: nothing was saved", i, what)
			}
			if err := s.leaveDamage(); err != nil {
				t.Fatal(err)
			}
			durable := s.Durable()
			if i < len(names)-1 && durable < last {
				t.Errorf("segment %d %s: commit %d, %d was the last", i, what, durable, last)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			again := openManual(t, database, damaged, Options{SegmentBytes: 16 << 10})
			kept := 0
			for _, l := range again.Logs() {
				kept += l.Count()
			}
			if kept != live || again.Durable() < durable {
				t.Errorf("segment %d %s: %d live and commit %d at the next start, %d and %d were saved", i, what, kept, again.Durable(), live, durable)
			}
			if err := again.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestSalvageGoesOnWithoutTheJournal: what the database has is served, and numbers go on behind its checkpoint.
func TestSalvageGoesOnWithoutTheJournal(t *testing.T) {
	dir := t.TempDir()
	add := func(o Options, records uint64) {
		t.Helper()
		s, err := Open(dir, o)
		if err != nil {
			t.Fatal(err)
		}
		commit := s.Enter()
		if len(s.Logs()) == 0 {
			s.CreateLog(nil, true)
		}
		l := s.Logs()[0]
		if l.Next() != records {
			t.Errorf("%d records, want %d", l.Next(), records)
		}
		l.Append(10, true)
		s.Leave()
		if err := errors.Join(s.await(commit), s.Close()); err != nil {
			t.Fatal(err)
		}
	}
	add(Options{}, 0)
	add(Options{}, 1)
	segments, err := filepath.Glob(filepath.Join(dir, "journal", "*.seg"))
	if err != nil || len(segments) == 0 {
		t.Fatal(segments, err)
	}
	for _, name := range segments {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(dir, Options{}); err == nil {
		t.Fatal("opened without a journal")
	}
	add(Options{Salvage: true}, 2)
	add(Options{}, 3)
}
