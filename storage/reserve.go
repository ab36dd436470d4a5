package storage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// The reserve is a file of allocated blocks that nobody reads. Opening Badger writes: what memtables hold becomes
// tables, through mappings, and on a full disk that would be a SIGBUS at every start until somebody made room. Then the
// reserve goes first. It is made again when there is room.
const reserveName = "reserve"

// openBytes is what opening the store may write besides what memtables hold: a memtable's first pages, a value log's,
// the lists of files.
const openBytes = 2 << 20

// DiskFullError says that there is too little space to open the store safely.
type DiskFullError struct{ Free, Need int64 } // bytes

func (e *DiskFullError) Error() string {
	return fmt.Sprintf("the disk is full: %d bytes free, %d needed to start; nothing is lost: make room and start again", e.Free, e.Need)
}

// makeRoomToOpen gives up spare segments and the reserve if Badger could not be opened without. Error: *DiskFullError.
func (s *Store) makeRoomToOpen() error {
	need, err := s.spaceToOpen()
	if err != nil {
		return err
	}
	free, err := s.options.FreeSpace(s.dir)
	if err != nil || free >= need {
		return err
	}
	if _, err := s.journal.listSegments(); err != nil { // which removes the spares
		return err
	}
	name := filepath.Join(s.dir, reserveName)
	if info, err := os.Stat(name); err == nil {
		if err := os.Remove(name); err != nil {
			return err
		}
		s.options.logf("the disk of %s is full: %d bytes free; the reserve of %d bytes is given up to be able to start; make room", s.dir, free, info.Size())
		if free, err = s.options.FreeSpace(s.dir); err != nil {
			return err
		}
	}
	if free < need {
		return &DiskFullError{Free: free, Need: need}
	}
	return nil
}

// spaceToOpen returns what opening may write.
func (s *Store) spaceToOpen() (int64, error) {
	memtables, err := filepath.Glob(filepath.Join(s.dir, "badger", "*.mem"))
	if err != nil {
		return 0, err
	}
	need := int64(openBytes)
	for _, name := range memtables {
		var st unix.Stat_t
		if err := unix.Stat(name, &st); err != nil {
			return 0, err
		}
		need += 2 * st.Blocks * 512 // as a table, and once more when tables are merged
	}
	return need, nil
}

// keepReserve makes the reserve if it is missing and there is plenty of room. Without one the store works as well.
func (s *Store) keepReserve() {
	size := s.options.ReserveBytes
	if size < 0 || s.reserved {
		return
	}
	name := filepath.Join(s.dir, reserveName)
	if info, err := os.Stat(name); err == nil && info.Size() == size {
		s.reserved = true
		return
	}
	if free, err := s.options.FreeSpace(s.dir); err != nil || free < s.SpaceLimit()+2*size {
		return
	}
	f, err := osFileSystem{}.open(name, true)
	if err != nil {
		s.options.logf("no reserve: %v", err)
		return
	}
	if err := errors.Join(f.allocate(size), f.Close()); err != nil {
		s.options.logf("no reserve: %v", errors.Join(err, os.Remove(name)))
		return
	}
	s.reserved = true
}
