package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
)

// A backup is: magic(8) | format u32 | sections | crc32c of all before, u32. A section is: kind(1) | number u64 |
// pieces, each u32 length and bytes | u32 zero. Integers are little-endian.
const (
	backupMagic = "WarrenB\n"

	sectionDatabase = 'B' // Badger's own stream
	sectionSegment  = 'J' // a journal segment, up to what was durable
	sectionEnd      = 'E'
)

// Backup writes everything that was durable when it ends, or later than when it began, to w, while the store goes on.
// progress, which may be nil, is told how many bytes were written.
//
// It is consistent: the journal is copied from the first segment that the database might need on, after the database,
// so that it covers whatever the database holds.
func (s *Store) Backup(w io.Writer, progress func(bytes int64)) error {
	s.journal.pin()
	defer s.journal.unpin()
	b := &backupWriter{w: w, sum: crc32.New(castagnoli), progress: progress}
	b.write([]byte(backupMagic))
	b.uint32(formatVersion)
	b.section(sectionDatabase, 0)
	if err := s.backupDatabase(b); err != nil {
		return err
	}
	b.uint32(0)
	for _, segment := range s.journal.durableSegments() {
		b.section(sectionSegment, segment.number)
		if err := s.journal.copySegment(b, segment); err != nil {
			return err
		}
		b.uint32(0)
	}
	b.section(sectionEnd, 0)
	b.uint32(b.sum.Sum32())
	return b.err
}

func (s *Store) backupDatabase(b *backupWriter) error {
	s.iterators.RLock()
	defer s.iterators.RUnlock()
	stream := s.db.NewStream()
	stream.NumGo = 1 // each would read at a moment of its own
	if _, err := stream.Backup(pieces{b}, 0); err != nil {
		return fmt.Errorf("back up the database: %w", err)
	}
	return b.err
}

func (j *journal) copySegment(b *backupWriter, s segment) error {
	f, err := j.fs.open(j.path(segmentName(s.number)), false)
	if err != nil {
		return err
	}
	_, err = io.Copy(pieces{b}, io.NewSectionReader(f, 0, s.size))
	return errors.Join(err, f.Close())
}

// backupWriter writes until the first error, and sums up.
type backupWriter struct {
	w        io.Writer
	sum      hash.Hash32
	n        int64
	progress func(int64)
	err      error
}

func (b *backupWriter) write(p []byte) {
	if b.err != nil {
		return
	}
	_, b.err = b.w.Write(p)
	_, _ = b.sum.Write(p) // never fails
	b.n += int64(len(p))
	if b.progress != nil {
		b.progress(b.n)
	}
}

func (b *backupWriter) uint32(v uint32) { b.write(binary.LittleEndian.AppendUint32(nil, v)) }

func (b *backupWriter) section(kind byte, number uint64) {
	b.write(binary.LittleEndian.AppendUint64([]byte{kind}, number))
}

// pieces writes every slice as a piece of the current section.
type pieces struct{ *backupWriter }

func (p pieces) Write(b []byte) (int, error) {
	if len(b) > 0 {
		p.uint32(uint32(len(b)))
		p.write(b)
	}
	return len(b), p.err
}

// Restore makes the folder dir, which must not exist or be empty, from a backup. Nothing is left of it on an error.
func Restore(r io.Reader, dir string, o Options) (err error) {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("restore to %s: the folder is not empty", dir)
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, lock.release()); err != nil {
			err = errors.Join(fmt.Errorf("restore to %s: %w", dir, err), os.RemoveAll(dir))
		}
	}()
	in := &backupReader{r: r, sum: crc32.New(castagnoli)}
	head := in.read(12)
	if in.err == nil && string(head[:8]) != backupMagic {
		return errors.New("this is not a backup")
	}
	if in.err == nil && binary.LittleEndian.Uint32(head[8:]) != formatVersion {
		return &FormatError{Found: binary.LittleEndian.Uint32(head[8:])}
	}
	for in.err == nil {
		head := in.read(9)
		if in.err != nil {
			break
		}
		switch number := binary.LittleEndian.Uint64(head[1:]); head[0] {
		case sectionDatabase:
			err = restoreDatabase(in, dir, o)
		case sectionSegment:
			err = restoreSegment(in, filepath.Join(dir, "journal"), number)
		case sectionEnd:
			return in.verify()
		default:
			err = fmt.Errorf("section of unknown kind %q", head[0])
		}
		if err != nil {
			return err
		}
	}
	return in.err
}

func restoreDatabase(in *backupReader, dir string, o Options) error {
	s := &Store{dir: dir, options: o.withDefaults(), failed: make(chan struct{})}
	path := filepath.Join(dir, "badger")
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	db, err := badger.Open(s.badgerOptions(path))
	if err != nil {
		return err
	}
	err = db.Load(&sectionReader{in: in}, 4)
	return errors.Join(err, db.Close())
}

func restoreSegment(in *backupReader, dir string, number uint64) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, segmentName(number)))
	if err != nil {
		return err
	}
	_, err = io.Copy(f, &sectionReader{in: in})
	err = errors.Join(err, f.Sync(), f.Close())
	return errors.Join(err, osFileSystem{}.syncDir(dir))
}

// backupReader reads until the first error, and sums up.
type backupReader struct {
	r   io.Reader
	sum hash.Hash32
	err error
}

func (b *backupReader) read(n int) []byte {
	p := make([]byte, n)
	if b.err == nil {
		_, b.err = io.ReadFull(b.r, p)
		_, _ = b.sum.Write(p) // never fails
	}
	return p
}

func (b *backupReader) verify() error {
	want := b.sum.Sum32()
	if got := binary.LittleEndian.Uint32(b.read(4)); b.err == nil && got != want {
		return errors.New("wrong checksum of the backup")
	}
	return b.err
}

// sectionReader reads the pieces of a section.
type sectionReader struct {
	in   *backupReader
	left uint32
	done bool
}

func (s *sectionReader) Read(p []byte) (int, error) {
	if s.left == 0 && !s.done {
		s.left = binary.LittleEndian.Uint32(s.in.read(4))
		s.done = s.left == 0
	}
	if s.in.err != nil {
		return 0, s.in.err
	}
	if s.done {
		return 0, io.EOF
	}
	n := min(len(p), int(s.left))
	copy(p, s.in.read(n))
	s.left -= uint32(n)
	return n, s.in.err
}
