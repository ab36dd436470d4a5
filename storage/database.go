package storage

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// openDatabase opens Badger, and reads the checkpoint, the descriptors, the metas and the length of the table: no
// bodies.
func (s *Store) openDatabase() error {
	dir := filepath.Join(s.dir, "badger")
	for _, d := range []string{dir, s.journal.dir} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return err
		}
	}
	if err := sweepEmptyFiles(dir); err != nil {
		return err
	}
	if err := s.makeRoomToOpen(); err != nil {
		return err
	}
	if err := s.checkTables(dir); err != nil {
		return err
	}
	db, err := badger.Open(s.badgerOptions(dir))
	if err != nil {
		return fmt.Errorf("open the database %s: %w", dir, err)
	}
	s.db = db
	return s.readDatabase()
}

// badgerOptions are measured ones; docs/formats/badger.md gives the reasons. Values above 16 KiB go to the value
// log, all others, bitmaps above all, must stay inline: what value-log GC moves can come back after its deletion.
func (s *Store) badgerOptions(dir string) badger.Options {
	return badger.DefaultOptions(dir).
		WithSyncWrites(true).
		WithDetectConflicts(false).
		WithNumVersionsToKeep(1).
		WithMemTableSize(memTableBytes).
		WithNumMemtables(2).
		WithNumCompactors(2).
		WithCompression(options.None).
		WithBlockCacheSize(0).
		WithBloomFalsePositive(0).
		WithValueThreshold(valueThreshold).
		WithValueLogFileSize(s.options.ValueLogBytes).
		WithMetricsEnabled(false).
		WithLogger(&badgerLogger{s})
}

const (
	memTableBytes  = 8 << 20
	valueThreshold = 16 << 10
	maxInlineBytes = 12 << 10 // of a value that must be inline; a margin below the threshold
)

