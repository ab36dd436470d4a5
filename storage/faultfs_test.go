package storage

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

var (
	errCrash = errors.New("the power is cut")
	errSync  = errors.New("sync failed")
)

const sectorBytes = 512

// faultFS keeps files in memory as a disk with a cache would: what was not synced may be lost, sector by sector and
// in any order, when the power is cut. Names that were not synced may be lost too.
type faultFS struct {
	rng   *rand.Rand
	files map[string]*faultFile // what the process sees
	disk  map[string]*faultFile // names that are durable

	countdown int // operations until the power is cut; negative: never
	failSync  bool
	full      bool
}

type faultFile struct {
	fs      *faultFS
	durable []byte
	current []byte
	dirty   map[int64]struct{} // sectors of current that are not durable
}

func newFaultFS(rng *rand.Rand) *faultFS {
	return &faultFS{rng: rng, files: map[string]*faultFile{}, disk: map[string]*faultFile{}, countdown: -1}
}

// step counts an operation; it fails once the power is cut.
func (f *faultFS) step() error {
	if f.countdown == 0 {
		return errCrash
	}
	if f.countdown > 0 {
		f.countdown--
	}
	return nil
}

// crash returns the disk as it is found afterwards. A killed process loses nothing that it has written; a power cut
// loses any part of what was not synced.
func (f *faultFS) crash(powerCut bool) *faultFS {
	after := newFaultFS(f.rng)
	names := f.files
	if powerCut && f.rng.IntN(2) == 0 {
		names = f.disk
	}
	for name, file := range names {
		content := slices.Clone(file.current)
		if powerCut {
			content = file.afterPowerCut(f.rng)
		}
		copied := &faultFile{fs: after, durable: content, current: slices.Clone(content), dirty: map[int64]struct{}{}}
		after.files[name], after.disk[name] = copied, copied
	}
	return after
}

func (f *faultFile) afterPowerCut(rng *rand.Rand) []byte {
	content := make([]byte, len(f.current))
	copy(content, f.durable)
	lost := rng.IntN(4) // none, some, most or all of what was not synced
	for _, sector := range slices.Sorted(maps.Keys(f.dirty)) {
		if rng.IntN(3) >= lost {
			at := sector * sectorBytes
			end := min(at+sectorBytes, int64(len(content)))
			copy(content[at:end], f.current[at:end])
		}
	}
	return content
}

func (f *faultFS) open(name string, create bool) (file, error) {
	if err := f.step(); err != nil {
		return nil, err
	}
	if !create {
		if file := f.files[name]; file != nil {
			return file, nil
		}
		return nil, fs.ErrNotExist
	}
	file := &faultFile{fs: f, dirty: map[int64]struct{}{}}
	f.files[name] = file
	return file, nil
}

func (f *faultFS) rename(from, to string) error {
	if err := f.step(); err != nil {
		return err
	}
	f.files[to] = f.files[from]
	delete(f.files, from)
	return nil
}

func (f *faultFS) remove(name string) error {
	if err := f.step(); err != nil {
		return err
	}
	delete(f.files, name)
	return nil
}

func (f *faultFS) list(dir string) (names []string, err error) {
	for name := range f.files {
		if filepath.Dir(name) == dir {
			names = append(names, filepath.Base(name))
		}
	}
	return names, f.step()
}

func (f *faultFS) syncDir(string) error {
	if err := f.step(); err != nil {
		return err
	}
	f.disk = maps.Clone(f.files)
	return nil
}

func (f *faultFile) ReadAt(b []byte, at int64) (int, error) {
	if at >= int64(len(f.current)) {
		return 0, io.EOF
	}
	n := copy(b, f.current[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt writes all, or, when the power is cut in between, a part.
func (f *faultFile) WriteAt(b []byte, at int64) (int, error) {
	err := f.fs.step()
	if err != nil {
		b = b[:f.fs.rng.IntN(len(b)+1)]
	}
	if need := int(at) + len(b); need > len(f.current) {
		f.current = append(f.current, make([]byte, need-len(f.current))...)
	}
	copy(f.current[at:], b)
	for sector := at / sectorBytes; sector*sectorBytes < at+int64(len(b)); sector++ {
		f.dirty[sector] = struct{}{}
	}
	return len(b), err
}

func (f *faultFile) sync() error {
	if err := f.fs.step(); err != nil {
		return err
	}
	if f.fs.failSync {
		return errSync
	}
	f.durable = append(f.durable[:0], f.current...)
	clear(f.dirty)
	return nil
}

func (f *faultFile) allocate(size int64) error {
	if err := f.fs.step(); err != nil {
		return err
	}
	if f.fs.full {
		return unix.ENOSPC
	}
	if int(size) > len(f.current) {
		f.current = append(f.current, make([]byte, int(size)-len(f.current))...)
		f.durable = append(f.durable, make([]byte, int(size)-len(f.durable))...)
	}
	return nil
}

func (f *faultFile) size() (int64, error) { return int64(len(f.current)), nil }
func (f *faultFile) direct()              {}
func (f *faultFile) Close() error         { return nil }
