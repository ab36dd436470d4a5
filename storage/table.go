package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"

	"github.com/dgraph-io/badger/v4"
)

// tableState is the part of the ordered table that is in the journal but not yet in Badger. A nil value is a
// deleted key. Guarded by durableState.mu.
type tableState struct {
	pending map[string][]byte
}

// tableOp is a change of the ordered table that waits for its group.
type tableOp struct {
	key    string
	value  []byte
	delete bool
}

// Put sets a key of the ordered table. It is part of the commit that Enter has named. The store keeps copies.
func (s *Store) Put(key, value []byte) {
	if len(key) > MaxKeyBytes {
		panic("storage: invariant: a key of the table has at most MaxKeyBytes")
	}
	op := tableOp{key: string(key), value: append([]byte{}, value...)}
	s.enlistTable(op)
}

// Delete removes a key of the ordered table; it need not be there.
func (s *Store) Delete(key []byte) {
	s.enlistTable(tableOp{key: string(key), delete: true})
}

func (op *tableOp) appendOp(b []byte) []byte {
	if op.delete {
		b = append(b, opDelete)
		b = binary.AppendUvarint(b, uint64(len(op.key)))
		return append(b, op.key...)
	}
	b = append(b, opPut)
	b = binary.AppendUvarint(b, uint64(len(op.key)))
	b = append(b, op.key...)
	b = binary.AppendUvarint(b, uint64(len(op.value)))
	return append(b, op.value...)
}

func (t *tableState) apply(op *tableOp) {
	if op.delete {
		t.pending[op.key] = nil
	} else {
		t.pending[op.key] = op.value
	}
}

// A value of the table is stored as 0 and the bytes, or, if it is long, as 1, the number of parts (u32) and their checksum, which
// stand under keys of their own: it must be inline, since it may be written again.
const maxTablePart = 8 << 10

// MaxKeyBytes is the longest key of the ordered table. Put panics on a longer one: its caller has checked names before.
const MaxKeyBytes = 16 << 10

func tableKey(key []byte) []byte { return append([]byte{prefixTable}, key...) }

func tablePartKey(key []byte, part int) []byte {
	b := append(make([]byte, 0, len(key)+9), prefixTablePart)
	b = binary.BigEndian.AppendUint32(b, uint32(len(key)))
	b = append(b, key...)
	return binary.BigEndian.AppendUint32(b, uint32(part))
}

// writeTableEntry stores or, if value is nil, deletes a key, with what parts it had and has.
func (s *Store) writeTableEntry(w *writer, key, value []byte) error {
	stands, had, err := s.tableParts(key)
	if err != nil {
		return err
	}
	if value == nil && !stands {
		return nil // came and went without Badger
	}
	parts := 0
	stored := append([]byte{0}, value...)
	if len(value) > maxTablePart {
		parts = (len(value) + maxTablePart - 1) / maxTablePart
		stored = binary.BigEndian.AppendUint32([]byte{1}, uint32(parts))
		stored = binary.BigEndian.AppendUint32(stored, crc32.Checksum(value, castagnoli))
	}
	// In one transaction, unless it is larger than those are: what stands in Badger is read only while the journal has
	// nothing newer.
	if err := w.reserve(len(value)+(max(parts, had)+1)*(len(key)+128), max(parts, had)+1); err != nil {
		return err
	}
	for part := range parts {
		piece := value[part*maxTablePart : min((part+1)*maxTablePart, len(value))]
		if err := w.setInline(tablePartKey(key, part), piece); err != nil {
			return err
		}
	}
	for part := parts; part < had; part++ {
		if err := w.delete(tablePartKey(key, part)); err != nil {
			return err
		}
	}
	if value == nil {
		return w.delete(tableKey(key))
	}
	return w.setInline(tableKey(key), checked(tableKey(key), stored))
}

