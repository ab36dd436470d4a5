package storage

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"
	"golang.org/x/sys/unix"
)

const (
	// collectEvery is how long dead values may wait when they are much beside what is live, though little in themselves.
	collectEvery = 30 * time.Second

	// collectTime bounds one run: the journal needs the pager too.
	collectTime = time.Second
)

// collectDue reports whether so much is dead that the value log should be cleaned: much in itself, or, now and then, an
// eighth of what is live.
func (s *Store) collectDue(now time.Time) bool {
	s.durable.mu.Lock()
	live := s.durable.storedBytes
	s.durable.mu.Unlock()
	dead := s.pager.deadBytes
	return dead >= s.options.CollectBytes ||
		dead > live/8 && dead > s.options.CollectBytes/16 && now.Sub(s.pager.collected) >= collectEvery
}

// collect gives the space of dead chunks back. Badger knows which of its value logs hold dead values only after a
// compaction, so a flush is forced first: a key under a prefix of its own is written and the prefix dropped. Other
// writers would get ErrBlockedWrites meanwhile; there are none.
//
// Files of which half is dead are always rewritten. If too much is dead all the same, so are those that are mostly live:
// together with rewriteSparse that keeps the disk use below one and a half times what is live.
func (s *Store) collect() error {
	s.pager.deadBytes = 0
	w := s.newWriter()
	if err := w.set([]byte{prefixFlush}, []byte{0}); err != nil {
		return err
	}
	if err := w.flush(); err != nil {
		return err
	}
	if err := s.db.DropPrefix([]byte{prefixFlush}); err != nil {
		return fmt.Errorf("flush the database: %w", err)
	}
	began := time.Now()
	for _, ratio := range [...]float64{0.5, 0.25, 0.12} {
		for ratio == 0.5 || s.valueLogDead() > s.storedLarge()/8 {
			if time.Since(began) >= collectTime || !s.spaceForPager() {
				s.pager.deadBytes = s.options.CollectBytes // there is more to do; next time
				return nil
			}
			if s.pager.unmap.Swap(false) {
				s.dropMapped() // a drain goes on meanwhile
			}
			err := s.db.RunValueLogGC(ratio)
			if errors.Is(err, badger.ErrNoRewrite) || errors.Is(err, badger.ErrRejected) {
				break
			}
			if err != nil {
				return fmt.Errorf("value-log GC: %w", err)
			}
		}
	}
	return nil
}

func (s *Store) storedLarge() int64 {
	s.durable.mu.Lock()
	defer s.durable.mu.Unlock()
	return s.durable.storedLarge
}

// valueLogDead returns about how many bytes of the value logs that are full, which are all but the last, are dead.
func (s *Store) valueLogDead() int64 {
	logs, err := filepath.Glob(filepath.Join(s.dir, "badger", "*.vlog"))
	if err != nil || len(logs) == 0 {
		return 0
	}
	slices.Sort(logs)
	size := int64(0)
	for _, name := range logs[:len(logs)-1] {
		var st unix.Stat_t
		if unix.Stat(name, &st) == nil {
			size += st.Blocks * 512
		}
	}
	return max(size-s.storedLarge(), 0)
}
