package storage

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// fileSystem is what the journal needs of the operating system; tests put one with faults in its place.
type fileSystem interface {
	open(name string, create bool) (file, error)
	rename(from, to string) error
	remove(name string) error
	list(dir string) ([]string, error)
	syncDir(dir string) error // makes names in the folder durable
}

type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	sync() error               // fdatasync
	allocate(size int64) error // reserves blocks, so that later writes cannot run out of space
	size() (int64, error)
	direct() // from now on whole blocks are written, past the page cache if the system can
}

type osFileSystem struct{}

type osFile struct{ *os.File }

func (osFileSystem) open(name string, create bool) (file, error) {
	flag := os.O_RDWR
	if create {
		flag |= os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(name, flag, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osFileSystem) rename(from, to string) error { return os.Rename(from, to) }
func (osFileSystem) remove(name string) error     { return os.Remove(name) }

func (osFileSystem) list(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

func (osFileSystem) syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (f osFile) sync() error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); err != unix.EINTR {
			return err
		}
	}
}

func (f osFile) allocate(size int64) error {
	for {
		err := unix.Fallocate(int(f.Fd()), 0, 0, size)
		switch err {
		case unix.EINTR:
			continue
		case unix.EOPNOTSUPP: // a file system without it: the blocks are reserved by writing them
			return f.fill(size)
		}
		return err
	}
}

func (f osFile) fill(size int64) error {
	zeros := make([]byte, 1<<20)
	for at := int64(0); at < size; at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), size-at)], at); err != nil {
			return err
		}
	}
	return nil
}

// direct saves the copy into the page cache and the work of writing that back, which for large groups is more than half
// of what the system does for them.
func (f osFile) direct() { f.setDirect(unix.O_DIRECT) }

func (f osFile) setDirect(flag int) {
	if flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0); err == nil {
		_, _ = unix.FcntlInt(f.Fd(), unix.F_SETFL, flags&^unix.O_DIRECT|flag) // where it fails the page cache serves
	}
}

// WriteAt writes through the page cache after all if the file system wants another alignment for direct writes.
func (f osFile) WriteAt(b []byte, at int64) (int, error) {
	n, err := f.File.WriteAt(b, at)
	if err != nil && n == 0 && errors.Is(err, unix.EINVAL) {
		f.setDirect(0)
		n, err = f.File.WriteAt(b, at)
	}
	return n, err
}

func (f osFile) size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func isNoSpace(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }
