package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
	"golang.org/x/sys/unix"
)

var (
	histories   = flag.Int("histories", 12, "random histories of a store to try")
	historySeed = flag.Uint64("history-seed", 0, "seed of the first history; 0 takes a random one")
)

// modelLog is a log as a map: only what is persistent.
type modelLog struct {
	records map[uint64][]byte
	notes   map[uint64]note // of records
	mark    uint64
}

// model is the state of a store at one commit.
type model struct {
	logs  map[LogID]*modelLog
	table map[string]string
}

func newModel() *model { return &model{map[LogID]*modelLog{}, map[string]string{}} }

func (m *model) clone() *model {
	c := newModel()
	for id, l := range m.logs {
		c.logs[id] = &modelLog{maps.Clone(l.records), maps.Clone(l.notes), l.mark}
	}
	c.table = maps.Clone(m.table)
	return c
}

// history drives a store in manual mode with random steps, cuts it off anywhere, reopens it and compares it with the
// model of the commit that it came back to.
type history struct {
	t    *testing.T
	rng  *rand.Rand
	dir  string
	runs int

	fs     *faultFS
	s      *Store
	cut    bool // the power is off: every error from here on is expected
	now    *model
	at     map[Commit]*model // state after each commit since the last checked one
	oldest Commit

	transient map[LogID]map[uint64][]byte
	deleted   map[string][]byte // values of 'c' keys, to bring back
	backingUp bool              // every state from the beginning on is kept
}

func historyOptions(rng *rand.Rand, log func(string, ...any)) Options {
	return Options{
		ChunkBytes: 1 << (10 + rng.IntN(5)), SegmentBytes: 32 << 10, LiveSegments: 3, SpareSegments: rng.IntN(3),
		ValueLogBytes: 1 << 20, JournalMemory: 16 << 10, MemoryBytes: 48 << 10, CollectBytes: 64 << 10, ReserveBytes: 64 << 10, Log: log,
	}
}

func TestRandomHistoriesAgainstAMap(t *testing.T) {
	seed := *historySeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	for i := range uint64(*histories) {
		runHistory(t, seed+i)
		if t.Failed() {
			return
		}
	}
}

// TestHistoriesThatWentWrong plays what once found a mistake.
func TestHistoriesThatWentWrong(t *testing.T) {
	for _, seed := range []uint64{
		896999034648095514, // a rewritten chunk spanned one whose meta was still to be deleted
	} {
		runHistory(t, seed)
	}
}

func runHistory(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	h := &history{t: t, rng: rng, dir: t.TempDir(), fs: newFaultFS(rng), now: newModel(), at: map[Commit]*model{},
		transient: map[LogID]map[uint64][]byte{}, deleted: map[string][]byte{}}
	defer func() {
		if t.Failed() {
			t.Logf("seed %d: run with -history-seed=%d -histories=1", seed, seed)
		}
	}()
	h.at[0] = newModel()
	for range 2 + rng.IntN(4) {
		if !h.open() {
			return
		}
		h.live(30 + rng.IntN(150))
		h.stop()
		if t.Failed() {
			return
		}
	}
}

func (h *history) folder() string { return filepath.Join(h.dir, fmt.Sprint(h.runs)) }

// open opens the store, sometimes with the power failing meanwhile, and checks what it finds.
func (h *history) open() bool {
	if h.rng.IntN(3) == 0 {
		h.fs.countdown = h.rng.IntN(20)
	}
	for {
		s, err := open(h.folder(), historyOptions(h.rng, func(string, ...any) {}), h.prefixed())
		if err == nil {
			h.s = s
			h.fs.countdown = -1
			s.beforeTxn = h.meanwhile
			h.check()
			return !h.t.Failed()
		}
		if !errors.Is(err, errCrash) {
			h.t.Errorf("open: %v", err)
			return false
		}
		h.fs = h.fs.crash(h.rng.IntN(2) == 0)
	}
}

// prefixed is the journal's file system; paths contain the run's folder, which changes with every copy.
func (h *history) prefixed() fileSystem { return runFS{h.fs, filepath.Join(h.folder(), "journal")} }

// check compares the store with the model at the commit that it came back to.
func (h *history) check() {
	commit := h.s.Durable()
	want := h.at[commit]
	if want == nil || commit < h.oldest {
		h.t.Errorf("came back to commit %d; %d was durable", commit, h.oldest)
		return
	}
	found := map[LogID]bool{}
	for _, l := range h.s.Logs() {
		found[l.id] = true
		m := want.logs[l.id]
		if m == nil {
			h.t.Errorf("log %d came back", l.id)
			return
		}
		h.checkLog(l, m)
	}
	for id := range want.logs {
		if !found[id] {
			h.t.Errorf("log %d is missing", id)
		}
	}
	table := map[string]string{}
	if err := h.s.Table(nil, func(k, v []byte) error { table[string(k)] = string(v); return nil }); err != nil {
		h.t.Error(err)
	}
	if !maps.Equal(table, want.table) {
		h.t.Errorf("table: %d entries, want %d", len(table), len(want.table))
	}
	h.now = want.clone()
	h.at = map[Commit]*model{commit: want}
	h.oldest = commit
	clear(h.transient)
}

func (h *history) checkLog(l *Log, m *modelLog) {
	if l.DeliveredUpTo() != m.mark {
		h.t.Errorf("log %d: delivered up to %d, want %d", l.id, l.DeliveredUpTo(), m.mark)
	}
	live := 0
	for seq := uint64(0); seq < l.Next(); seq++ {
		want, ok := m.records[seq]
		if l.Live(seq) != ok {
			h.t.Errorf("log %d: record %d is live: %v, want %v", l.id, seq, !ok, ok)
			return
		}
		if !ok {
			continue
		}
		live++
		if got, ok := h.read(l, seq); !ok || !bytes.Equal(got, want) {
			h.t.Errorf("log %d: record %d has %d other bytes (%v), want %d", l.id, seq, len(got), ok, len(want))
			return
		}
	}
	notes := map[uint64]note{}
	l.EachNote(func(seq uint64, count, notBefore int64) { notes[seq] = note{count, notBefore} })
	if !maps.Equal(notes, m.notes) || l.notes.count != len(notes) {
		h.t.Errorf("log %d: notes %v, want %v", l.id, notes, m.notes)
	}
	if live != len(m.records) {
		h.t.Errorf("log %d: %d records, want %d (next %d)", l.id, live, len(m.records), l.Next())
	}
}

// read reads a record, letting the reader bring it if need be.
func (h *history) read(l *Log, seq uint64) ([]byte, bool) {
	for range 3 {
		if record, ok := l.At(seq); ok {
			return record, true
		}
		h.s.readOnce()
	}
	return nil, false
}

// live takes random steps until the power is cut.
func (h *history) live(steps int) {
	if h.rng.IntN(4) > 0 {
		h.fs.countdown = 20 + h.rng.IntN(400)
	}
	h.cut = false
	backup := h.rng.IntN(4 * steps) // in one run of four
	for i := range steps {
		if h.step(); i == backup && !h.cut {
			h.backup()
		}
		if h.cut || h.t.Failed() {
			return
		}
	}
}

// backup makes a backup while the queues, the committer and the pager go on, restores it and compares it with the state of
// the commit that it ends with: one that was durable meanwhile.
func (h *history) backup() {
	h.backingUp = true
	defer func() { h.backingUp = false }()
	began := h.s.Durable()
	var file bytes.Buffer
	err := h.s.Backup(&file, func(int64) {
		if !h.cut && !h.t.Failed() && h.rng.IntN(3) == 0 {
			h.step()
		}
	})
	if h.failed(err); err != nil || h.cut || h.t.Failed() {
		return
	}
	dir := filepath.Join(h.t.TempDir(), "restored")
	o := historyOptions(h.rng, func(string, ...any) {})
	if err := Restore(&file, dir, o); err != nil {
		h.t.Error(err)
		return
	}
	s, err := open(dir, o, osFileSystem{})
	if err != nil {
		h.t.Errorf("open what was restored: %v", err)
		return
	}
	if s.Durable() > h.s.Durable() {
		h.t.Errorf("restored to commit %d, %d was durable", s.Durable(), h.s.Durable())
	}
	restored := &history{t: h.t, rng: h.rng, s: s, at: h.at, oldest: began}
	restored.check()
	if err := s.Close(); err != nil {
		h.t.Error(err)
	}
}

func (h *history) step() {
	logs := h.s.Logs()
	switch op := h.rng.IntN(100); {
	case op < 5 || len(logs) == 0:
		h.create()
	case op < 6:
		h.drop(logs[h.rng.IntN(len(logs))])
	case op < 30:
		h.append(logs[h.rng.IntN(len(logs))])
	case op < 35:
		h.share(logs)
	case op < 55:
		h.gone(logs[h.rng.IntN(len(logs))])
	case op < 58:
		h.table()
	case op < 63:
		h.note(logs[h.rng.IntN(len(logs))])
	case op < 66:
		h.readSome(logs[h.rng.IntN(len(logs))])
	case op < 68:
		h.deliver(logs[h.rng.IntN(len(logs))])
	case op < 88:
		h.commit()
	default:
		h.page()
	}
}

func (h *history) create() {
	h.s.Enter()
	defer h.s.Leave()
	l := h.s.CreateLog([]byte(strings.Repeat("t", h.rng.IntN(30))), true)
	h.now.logs[l.id] = &modelLog{records: map[uint64][]byte{}, notes: map[uint64]note{}}
	h.transient[l.id] = map[uint64][]byte{}
}

func (h *history) drop(l *Log) {
	h.s.Enter()
	defer h.s.Leave()
	l.Drop()
	delete(h.now.logs, l.id)
	delete(h.transient, l.id)
}

func (h *history) append(l *Log) {
	h.s.Enter()
	defer h.s.Leave()
	transientOnly := h.rng.IntN(6) == 0
	for range 1 + h.rng.IntN(60) {
		size := h.rng.IntN(120)
		if h.rng.IntN(60) == 0 {
			size = h.rng.IntN(30_000)
		}
		if h.rng.IntN(1500) == 0 {
			size = 1<<20 + h.rng.IntN(1<<20)
		}
		persistent := !transientOnly && h.rng.IntN(20) > 0
		seq, record := l.Append(size, persistent)
		for i := 0; i+8 <= size; i += 8 {
			binary.NativeEndian.PutUint64(record[i:], h.rng.Uint64())
		}
		for i := size &^ 7; i < size; i++ {
			record[i] = byte(seq)
		}
		if persistent {
			h.now.logs[l.id].records[seq] = bytes.Clone(record)
		} else {
			if h.transient[l.id] == nil {
				h.transient[l.id] = map[uint64][]byte{}
			}
			h.transient[l.id][seq] = bytes.Clone(record)
		}
	}
}

// share appends records of several logs that end alike, and removes some of them at once: whichever is the first that is
// written has the body.
func (h *history) share(logs []*Log) {
	h.s.Enter()
	defer h.s.Leave()
	for range 1 + h.rng.IntN(20) {
		body, number := make([]byte, h.rng.IntN(300)), uint32(0)
		for i := range body {
			body[i] = byte(h.rng.Uint32())
		}
		for _, l := range logs {
			if h.rng.IntN(3) == 0 {
				continue
			}
			own := h.rng.IntN(30)
			seq, record := l.Append(own+len(body), true)
			l.Share(seq, &number, len(body))
			for i := range own {
				record[i] = byte(seq)
			}
			copy(record[own:], body)
			if h.rng.IntN(4) == 0 {
				l.Gone(seq)
			} else {
				h.now.logs[l.id].records[seq] = bytes.Clone(record)
			}
		}
	}
}

func (h *history) gone(l *Log) {
	h.s.Enter()
	defer h.s.Leave()
	remove := func(seq uint64) {
		l.Gone(seq)
		delete(h.now.logs[l.id].records, seq)
		delete(h.now.logs[l.id].notes, seq)
		delete(h.transient[l.id], seq)
	}
	switch h.rng.IntN(8) {
	case 0: // anywhere
		for range h.rng.IntN(50) {
			remove(h.rng.Uint64N(l.Next() + 1))
		}
	case 1: // purge
		for l.First() < l.Next() {
			remove(l.First())
		}
	case 3: // by the chunk
		from, below := uint64(0), h.rng.Uint64N(l.Next()+1)
		if h.rng.IntN(2) == 0 {
			from = h.rng.Uint64N(below + 1)
		}
		for seq := max(from, l.First()); seq < below; seq++ {
			delete(h.now.logs[l.id].records, seq)
			delete(h.now.logs[l.id].notes, seq)
			delete(h.transient[l.id], seq)
		}
		l.GoneRange(from, below)
	case 2: // the newest
		for range h.rng.IntN(40) {
			remove(l.Next() - 1 - h.rng.Uint64N(min(l.Next(), 40)+1))
		}
	default:
		for range h.rng.IntN(80) {
			if l.First() < l.Next() {
				remove(l.First())
			}
		}
	}
}

// note leaves notes, or takes them away, at the head, at the end and anywhere.
func (h *history) note(l *Log) {
	h.s.Enter()
	defer h.s.Leave()
	m := h.now.logs[l.id]
	from := []uint64{l.First(), l.Next() - min(l.Next(), 30), h.rng.Uint64N(l.Next() + 1)}[h.rng.IntN(3)]
	for seq := from; seq < from+uint64(h.rng.IntN(60)); seq++ {
		v := note{count: int64(h.rng.IntN(3)), notBefore: h.rng.Int64N(2) * h.rng.Int64N(1<<62)}
		l.Note(seq, v.count, v.notBefore)
		if _, ok := m.records[seq]; !ok {
			continue
		}
		if delete(m.notes, seq); v != (note{}) {
			m.notes[seq] = v
		}
		if count, notBefore := l.Noted(seq); (note{count, notBefore}) != v {
			h.t.Errorf("log %d: the note of %d is %d, %d, want %v", l.id, seq, count, notBefore, v)
		}
	}
}

func (h *history) table() {
	h.s.Enter()
	defer h.s.Leave()
	for range 1 + h.rng.IntN(5) {
		key := fmt.Sprintf("k%d", h.rng.IntN(30))
		if h.rng.IntN(3) == 0 {
			h.s.Delete([]byte(key))
			delete(h.now.table, key)
			continue
		}
		value := strings.Repeat(fmt.Sprint(h.rng.IntN(1000)), h.rng.IntN(10))
		if h.rng.IntN(10) == 0 {
			value = strings.Repeat("long", h.rng.IntN(10_000))
		}
		h.s.Put([]byte(key), []byte(value))
		h.now.table[key] = value
	}
}

// readSome reads records, paged out or not, transient or not.
func (h *history) readSome(l *Log) {
	for range 20 {
		seq := h.rng.Uint64N(l.Next() + 1)
		if h.rng.IntN(2) == 0 {
			seq = l.First()
		}
		want, persistent := h.now.logs[l.id].records[seq]
		if !persistent {
			var ok bool
			if want, ok = h.transient[l.id][seq]; !ok {
				if l.Live(seq) {
					h.t.Errorf("log %d: record %d is live", l.id, seq)
				}
				continue
			}
		}
		if got, ok := h.read(l, seq); !ok || !bytes.Equal(got, want) {
			h.t.Errorf("log %d: record %d (persistent %v) is %v with %d bytes, want %d", l.id, seq, persistent, ok, len(got), len(want))
			return
		}
	}
}

