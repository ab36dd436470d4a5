package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// everyKind is a folder with files of every kind, as a kill leaves it: a log of which everything is in the database,
// bodies and metas, in a value log and a table, and one that is in the journal.
type everyKind struct {
	dir   string
	o     Options
	files []string // relative to dir
}

const everyKindRecords = 400 // in each of its two logs

func newEveryKind(t *testing.T) *everyKind {
	t.Helper()
	k := &everyKind{dir: t.TempDir(), o: Options{
		SegmentBytes: 16 << 10, LiveSegments: 100, ValueLogBytes: 1 << 20, ChunkBytes: 32 << 10, ReserveBytes: 64 << 10,
	}}
	s, err := Open(k.dir, k.o)
	if err != nil {
		t.Fatal(err)
	}
	fill := func(l *Log) {
		for range 4 {
			commit := s.Enter()
			for range everyKindRecords / 4 {
				seq, record := l.Append(1000, true)
				copy(record, k.record(l, seq))
			}
			s.Leave()
			if err := s.await(commit); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.Enter()
	stored := s.CreateLog([]byte("stored"), true)
	s.CreateLog([]byte("fresh"), true)
	s.Put([]byte("key"), []byte("value"))
	s.Leave()
	fill(stored)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(k.dir, k.o); err != nil {
		t.Fatal(err)
	}
	fill(s.Logs()[1])
	killed := t.TempDir()
	k.copyTo(t, killed)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	k.dir = killed
	return k
}

func (k *everyKind) record(l *Log, seq uint64) string { return fmt.Sprintf("%d of %s.", seq, l.Tag()) }

func (k *everyKind) copyTo(t *testing.T, to string) {
	t.Helper()
	k.files = nil
	err := filepath.WalkDir(k.dir, func(path string, e fs.DirEntry, err error) error {
		name, _ := filepath.Rel(k.dir, path)
		switch {
		case err != nil:
			return err
		case e.IsDir():
			return os.MkdirAll(filepath.Join(to, name), 0o700)
		}
		k.files = append(k.files, name)
		copySparse(t, path, filepath.Join(to, name))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// count returns how many records of each log come back, all of them as they were, and whether the table did.
func (k *everyKind) count(t *testing.T, s *Store) (stored, fresh int, table bool) {
	t.Helper()
	h := &history{t: t, s: s}
	for _, l := range s.Logs() {
		for seq := range l.Next() {
			if record, ok := h.read(l, seq); !ok {
				continue
			} else if !strings.HasPrefix(string(record), k.record(l, seq)) {
				t.Errorf("record %d of %s is %.20q", seq, l.Tag(), record)
			}
			if string(l.Tag()) == "stored" {
				stored++
			} else {
				fresh++
			}
		}
	}
	err := s.Table(nil, func(_, value []byte) error { table = string(value) == "value"; return nil })
	return stored, fresh, table && err == nil
}

// TestDamageInAnyFileIsNamedOrReported flips a bit anywhere in a file of each kind, or cuts it. The store refuses to open
// and names a file or its folder, or reports the chunks that it lost, or has everything. What it may lose is the last
// group: after a kill a damaged one looks like one that was being written.
func TestDamageInAnyFileIsNamedOrReported(t *testing.T) {
	k := newEveryKind(t)
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 3))
	outcomes := map[string]int{}
	damaged := t.TempDir()
	for range 6 {
		for _, name := range k.files {
			if err := os.RemoveAll(damaged); err != nil {
				t.Fatal(err)
			}
			k.copyTo(t, damaged)
			what := damage(t, rng, filepath.Join(damaged, name))
			s, err := open(damaged, k.o, osFileSystem{})
			if err != nil {
				outcomes["refused"]++
				if !strings.Contains(err.Error(), damaged+"/") {
					t.Errorf("seed %d: %s, %s: refused without a name: %v", seed, name, what, err)
				}
				continue
			}
			stored, fresh, table := k.count(t, s)
			_, lost := s.Lost()
			switch {
			case lost > 0:
				outcomes["reported"]++
			case stored < everyKindRecords || fresh < everyKindRecords*3/4 || !table:
				t.Errorf("seed %d: %s, %s: %d and %d records, table %v, and nobody was told", seed, name, what, stored, fresh, table)
			default:
				outcomes["whole"]++
			}
			if err := s.Close(); err != nil {
				t.Errorf("seed %d: %s, %s: %v", seed, name, what, err)
			}
		}
	}
	if outcomes["refused"] == 0 || outcomes["reported"] == 0 || outcomes["whole"] == 0 {
		t.Errorf("seed %d: %v: the test shows nothing", seed, outcomes)
	}
}

// damage flips a bit of what a file holds, or cuts the file, and says so.
func damage(t *testing.T, rng *rand.Rand, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	used := len(strings.TrimRight(string(content), "\x00"))
	if used == 0 {
		return "empty"
	}
	at, what := rng.IntN(used), "flipped"
	if rng.IntN(3) == 0 {
		at = used - 1 - rng.IntN(min(used, 2000)) // where tables have what is not a body
	}
	if rng.IntN(6) == 0 {
		err, what = os.Truncate(name, int64(at)), "cut"
	} else {
		var f *os.File
		if f, err = os.OpenFile(name, os.O_WRONLY, 0); err == nil {
			_, err = f.WriteAt([]byte{content[at] ^ 1<<rng.IntN(8)}, int64(at))
			err = errors.Join(err, f.Close())
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s at %d of %d bytes", what, at, used)
}
