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
func dropMapped(dir string) {
	dir, err := filepath.Abs(filepath.Join(dir, "badger"))
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
		switch filepath.Ext(line[at:]) {
		case ".vlog", ".sst", ".mem":
			from, to, ok := strings.Cut(line[:strings.IndexByte(line, ' ')], "-")
			start, err1 := strconv.ParseUint(from, 16, 64)
			end, err2 := strconv.ParseUint(to, 16, 64)
			if ok && err1 == nil && err2 == nil {
				// Not MADV_DONTNEED: should Badger have unmapped the file by now, and the runtime have mapped something
				// of its own there, that would be zeroed. MADV_PAGEOUT harms nothing, whatever it meets.
				_, _, _ = unix.Syscall(unix.SYS_MADVISE, uintptr(start), uintptr(end-start), unix.MADV_PAGEOUT)
			}
		}
	}
}
