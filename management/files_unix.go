//go:build unix

package management

import (
	"os"
	"syscall"
)

// openFiles returns how many file descriptors are open and how many may be. Where there is no /proc the first is 0.
func openFiles() (open, limit uint64) {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) == nil {
		limit = l.Cur
	}
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return 0, limit
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return 0, limit
	}
	return uint64(len(names) - 1), limit // without dir itself
}