func (h *history) deliver(l *Log) {
	h.s.Enter()
	defer h.s.Leave()
	if h.rng.IntN(4) == 0 {
		if seq := h.rng.Uint64N(l.Next() + 1); l.delivered.safe > seq || l.delivered.commit != 0 {
			l.DeliveredTo(seq)
			h.now.logs[l.id].mark = seq
		}
		return
	}
	if l.First() < l.Next() {
		l.Deliver(l.First())
		if l.delivered.commit == h.s.number {
			h.now.logs[l.id].mark = l.delivered.requested
		}
	}
}

// commit writes a group. What it holds may survive a power cut even if it was never confirmed.
func (h *history) commit() {
	h.at[h.s.number] = h.now.clone()
	h.failed(func() error { h.s.commitPending(); return h.s.Err() }())
	h.oldest = max(h.oldest, h.s.Durable())
	for c := range h.at {
		if c < h.oldest && !h.backingUp {
			delete(h.at, c)
		}
	}
}

// page takes one of the pager's steps. They may commit what is pending, to be able to move it.
func (h *history) page() {
	h.at[h.s.number] = h.now.clone()
	defer func() { h.oldest = max(h.oldest, h.s.Durable()) }()
	switch h.rng.IntN(10) {
	case 8, 9:
		h.rememberBodies()
		_, err := h.s.rewriteSlice()
		h.failed(err)
	case 0:
		h.failed(h.s.retire())
	case 1:
		h.failed(h.s.moveOverBudget())
	case 2:
		_, err := h.s.move(func(*durableChunk) bool { return h.rng.IntN(4) > 0 })
		h.failed(err)
	case 3:
		h.rememberBodies()
		h.failed(h.s.flushLogs(h.rng.IntN(2) == 0))
	case 4:
		h.failed(h.s.evict())
	case 5:
		h.resurrect()
	case 6:
		h.failed(h.s.flushTable())
	default:
		h.failed(h.s.pageOnce(time.Now().Add(time.Duration(h.rng.IntN(5)) * time.Second)))
	}
}

// meanwhile is what queues and the committer do while the pager is about to write.
func (h *history) meanwhile() error {
	logs := h.s.Logs()
	if len(logs) > 0 && h.rng.IntN(3) == 0 {
		l := logs[h.rng.IntN(len(logs))]
		switch h.rng.IntN(8) {
		case 0:
			h.append(l)
		case 1:
			h.drop(l)
		case 2, 3:
			h.note(l)
		case 4:
			h.readSome(l)
		default:
			h.gone(l)
		}
		if h.rng.IntN(4) > 0 {
			h.commit()
		}
		h.at[h.s.number] = h.now.clone()
	}
	return h.fs.step()
}

func (h *history) failed(err error) {
	switch {
	case err == nil:
	case errors.Is(err, errCrash):
		h.cut = true
	default:
		h.t.Errorf("unexpected error: %v", err)
	}
}

// rememberBodies and resurrect do what value-log GC was seen to do: deleted values come back.
func (h *history) rememberBodies() {
	err := h.s.db.View(func(txn *badger.Txn) error {
		return scanValues(txn, prefixChunk, func(key, value []byte) error {
			h.deleted[string(key)] = bytes.Clone(value)
			return nil
		})
	})
	if err != nil {
		h.t.Error(err)
	}
}

