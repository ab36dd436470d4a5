package storage

import (
	"fmt"

	"github.com/dgraph-io/badger/v4"
)

// What one transaction may hold. With memtables of 8 MiB Badger takes 1,258,291 inline bytes and 13,107 entries;
// values that go to the value log count as pointers there.
const (
	maxTxnInline  = 1 << 20
	maxTxnBodies  = 8 << 20
	maxTxnEntries = 10_000
)

// writer puts changes into transactions of a size that Badger takes. Keys and values must stay unchanged until
// flush returns. Only the pager, and recovery before it, write.
type writer struct {
	s       *Store
	txn     *badger.Txn
	inline  int
	bodies  int
	entries int
}

func (s *Store) newWriter() *writer { return &writer{s: s} }

// set writes a key. Values below the threshold count as inline.
func (w *writer) set(key, value []byte) error {
	if err := w.room(key, value); err != nil {
		return err
	}
	return w.txn.Set(key, value)
}

// setInline writes a value that must never be in the value log, since it may be deleted or written again: what
// value-log GC moves can come back.
func (w *writer) setInline(key, value []byte) error {
	if len(value) > maxInlineBytes {
		panic(fmt.Sprintf("storage: invariant: the value of key %x has %d bytes, too many to be inline", key, len(value)))
	}
	return w.set(key, value)
}

func (w *writer) delete(key []byte) error {
	if err := w.room(key, nil); err != nil {
		return err
	}
	return w.txn.Delete(key)
}

// room begins a new transaction if the current one cannot take the entry.
func (w *writer) room(key, value []byte) error {
	inline, body := len(key)+len(value)+64, 0
	if len(value) >= valueThreshold {
		inline, body = len(key)+128, len(value)
	}
	if w.bodies+body > w.s.maxBodies() && w.bodies > 0 {
		if err := w.flush(); err != nil {
			return err
		}
	}
	if err := w.reserve(inline, 1); err != nil {
		return err
	}
	w.inline += inline
	w.bodies += body
	w.entries++
	return nil
}

// reserve makes sure that so many inline bytes and entries go into one transaction.
func (w *writer) reserve(inline, entries int) error {
	if w.txn != nil && (w.inline+inline > maxTxnInline || w.entries+entries > maxTxnEntries) {
		if err := w.flush(); err != nil {
			return err
		}
	}
	if w.txn == nil {
		if err := w.s.Err(); err != nil {
			return err
		}
		w.txn = w.s.db.NewTransaction(true)
	}
	return nil
}

// maxBodies is how many bytes of bodies a transaction may have. Badger writes all of it to one value log, which may be full but
// for a byte by then, and is mapped at twice its size. Beyond that it would map it anew while others read from the old
// mapping: a fault that ends the process.
func (s *Store) maxBodies() int { return int(min(maxTxnBodies, s.options.ValueLogBytes*7/8)) }

// flush commits and syncs what was written.
func (w *writer) flush() error {
	txn := w.txn
	if txn == nil {
		return nil
	}
	size := int64(w.inline + w.bodies)
	*w = writer{s: w.s}
	defer txn.Discard()
	if err := w.s.awaitSpace(size); err != nil {
		return err
	}
	if w.s.beforeTxn != nil {
		if err := w.s.beforeTxn(); err != nil {
			return err
		}
	}
	if err := txn.Commit(); err != nil {
		return fmt.Errorf("write the database: %w", err)
	}
	return w.s.Err()
}
