package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Space returns the free bytes of the disk that the store is on, and how many of them the pager needs to be allowed
// to write. Badger writes through sparse mappings: on a full disk that is a SIGBUS, which nothing can catch, so it
// must not come that far. Publishers have to be stopped well before.
func (s *Store) Space() (free, need int64, err error) {
	free, err = s.options.FreeSpace(s.dir)
	return free, s.spaceFor(s.journalBytes()), err
}

func freeSpace(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", dir, err)
	}
	return int64(st.Bavail) * st.Bsize, nil
}

// spaceFor is what the pager needs while so many bytes are only in the journal.
func (s *Store) spaceFor(journalBytes int64) int64 {
	return 2*journalBytes + 2*s.options.ValueLogBytes + 3*memTableBytes
}

// SpaceLimit is how many bytes should stay free: publishers should wait below it. It is the most that Space ever names
// as needed, with what may still come in while that is noticed.
func (s *Store) SpaceLimit() int64 {
	return s.spaceFor(s.options.JournalMemory+s.options.PendingBytes) + 2*s.options.SegmentBytes
}

// spaceForPager reports whether the pager may write.
func (s *Store) spaceForPager() bool {
	free, need, err := s.Space()
	held := err != nil || free < need
	if held != s.pager.held.Swap(held) && held {
		s.options.logf("the pager waits: %d bytes free, %d needed (%v)", free, need, err)
	}
	return !held
}

// awaitSpace waits until a transaction of so many bytes cannot fill the disk. The pager has looked before it began, but
// others may use the disk too, and what it does is not to be left half done.
func (s *Store) awaitSpace(size int64) error {
	need := 2*size + openBytes
	if s.opened {
		need += 2 * memTableBytes
	}
	for said := false; ; said = true {
		free, err := s.options.FreeSpace(s.dir)
		switch {
		case err == nil && free >= need:
			return nil
		case !s.opened:
			return cmp.Or[error](err, &DiskFullError{Free: free, Need: need})
		case !said:
			s.options.logf("the pager stops where it is: %d bytes free, %d needed (%v)", free, need, err)
		}
		if !s.retryPaging() {
			return errHeld
		}
	}
}

// errHeld ends the pager's work when the store is closed while it waits for space. The journal has everything.
var errHeld = errors.New("closed while waiting for disk space")

// waitPaging waits a moment for space. It returns false when the store is being closed or has failed.
func (s *Store) waitPaging() bool {
	select {
	case <-s.stopPager:
		return false
	case <-s.failed:
		return false
	case <-time.After(noSpaceRetry):
		return true
	}
}

// Room reports whether publishers may go on. They should wait while it is false: too much waits for the disk, or the
// pager is behind.
func (s *Store) Room() bool { return s.RoomUpTo(100) }

// RoomUpTo is Room for what is more urgent than publishers and may go so many percent of the way to where they wait. When
// the disk is too full for the pager nobody goes further than they.
func (s *Store) RoomUpTo(percent int64) bool {
	if s.pager.held.Load() {
		percent = min(percent, 100)
	}
	o := &s.options
	return s.gathering.Load()*100 < o.PendingBytes*percent &&
		int64(s.journal.liveSegments())*100 < int64(o.LiveSegments+1)*percent &&
		s.resident.Load()*100 < (s.pager.evictAt.Load()+o.JournalMemory)*percent
}

// WaitRoom waits until Room is true, ctx ends, or the store fails or is closed. Not between Enter and Leave: a reader of
// a connection calls it before it reads on.
func (s *Store) WaitRoom(ctx context.Context) error {
	if s.Room() {
		return nil
	}
	defer context.AfterFunc(ctx, s.broadcast)()
	s.awaiting.Lock()
	defer s.awaiting.Unlock()
	for !s.Room() {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case s.Err() != nil:
			return s.Err()
		case s.stopped.Load():
			return ErrClosed
		}
		s.committed.Wait()
	}
	return nil
}

// broadcast wakes those who wait for a commit or for room. The lock makes sure that nobody misses it between looking
// and waiting.
func (s *Store) broadcast() {
	s.awaiting.Lock()
	defer s.awaiting.Unlock()
	s.committed.Broadcast()
}
