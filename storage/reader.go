package storage

import (
	"errors"
	"fmt"
	"sync"

	"github.com/dgraph-io/badger/v4"
)

// readRequest asks for a chunk that is on disk.
type readRequest struct {
	log       *Log
	first     uint64
	count     int
	stored    bool
	pageParts int
	transient []uint64 // which records the 'x' value holds
}

// reader is the goroutine that reads chunks back, and that calls owners of logs who wait. It never holds a lock while
// it does either.
type reader struct {
	mu       sync.Mutex
	requests []readRequest
	ready    []*Log // to be called
	marks    []markWait
	wake     chan struct{}

	reads   int // since mapped pages were last given back
	records [][]byte
	value   []byte // buffers, kept unless they are large
	page    []byte
}

// markWait is a log that waits for its delivered-up-to mark.
type markWait struct {
	log    *Log
	commit Commit
}

func (r *reader) add(q readRequest) {
	r.mu.Lock()
	r.requests = append(r.requests, q)
	r.mu.Unlock()
	r.signal()
}

func (r *reader) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// awaitMark has l called when commit is durable.
func (s *Store) awaitMark(l *Log, commit Commit) {
	s.reader.mu.Lock()
	s.reader.marks = append(s.reader.marks, markWait{l, commit})
	s.reader.mu.Unlock()
	s.Want(commit)
	s.reader.signal()
}

func (r *reader) waits() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.marks) > 0
}

// next takes everything that is to be done.
func (r *reader) next(durable Commit) (requests []readRequest, ready []*Log) {
	r.mu.Lock()
	defer r.mu.Unlock()
	requests, ready = r.requests, r.ready
	r.requests, r.ready = nil, nil
	rest := r.marks[:0]
	for _, m := range r.marks {
		if m.commit <= durable {
			ready = append(ready, m.log)
		} else {
			rest = append(rest, m)
		}
	}
	r.marks = rest
	return requests, ready
}

// runReader serves until the store closes.
func (s *Store) runReader() {
	for {
		select {
		case <-s.reader.wake:
			s.readOnce()
		case <-s.stopPager:
			return
		}
	}
}

// readOnce does what waits for the reader.
func (s *Store) readOnce() {
	requests, ready := s.reader.next(s.Durable())
	for _, q := range requests {
		c, err := s.load(&q)
		if err != nil {
			if s.Err() != nil {
				return
			}
			s.loseChunk(&q, err)
		}
		q.log.arrive(arrival{q.first, q.count, c})
		q.log.wake()
		if s.reader.reads++; s.reader.reads%64 == 0 {
			s.pager.unmap.Store(true)
			s.wakePager()
		}
	}
	for _, l := range ready {
		l.wake()
	}
	if s.resident.Load() > s.pager.evictAt.Load() {
		s.wakePager()
	}
}

// loseChunk notes that a chunk cannot be read. The queue goes on without it.
func (s *Store) loseChunk(q *readRequest, err error) {
	s.lostChunks.Add(1)
	s.options.logf("records %d to %d of log %d cannot be read and are lost: %v",
		q.first, q.first+uint64(q.count)-1, q.log.id, err)
}

// load reads a chunk. Records that nobody can want any more stay empty.
func (s *Store) load(q *readRequest) (*chunk, error) {
	r := &s.reader
	if cap(r.value)+cap(r.page) > 4*maxChunkBytes {
		r.value, r.page = nil, nil
	}
	r.records = append(r.records[:0], make([][]byte, q.count)...)
	transient := make([]bool, q.count)
	if q.stored {
		if err := s.loadStored(q); err != nil {
			return nil, err
		}
	}
	if q.transient != nil {
		key := chunkKey(prefixPagedOut, q.log.id, q.first, 0)
		value, err := s.readValue(r.page[:0], prefixPagedOut, q.log.id, q.first, 0, q.pageParts, 0)
		if r.page = value; err != nil {
			return nil, err
		}
		if err := decodeValue(value, key, q.transient, func(i int, record []byte) {
			r.records[i], transient[i] = record, true
		}); err != nil {
			return nil, err
		}
	}
	size := 0
	for _, record := range r.records {
		size += len(record)
	}
	c := takeChunk(q.first, size, &s.resident)
	for i, record := range r.records {
		flag := uint32(0)
		if transient[i] {
			flag = transientBit
		}
		copy(c.append(len(record), flag), record)
	}
	clear(r.records)
	return c, nil
}

// loadStored reads the part of a chunk that is durable. It is in one value, but the pager may rewrite that meanwhile,
// together with others.
func (s *Store) loadStored(q *readRequest) error {
	buf, end := s.reader.value[:0], q.first+uint64(q.count)
	for at := q.first; ; {
		c, ok := s.storedFrom(q.log.state, at, end)
		if !ok {
			return nil // all of it is gone
		}
		value, err := s.readChunk(buf, &c, func(seq uint64, record []byte) {
			if seq >= q.first && seq < end {
				s.reader.records[seq-q.first] = record
			}
		})
		switch {
		case err == nil:
			s.reader.value, buf, at = value, nil, c.first+uint64(c.count)
		case s.ownsBody(c.log, c.first, c.part):
			return err
		}
	}
}

// storedFrom returns the first stored chunk that holds a live record of those from seq up to end.
func (s *Store) storedFrom(l *durableLog, seq, end uint64) (c storedChunk, ok bool) {
	d := s.durable
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, found := range l.chunks.after(seq) {
		if found.first >= end {
			break
		}
		if found.stored {
			return found.asStored(), true
		}
	}
	return c, false
}

// readValue reads all parts of a value. Badger answers some errors with an empty value and none, and a file may be
// removed by value-log GC between two steps: the length is checked, and a second transaction tries again. The value is
// appended to buf, which is empty.
func (s *Store) readValue(buf []byte, prefix byte, id LogID, first uint64, part, parts, bytes int) (value []byte, err error) {
	end := part + parts
	for range 2 {
		value = buf
		err = s.db.View(func(txn *badger.Txn) error {
			for part := part; part < end; part++ {
				item, err := txn.Get(chunkKey(prefix, id, first, part))
				if err != nil {
					return fmt.Errorf("part %d: %w", part, err)
				}
				before := len(value)
				if value, err = appendItem(value, item); err != nil {
					return fmt.Errorf("part %d: %w", part, err)
				}
				if len(value) == before {
					return errors.New("the value log has nothing there")
				}
			}
			return nil
		})
		if err == nil && bytes > 0 && len(value) != bytes {
			err = fmt.Errorf("%d bytes where %d were written", len(value), bytes)
		}
		if err == nil {
			return value, nil
		}
	}
	return buf, err
}
