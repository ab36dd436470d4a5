package storage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// folderLock is held while a store is open. The kernel frees it with the process, however that ends.
type folderLock struct{ file *os.File }

// lockFolder makes the folder and locks it for this process.
func lockFolder(dir string) (*folderLock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "warren.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := flock(f, dir); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	// Always as long, so that on a full disk it is written where the last one was.
	if _, err := f.WriteAt(fmt.Appendf(nil, "%-*d\n", pidBytes-1, os.Getpid()), 0); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &folderLock{f}, nil
}

const pidBytes = 20

// flock takes the lock. If the process that is written in the file is dead, the kernel is about to free it: a busy
// machine takes a moment for that.
func flock(f *os.File, dir string) error {
	for deadline := time.Now().Add(deadHolderWait); ; time.Sleep(10 * time.Millisecond) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err != unix.EWOULDBLOCK {
			return err
		}
		b := make([]byte, pidBytes)
		n, _ := f.ReadAt(b, 0) // without it the error just names no process
		pid, _ := strconv.Atoi(strings.TrimSpace(string(b[:n])))
		if pid == 0 || unix.Kill(pid, 0) != unix.ESRCH || time.Now().After(deadline) {
			return &LockedError{Dir: dir, PID: pid}
		}
	}
}

const deadHolderWait = 3 * time.Second

func (l *folderLock) release() error { return l.file.Close() }
