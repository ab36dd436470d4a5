package storage

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// pager is the one goroutine that writes to Badger. It works from the durable side alone, so nothing reaches Badger
// before the commit that caused it is on disk.
type pager struct {
	wake      chan struct{}
	held      atomic.Bool // the disk is too full to write
	lastFlush time.Time
	looks     uint32    // how often lookAnew was called
	looked    time.Time // when that was last
	// evictAt is how much memory chunks must take for evict to be worth its while: Options.MemoryBytes, more while that
	// much is in use and cannot be let go.
	evictAt   atomic.Int64
	collected time.Time
	deadBytes int64       // of values deleted since the last value-log GC
	unmap     atomic.Bool // the reader has brought much into memory
	mapped    int         // bytes of values written since mapped pages were last given back
	swept     bool        // what an earlier run left has been looked for

	mu       sync.Mutex
	discards []discard
}

func (s *Store) wakePager() {
	select {
	case s.pager.wake <- struct{}{}:
	default:
	}
}

// runPager moves, flushes, retires and evicts until the store closes or fails.
func (s *Store) runPager() {
	tick := time.NewTicker(s.options.FlushEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.pager.wake:
		case <-tick.C:
		case <-s.stopPager:
			return
		case <-s.failed:
			return
		}
		if err := s.pageOnce(time.Now()); err != nil && s.Err() == nil && !errors.Is(err, errHeld) {
			s.options.logf("the pager failed: %v", err)
			s.fail(err)
		}
		s.broadcast()
	}
}

// pageOnce does what is due.
func (s *Store) pageOnce(now time.Time) error {
	if s.pager.unmap.Swap(false) {
		s.dropMapped()
	}
	if !s.spaceForPager() {
		return nil
	}
	if s.journal.liveSegments() > s.options.retireAt() {
		if err := s.retire(); err != nil {
			return fmt.Errorf("checkpoint: %w", err)
		}
		s.pager.lastFlush = now
	}
	if err := s.moveOverBudget(); err != nil {
		return fmt.Errorf("move chunks to the database: %w", err)
	}
	if now.Sub(s.pager.lastFlush) >= s.options.FlushEvery {
		s.pager.lastFlush = now
		if err := s.flushLogs(false); err != nil {
			return fmt.Errorf("flush marks: %w", err)
		}
		if err := s.tidy(now); err != nil {
			return err
		}
	}
	if now.Sub(s.pager.looked) >= s.options.FlushEvery {
		s.lookAnew(now)
	}
	if err := s.evict(); err != nil {
		return fmt.Errorf("page out: %w", err)
	}
	return nil
}

// tidy gives space back.
func (s *Store) tidy(now time.Time) error {
	if !s.pager.swept {
		if err := s.sweep(); err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
		s.pager.swept = true
		s.pager.deadBytes += s.valueLogDead() // as far as an earlier run left it
	}
	s.keepReserve()
	if err := s.flushDiscards(); err != nil {
		return fmt.Errorf("delete paged-out chunks: %w", err)
	}
	if err := s.rewriteSparse(); err != nil {
		return fmt.Errorf("rewrite sparse chunks: %w", err)
	}
	if !s.collectDue(now) {
		return nil
	}
	s.pager.collected = now
	return s.collect()
}

// moveOverBudget moves the oldest chunks to Badger while those that are only in the journal pin more memory than
// allowed.
func (s *Store) moveOverBudget() error {
	for {
		over := s.journalBytes() - s.options.JournalMemory
		if over <= 0 || s.Err() != nil {
			return s.Err()
		}
		// A quarter more than needed, so that the next group does not make it start again.
		moved, err := s.move(func(c *durableChunk) bool {
			more := over > -s.options.JournalMemory/4
			over -= int64(cap(c.data))
			return more
		})
		if err != nil || moved == 0 {
			return err
		}
	}
}

func (s *Store) journalBytes() int64 {
	s.durable.mu.Lock()
	defer s.durable.mu.Unlock()
	return s.durable.journalBytes
}

// retire makes a checkpoint: after it, no segment but the active one is needed.
func (s *Store) retire() error {
	active, commit := s.journal.activeNumber(), s.Durable()
	if active == 0 {
		return nil // nothing was ever written
	}
	for {
		moved, err := s.move(func(c *durableChunk) bool { return c.segment < active })
		if err != nil {
			return err
		}
		if moved == 0 {
			break
		}
	}
	if err := s.flushLogs(true); err != nil {
		return err
	}
	return s.writeCheckpoint(active, commit)
}

// writeCheckpoint names firstLive as the segment where recovery begins, and retires those before it. Every effect
// of every op in them is in Badger.
func (s *Store) writeCheckpoint(firstLive uint64, commit Commit) error {
	if err := s.flushTable(); err != nil {
		return err
	}
	next := s.checkpoint
	s.durable.mu.Lock()
	next.nextLog = s.durable.nextLog
	s.durable.mu.Unlock()
	next.commit, next.firstLive = commit, firstLive
	w := s.newWriter()
	key := []byte{prefixState}
	if err := w.set(key, next.encode(key)); err != nil {
		return err
	}
	if err := w.flush(); err != nil {
		return err
	}
	s.checkpoint = next
	err := s.journal.retire(firstLive)
	s.dropMapped()
	return err
}

// rest is called when the store is closed, by then the only one who works on it: all that is only in the journal moves to
// Badger, and a segment is begun that holds nothing. So the next start has nothing to replay. On a full disk it is left to
// that start.
func (s *Store) rest() error {
	if s.journal.file == nil || !s.spaceForPager() {
		return nil
	}
	s.manual = true // nobody else commits any more
	for {
		moved, err := s.move(func(*durableChunk) bool { return true })
		if err != nil {
			return fmt.Errorf("move chunks to the database: %w", err)
		}
		if moved == 0 {
			break
		}
	}
	if err := s.flushLogs(true); err != nil {
		return fmt.Errorf("flush marks: %w", err)
	}
	if err := s.journal.rollToRest(); err != nil {
		return err
	}
	if err := s.writeCheckpoint(s.journal.active.number, s.Durable()); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}