// sweepEmptyFiles removes the zero-length files that a kill can leave and with which Badger refuses to open.
func sweepEmptyFiles(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".vlog") && !strings.HasSuffix(e.Name(), ".mem") {
			continue
		}
		if info, err := e.Info(); err == nil && info.Size() == 0 {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// badgerLogger hands on what Badger has to say. A failing sync of the value log is an error that Badger only logs;
// what it wrote may then be lost, so it poisons the store.
type badgerLogger struct{ s *Store }

func (b *badgerLogger) Errorf(format string, args ...any) {
	if strings.Contains(format, "curlf sync") {
		b.s.fail(fmt.Errorf("sync of the value log failed: "+format, args...))
	}
	b.s.options.logf("badger: "+format, args...)
}
func (b *badgerLogger) Warningf(format string, args ...any) {
	b.s.options.logf("badger: "+format, args...)
}
func (b *badgerLogger) Infof(string, ...any)  {}
func (b *badgerLogger) Debugf(string, ...any) {}

// readDatabase reads what the last checkpoint left.
func (s *Store) readDatabase() error {
	err := s.db.View(func(txn *badger.Txn) error {
		key := []byte{prefixState}
		item, err := txn.Get(key)
		if err == nil {
			err = item.Value(func(v []byte) error { return s.checkpoint.decode(key, v) })
		}
		if errors.Is(err, badger.ErrKeyNotFound) {
			return s.newDatabase(txn)
		}
		if err != nil {
			return err
		}
		if err := s.readDescriptors(txn); err != nil {
			return err
		}
		if err := s.readMetas(txn); err != nil {
			return err
		}
		return s.readNotes(txn)
	})
	if err != nil {
		if _, ok := errors.AsType[*FormatError](err); !ok {
			err = fmt.Errorf("read the database: %w", err)
		}
		return err
	}
	s.journal.store = s.checkpoint.store
	s.durable.nextLog = max(s.checkpoint.nextLog, 1)
	return s.finishNewDatabase()
}

// newDatabase is called for a folder without a checkpoint. It must be empty: a journal without its database, or a
// database that lost its first record, is damage.
func (s *Store) newDatabase(txn *badger.Txn) error {
	it := txn.NewIterator(badger.IteratorOptions{})
	defer it.Close()
	if it.Rewind(); it.Valid() {
		return &CorruptError{File: filepath.Join(s.dir, "badger"), Reason: "there are keys but no checkpoint"}
	}
	numbers, err := s.journal.listSegments()
	if err == nil && len(numbers) > 0 {
		err = &CorruptError{File: s.journal.dir, Reason: "there is a journal, but its database is missing"}
	}
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails
	s.checkpoint = checkpoint{store: binary.BigEndian.Uint64(id[:]), nextLog: 1, firstLive: 1}
	s.fresh = true
	return err
}

// finishNewDatabase gives a new database its first checkpoint, before the journal can hold anything.
func (s *Store) finishNewDatabase() error {
	if !s.fresh {
		return s.dropTransient()
	}
	w := s.newWriter()
	key := []byte{prefixState}
	if err := w.set(key, s.checkpoint.encode(key)); err != nil {
		return err
	}
	return w.flush()
}

// dropTransient removes what was paged out of transient messages: nobody knows them any more.
func (s *Store) dropTransient() error {
	w := s.newWriter()
	err := s.scanKeys([]byte{prefixPagedOut}, func(key []byte) error { return w.delete(key) })
	return errors.Join(err, w.flush())
}

// scanKeys calls visit with a copy of every key below prefix.
func (s *Store) scanKeys(prefix []byte, visit func(key []byte) error) error {
	s.iterators.RLock()
	defer s.iterators.RUnlock()
	return s.db.View(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.IteratorOptions{Prefix: prefix})
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			if err := visit(it.Item().KeyCopy(nil)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Store) readDescriptors(txn *badger.Txn) error {
	return scanValues(txn, prefixDescriptor, func(key, value []byte) error {
		var d descriptor
		if err := d.decode(key, value); err != nil {
			return s.damaged(key, err)
		}
		id := LogID(binary.BigEndian.Uint64(key[1:]))
		s.durable.logs[id] = &durableLog{
			id: id, tag: d.tag, next: d.next, moved: d.moved, mark: d.mark, inDB: true,
		}
		return nil
	})
}

// readMetas builds the stored chunks. A meta without its descriptor is garbage, and swept later.
func (s *Store) readMetas(txn *badger.Txn) error {
	return scanValues(txn, prefixMeta, func(key, value []byte) error {
		l := s.durable.logs[LogID(binary.BigEndian.Uint64(key[1:]))]
		if l == nil {
			s.garbage = append(s.garbage, bytes.Clone(key))
			return nil
		}
		var m chunkMeta
		if err := m.decode(key, value); err != nil {
			return s.damaged(key, err)
		}
		first := binary.BigEndian.Uint64(key[9:])
		c := &durableChunk{
			log: l, first: first, count: m.count, live: m.live, liveCount: countBits(m.live), sealed: true,
			kept: m.kept, keptCount: countBits(m.kept), bytes: m.bytes, part: m.part, parts: m.parts,
		}
		l.chunks.push(first, c)
		l.next = max(l.next, c.next())
		s.durable.countStored(c)
		return nil
	})
}

// readNotes reads the notes beside records. Those of no log are garbage, and swept later.
func (s *Store) readNotes(txn *badger.Txn) error {
	return scanValues(txn, prefixNotes, func(key, value []byte) error {
		l := s.durable.logs[LogID(binary.BigEndian.Uint64(key[1:]))]
		if l == nil {
			s.garbage = append(s.garbage, bytes.Clone(key))
			return nil
		}
		if err := decodeNotes(key, value, l.notes.set); err != nil {
			return s.damaged(key, err)
		}
		return nil
	})
}

// damaged refuses a value that cannot be read, or notes it when salvaging.
func (s *Store) damaged(key []byte, err error) error {
	if _, ok := errors.AsType[*FormatError](err); ok {
		return err
	}
	err = &CorruptError{File: filepath.Join(s.dir, "badger"), Reason: fmt.Sprintf("key %x: %v", key, err)}
	if !s.options.Salvage {
		return err
	}
	s.options.logf("salvage: %v", err)
	s.lost = append(s.lost, err.Error())
	return nil
}

// scanValues calls visit with every key and value below prefix; both are valid during the call.
func scanValues(txn *badger.Txn, prefix byte, visit func(key, value []byte) error) error {
	it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte{prefix}, PrefetchValues: true, PrefetchSize: 64})
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		item := it.Item()
		if err := item.Value(func(v []byte) error { return visit(item.Key(), v) }); err != nil {
			return err
		}
	}
	return nil
}