// tableParts reports whether key is stored, and in how many parts its value is.
func (s *Store) tableParts(key []byte) (stands bool, parts int, err error) {
	err = s.db.View(func(txn *badger.Txn) error {
		item, err := txn.Get(tableKey(key))
		if errors.Is(err, badger.ErrKeyNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		stands = true
		return item.Value(func(v []byte) error {
			if len(v) == 13 && v[0] == 1 {
				parts = int(binary.BigEndian.Uint32(v[1:]))
			}
			return nil
		})
	})
	return stands, parts, err
}

// Table calls visit with the durable entries of the ordered table whose keys begin with prefix, in key order. Both
// slices are the caller's to keep. What was put or deleted and is not yet durable is not seen. Entries are read while they
// are visited, so that a table may be larger than the memory.
func (s *Store) Table(prefix []byte, visit func(key, value []byte) error) error {
	// Before Badger is read: what the pager takes there meanwhile is then seen twice, and not missed.
	newer := s.pendingTable(prefix)
	next := func() error {
		e := newer[0]
		newer = newer[1:]
		if e.value == nil {
			return nil
		}
		return visit([]byte(e.key), bytes.Clone(e.value))
	}
	err := s.storedTable(prefix, func(key []byte, read func() ([]byte, error)) error {
		for len(newer) > 0 && newer[0].key < string(key) {
			if err := next(); err != nil {
				return err
			}
		}
		if len(newer) > 0 && newer[0].key == string(key) {
			return next() // what is stored may be half replaced
		}
		value, err := read()
		if err != nil {
			return s.damaged(tableKey(key), err)
		}
		return visit(key, value)
	})
	for err == nil && len(newer) > 0 {
		err = next()
	}
	return err
}

// tableEntry is an entry that Badger lacks. A nil value is a deleted key.
type tableEntry struct {
	key   string
	value []byte // immutable
}

// pendingTable returns what Badger lacks, in key order.
func (s *Store) pendingTable(prefix []byte) (list []tableEntry) {
	s.durable.mu.Lock()
	for k, v := range s.durable.table.pending {
		if strings.HasPrefix(k, string(prefix)) {
			list = append(list, tableEntry{k, v})
		}
	}
	s.durable.mu.Unlock()
	slices.SortFunc(list, func(a, b tableEntry) int { return strings.Compare(a.key, b.key) })
	return list
}

// storedTable visits the entries that are in Badger, whose values are read when they are asked for.
func (s *Store) storedTable(prefix []byte, visit func(key []byte, read func() ([]byte, error)) error) error {
	s.iterators.RLock()
	defer s.iterators.RUnlock()
	return s.db.View(func(txn *badger.Txn) error {
		// Values are inline, so there is nothing to prefetch.
		it := txn.NewIterator(badger.IteratorOptions{Prefix: tableKey(prefix)})
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			key := it.Item().KeyCopy(nil)
			read := func() ([]byte, error) {
				stored, err := it.Item().ValueCopy(nil)
				if err != nil {
					return nil, err
				}
				return tableValue(txn, key, stored)
			}
			if err := visit(key[1:], read); err != nil {
				return err
			}
		}
		return nil
	})
}

func tableValue(txn *badger.Txn, key, stored []byte) ([]byte, error) {
	if len(stored) < 5 || checksumAt(key, stored[:len(stored)-4]) != binary.BigEndian.Uint32(stored[len(stored)-4:]) {
		return nil, fmt.Errorf("wrong checksum")
	}
	stored = stored[:len(stored)-4]
	if stored[0] == 0 {
		return stored[1:], nil
	}
	if len(stored) != 9 {
		return nil, fmt.Errorf("malformed value")
	}
	value := []byte{}
	for part := range int(binary.BigEndian.Uint32(stored[1:5])) {
		item, err := txn.Get(tablePartKey(key[1:], part))
		if err != nil {
			return nil, fmt.Errorf("part %d: %w", part, err)
		}
		if value, err = appendItem(value, item); err != nil {
			return nil, err
		}
	}
	if crc32.Checksum(value, castagnoli) != binary.BigEndian.Uint32(stored[5:]) {
		return nil, fmt.Errorf("wrong checksum of the parts")
	}
	return value, nil
}

// appendItem appends an item's value.
func appendItem(b []byte, item *badger.Item) ([]byte, error) {
	err := item.Value(func(v []byte) error {
		b = append(b, v...)
		return nil
	})
	return b, err
}
