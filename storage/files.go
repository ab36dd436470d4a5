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

func (f osFile) size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func isNoSpace(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }
