package storage

import (
	"cmp"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"
	"golang.org/x/sys/unix"
)

// Commit is the number of a group: all that happened between two swaps of what was pending. Numbers are
// contiguous; a commit is durable when Store.Durable has reached it.
type Commit uint64

// Store is a folder with a journal of what happened and a Badger database of what stayed.
//
// Lock order: epoch (for reading) → the caller's locks → commit.mu; durable.mu is a leaf beside it. See
// docs/formats for what is on disk.
type Store struct {
	dir     string
	options Options
	lock    *folderLock
	journal *journal

	// epoch is held for reading by whoever may change a log or the table, from the first change to the last that
	// belongs together, and for writing, for moments, by the committer and the pager. So a transaction is never
	// cut in two, and whoever holds it for writing sees every log at rest.
	epoch  sync.RWMutex
	number Commit // of the group that gathers; changed under epoch held for writing

	// What the next group will hold.
	commit struct {
		sync.Mutex
		pending []*pending
		table   []tableOp
		bodies  uint32 // how many of those so far go to several logs
	}
	wake    chan struct{} // what is pending is to be written
	soon    *time.Timer   // runs out when it is, even if nobody waits; nil without goroutines
	soonSet atomic.Bool   // it runs

	due     atomic.Bool   // it has run out, or much has gathered
	wanted  atomic.Uint64 // the last commit that somebody waits for
	takenTo uint64        // the last one that the committer has taken; the committer's

	writtenTo atomic.Uint64
	durableTo atomic.Uint64
	durable   *durableState
	nextLog   atomic.Uint64
	resident  atomic.Int64 // memory of all chunks, in bytes

	notify struct {
		sync.Mutex
		calls   []func(Commit)
		written []func(Commit)
	}

	failure atomic.Pointer[error]
	failed  chan struct{} // closed with failure set

	db         *badger.DB
	reserved   bool         // there is a reserve; the pager's
	opened     bool         // recovery has ended
	iterators  sync.RWMutex // held for reading while an iterator of db is open
	checkpoint checkpoint   // the one in db; the pager's
	fresh      bool         // db was made by this Open
	garbage    [][]byte     // keys of metas that belong to no log
	lost       []string     // what salvage could not read
	lostChunks atomic.Int64
	gathering  atomic.Int64 // about how many bytes wait for the next group

	logs map[*Log]struct{} // guarded by commit.Mutex, or by the epoch held for writing

	committer committer
	pager     pager
	reader    reader

	// For tests: the steps are taken by hand, there are no goroutines; and what happens before each transaction.
	manual       bool
	beforeTxn    func() error
	retryNoSpace func() bool // otherwise waitNoSpace
	retryPaging  func() bool // otherwise waitPaging

	awaiting  sync.Mutex
	committed sync.Cond // durableTo, failure, stopped or Room may have changed; with awaiting

	stopped   atomic.Bool   // Close was called
	stopPager chan struct{} // ends pager and reader
	closing   chan struct{} // ends the committer
	closeOnce sync.Once
	closeErr  error
	helpers   sync.WaitGroup // pager and reader
	writing   sync.WaitGroup // committer
}

// Open opens the store in the folder dir, which it makes if need be, and brings it to where the last durable commit
// left it. Errors: *LockedError, *CorruptError, *FormatError.
func Open(dir string, o Options) (*Store, error) {
	s, err := open(dir, o, osFileSystem{})
	if err != nil {
		return nil, err
	}
	if len(s.lost) > 0 {
		if err := s.leaveDamage(); err != nil {
			return nil, errors.Join(err, s.closeFiles())
		}
	}
	s.dropMapped() // what Badger has looked at
	s.start()
	return s, nil
}

