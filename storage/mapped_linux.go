package storage

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// dropMapped gives back the pages of Badger's mapped files that are in memory: they count as the process's though
// the page cache would do. Best effort; the mappings stay valid, and shared, so nothing that was written is lost.
//
// MADV_DONTNEED would zero what the runtime may have mapped where a file has just been unmapped. So it is used for
// value logs alone: those are mapped and unmapped only in writes and value-log GC, which are the pager's, who calls
// this, and when an iterator is closed, which the lock keeps away. Memtables and tables come and go in Badger's own
// goroutines; MADV_PAGEOUT harms nothing, whatever it meets, but costs reading again from the disk.
func (s *Store) dropMapped() {
	if !s.iterators.TryLock() {
		return
	}
	defer s.iterators.Unlock()
	dir, err := filepath.Abs(filepath.Join(s.dir, "badger"))
	if err != nil {
		return
	}
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		at := strings.Index(line, dir+"/")
		if at < 0 {
			continue
		}
		from, to, ok := strings.Cut(line[:strings.IndexByte(line, ' ')], "-")
		start, err1 := strconv.ParseUint(from, 16, 64)
		end, err2 := strconv.ParseUint(to, 16, 64)
		if !ok || err1 != nil || err2 != nil {
			continue
		}
		advice := unix.MADV_PAGEOUT
		if filepath.Ext(line[at:]) == ".vlog" {
			advice = unix.MADV_DONTNEED
		}
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, uintptr(start), uintptr(end-start), uintptr(advice))
	}
}