func (h *history) resurrect() {
	err := h.s.db.Update(func(txn *badger.Txn) error {
		for key, value := range h.deleted {
			if _, err := txn.Get([]byte(key)); errors.Is(err, badger.ErrKeyNotFound) && len(value) < 100_000 {
				if err := txn.Set([]byte(key), value); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, badger.ErrTxnTooBig) {
		h.t.Error(err)
	}
}

// stop ends the run: a clean close, a killed process, or a power cut. Badger's files are copied as a kill leaves
// them.
func (h *history) stop() {
	next := filepath.Join(h.dir, fmt.Sprint(h.runs+1))
	if !h.cut && h.rng.IntN(4) == 0 {
		h.fs.countdown = -1
		h.at[h.s.number] = h.now.clone()
		h.at[h.s.number+1] = h.at[h.s.number]
		if err := h.s.Close(); err != nil {
			h.t.Error(err)
			return
		}
		h.oldest = max(h.oldest, h.s.Durable())
		h.copyBadger(next)
		h.fs = h.fs.crash(false)
	} else {
		h.copyBadger(next)
		h.fs.countdown = 0
		h.s.beforeTxn = nil
		h.s.fail(errCrash)
		_ = h.s.Close() // its files are not looked at again
		h.fs = h.fs.crash(h.rng.IntN(3) > 0)
	}
	if err := os.RemoveAll(h.folder()); err != nil {
		h.t.Error(err)
	}
	h.runs++
}

// copyBadger copies Badger's folder as it is at one moment: if Badger changed its set of files meanwhile, again.
func (h *history) copyBadger(to string) {
	h.copyFolder(filepath.Join(h.folder(), "badger"), filepath.Join(to, "badger"))
}

func (h *history) copyFolder(from, to string) {
	for range 1000 {
		before := badgerFiles(h.t, from)
		if err := errors.Join(os.RemoveAll(to), os.MkdirAll(to, 0o700)); err != nil {
			h.t.Fatal(err)
		}
		whole := true
		for name := range before {
			if name != "LOCK" && name != "" {
				whole = whole && copySparse(h.t, filepath.Join(from, name), filepath.Join(to, name))
			}
		}
		if whole && maps.Equal(before, badgerFiles(h.t, from)) {
			return
		}
	}
	h.t.Fatal("Badger does not come to rest")
}

// badgerFiles returns the names of Badger's files, and under "" the content of the file that lists its tables.
func badgerFiles(t *testing.T, dir string) map[string]string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		files[e.Name()] = ""
	}
	manifest, err := os.ReadFile(filepath.Join(dir, "MANIFEST"))
	if err != nil {
		t.Fatal(err)
	}
	files[""] = string(manifest)
	return files
}

// copySparse copies a file without its holes: Badger's are larger than what is in them. It returns false if the
// file is not there any more.
func copySparse(t *testing.T, from, to string) bool {
	src, err := os.Open(from)
	if errors.Is(err, os.ErrNotExist) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	dst, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	defer dst.Close()
	info, err := src.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if err := dst.Truncate(info.Size()); err != nil {
		t.Fatal(err)
	}
	for at := int64(0); at < info.Size(); {
		start, err := unix.Seek(int(src.Fd()), at, unix.SEEK_DATA)
		if err != nil {
			return true // no more data
		}
		end, err := unix.Seek(int(src.Fd()), start, unix.SEEK_HOLE)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, end-start)
		if _, err := src.ReadAt(b, start); err != nil {
			return false // it was cut meanwhile
		}
		if _, err := dst.WriteAt(b, start); err != nil {
			t.Fatal(err)
		}
		at = end
	}
	return true
}

// runFS gives the journal's files the same names in every run.
type runFS struct {
	*faultFS
	dir string
}

func (r runFS) name(name string) string { return filepath.Join("journal", filepath.Base(name)) }

func (r runFS) open(name string, create bool) (file, error) {
	return r.faultFS.open(r.name(name), create)
}
func (r runFS) rename(from, to string) error  { return r.faultFS.rename(r.name(from), r.name(to)) }
func (r runFS) remove(name string) error      { return r.faultFS.remove(r.name(name)) }
func (r runFS) list(string) ([]string, error) { return r.faultFS.list("journal") }