// open does everything but start the store's goroutines; tests take their steps by hand.
func open(dir string, o Options, fs fileSystem) (*Store, error) {
	lock, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	volume := int64(math.MaxInt64) // a large one, if nobody knows
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err == nil {
		volume = int64(min(st.Blocks, st.Bavail)) * st.Bsize
	}
	o.scaleTo(volume)
	o = o.withDefaults()
	s := &Store{
		dir: dir, options: o, lock: lock, durable: newDurableState(),
		logs: map[*Log]struct{}{}, stopPager: make(chan struct{}),
		wake: make(chan struct{}, 1), failed: make(chan struct{}), closing: make(chan struct{}),
		journal: &journal{fs: fs, dir: filepath.Join(dir, "journal"), sizes: o.journalSizes()},
	}
	s.committed.L, s.journal.written = &s.awaiting, s.groupWritten
	s.pager.wake, s.reader.wake = make(chan struct{}, 1), make(chan struct{}, 1)
	s.manual, s.retryNoSpace, s.retryPaging = true, s.waitNoSpace, s.waitPaging
	s.pager.evictAt.Store(o.MemoryBytes)
	if err := s.recover(); err != nil {
		return nil, errors.Join(err, s.closeFiles())
	}
	s.opened = true
	return s, nil
}

func (s *Store) start() {
	s.manual = false
	s.keepReserve()
	s.soon = time.AfterFunc(commitEvery, s.soonPassed)
	s.writing.Go(s.runCommitter)
	s.helpers.Go(s.runPager)
	s.helpers.Go(s.runReader)
}

func (s *Store) closeFiles() error {
	err := s.journal.close()
	if s.db != nil {
		err = errors.Join(err, s.closeDatabase())
	}
	return errors.Join(err, s.lock.release())
}

// closeDatabase closes Badger, which tries to write a memtable until it can. On a disk that has failed that is never: the
// store lets it be, since the process is about to end and the journal has everything.
func (s *Store) closeDatabase() error {
	if s.Err() == nil {
		return s.db.Close()
	}
	closed := make(chan error, 1)
	go func() { closed <- s.db.Close() }()
	select {
	case err := <-closed:
		return err
	case <-time.After(failedCloseTime):
		return errors.New("the database could not be closed")
	}
}

const failedCloseTime = 3 * time.Second

// Enter begins a piece of work that may change logs or the table, and names the commit that all of its changes are
// part of. It must be followed by Leave, soon: the committer waits for it. Whoever is inside waits for nothing and
// does not enter again.
func (s *Store) Enter() Commit {
	s.epoch.RLock()
	return s.number
}

// Leave ends what Enter began.
func (s *Store) Leave() { s.epoch.RUnlock() }

// Outstanding returns the commit with which all that was done so far is durable: the one that Enter has named or, if
// nothing waits for that, the one before, since a group that nothing waits for is never written. Between Enter and
// Leave.
func (s *Store) Outstanding() Commit {
	s.commit.Lock()
	defer s.commit.Unlock()
	if len(s.commit.pending) == 0 && len(s.commit.table) == 0 {
		return s.number - 1
	}
	return s.number
}

// Durable returns the highest commit that is on disk, with all before it.
func (s *Store) Durable() Commit { return Commit(s.durableTo.Load()) }

// Notify has call called after every sync with the highest durable commit, from the committer's goroutine: it must
// be quick and may not wait for the store. Who waits for a commit says so with Want, or it takes some milliseconds more.
func (s *Store) Notify(call func(Commit)) {
	s.notify.Lock()
	defer s.notify.Unlock()
	s.notify.calls = append(s.notify.calls, call)
}

// Written returns the highest commit that the operating system has, with all before it: it survives the end of the
// process, and not that of the machine.
func (s *Store) Written() Commit { return Commit(max(s.writtenTo.Load(), s.durableTo.Load())) }

// NotifyWritten has call called after every write, before its sync, with the highest written commit. As with Notify, the
// committer waits for it.
func (s *Store) NotifyWritten(call func(Commit)) {
	s.notify.Lock()
	defer s.notify.Unlock()
	s.notify.written = append(s.notify.written, call)
}

// groupWritten is called by the journal between a group's write and its sync.
func (s *Store) groupWritten(commit Commit) {
	s.writtenTo.Store(uint64(commit))
	s.notify.Lock()
	calls := s.notify.written
	s.notify.Unlock()
	for _, call := range calls {
		call(commit)
	}
}

// Failed is closed when the store can promise nothing any more; Err then says why. Nothing that was not durable by
// then ever will be.
func (s *Store) Failed() <-chan struct{} { return s.failed }

// Err returns why the store failed, nil if it did not.
func (s *Store) Err() error {
	if err := s.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// fail poisons the store.
func (s *Store) fail(err error) {
	if s.failure.CompareAndSwap(nil, &err) {
		s.options.logf("the store stops: %v", err)
		close(s.failed)
		s.broadcast()
	}
}

// Close writes what is pending, so that all that was done before is durable when it returns, and releases the
// folder. Nobody may use the store any more when it is called.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		s.stopped.Store(true)
		s.broadcast()
		close(s.stopPager)
		s.helpers.Wait()
		if s.soon != nil {
			s.soon.Stop()
		}
		close(s.closing)
		s.writing.Wait()
		var err error
		if s.Err() == nil && !s.manual {
			err = s.rest()
		}
		if s.Err() == nil {
			s.sealJournal()
		}
		s.closeErr = errors.Join(s.Err(), err, s.closeFiles())
	})
	return s.closeErr
}

// CreateLog makes a new, empty log; tag, of up to 4 KiB, is kept with it. A log that is not durable leaves no trace
// when the store is closed. Between Enter and Leave.
func (s *Store) CreateLog(tag []byte, durable bool) *Log {
	if len(tag) > maxTagBytes {
		panic("storage: invariant: the tag of a log has at most 4 KiB")
	}
	l := s.newLog(&durableLog{id: LogID(s.nextLog.Add(1) - 1), tag: append([]byte(nil), tag...)})
	if durable {
		l.durable = true
		l.pend().created = true
	}
	return l
}

const maxTagBytes = 4 << 10

func (s *Store) newLog(state *durableLog) *Log {
	l := newLog(s.options)
	l.id, l.state, l.store = state.id, state, s
	state.log = l
	s.commit.Lock()
	s.logs[l] = struct{}{}
	s.commit.Unlock()
	return l
}

// forgetLog is called when a log was dropped.
func (s *Store) forgetLog(l *Log) {
	s.commit.Lock()
	delete(s.logs, l)
	s.commit.Unlock()
}

// Logs returns the durable logs that were found when the store was opened, and those made since, in order of their
// ids. Between Enter and Leave.
func (s *Store) Logs() []*Log {
	s.commit.Lock()
	defer s.commit.Unlock()
	var logs []*Log
	for l := range s.logs {
		if l.durable {
			logs = append(logs, l)
		}
	}
	slices.SortFunc(logs, func(a, b *Log) int { return cmp.Compare(a.id, b.id) })
	return logs
}

// leaveDamage makes what salvage has saved the state of the folder, so that the next start finds no damage: a group in a
// new segment, and a checkpoint there. On a full disk that waits until the journal moves on by itself.
func (s *Store) leaveDamage() error {
	if !s.spaceForPager() {
		return nil
	}
	commit := s.number
	if !s.writeGroup(beginGroup(nil), commit) {
		return s.Err()
	}
	s.number++
	s.durableTo.Store(uint64(commit))
	s.durable.commit, s.durable.segment = commit, s.journal.active.number
	return s.retire()
}

// Exists reports whether a folder holds a store.
func Exists(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "badger"))
	return err == nil
}

// Lost returns what could not be read when the store was opened with Options.Salvage, and how many chunks could not
// be since.
func (s *Store) Lost() (reports []string, chunks int64) { return s.lost, s.lostChunks.Load() }
