package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/fb"
)

// checkTables looks for damage in Badger's tables, as far as the store relies on what it does not check itself when it is
// read: all but the blocks that hold nothing but bodies. A key that is another than was written would be a chunk that is
// missed by nobody; and Badger ends the process when it finds a damaged index.
//
// Tables that the manifest does not name are left from a kill, and Badger removes them.
func (s *Store) checkTables(dir string) error {
	name := filepath.Join(dir, badger.ManifestFilename)
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a new database
	}
	if err != nil {
		return err
	}
	defer f.Close()
	manifest, _, err := badger.ReplayManifestFile(f, 0, s.badgerOptions(dir))
	if err != nil {
		return &CorruptError{File: name, Reason: err.Error()}
	}
	for id := range manifest.Tables {
		if err := checkTable(filepath.Join(dir, fmt.Sprintf("%06d.sst", id))); err != nil {
			return err
		}
	}
	return nil
}

// checkTable checks a table, which is: blocks | index | its size u32 | checksum of the index | its size u32. Integers are
// big-endian.
func checkTable(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	sum, end, err := lastSized(f, info.Size())
	if err != nil {
		return &CorruptError{File: name, Offset: end, Reason: err.Error()}
	}
	index, end, err := lastSized(f, end)
	if err == nil && !isSumOf(sum, index) {
		err = errors.New("wrong checksum of the index")
	}
	if err != nil {
		return &CorruptError{File: name, Offset: end, Reason: err.Error()}
	}
	blocks := fb.GetRootAsTableIndex(index, 0)
	var block, next fb.BlockOffset
	n := blocks.OffsetsLength()
	for i := range n {
		blocks.Offsets(&block, i)
		if i > 0 && i < n-1 && isBodyKey(block.KeyBytes()) && blocks.Offsets(&next, i+1) && isBodyKey(next.KeyBytes()) {
			continue
		}
		if err := checkBlock(f, int64(block.Offset()), int64(block.Len())); err != nil {
			return &CorruptError{File: name, Offset: int64(block.Offset()), Reason: err.Error()}
		}
	}
	return nil
}

func isBodyKey(key []byte) bool { return len(key) > 0 && key[0] == prefixChunk }

// checkBlock checks a block, which is: entries | checksum of them | its size u32.
func checkBlock(f *os.File, at, size int64) error {
	b := make([]byte, size)
	if _, err := f.ReadAt(b, at); err != nil {
		return err
	}
	n := uint64(0)
	if size >= 4 {
		n = uint64(binary.BigEndian.Uint32(b[size-4:])) + 4
	}
	if n < 4 || n > uint64(size) {
		return errors.New("malformed block")
	}
	if entries := b[:uint64(size)-n]; !isSumOf(b[len(entries):size-4], entries) {
		return errors.New("wrong checksum of a block")
	}
	return nil
}

// lastSized returns the bytes in front of their size, which ends at end, and where they begin.
func lastSized(f *os.File, end int64) ([]byte, int64, error) {
	var size [4]byte
	if _, err := f.ReadAt(size[:], end-4); err != nil {
		return nil, end, fmt.Errorf("cut: %w", err)
	}
	n := int64(binary.BigEndian.Uint32(size[:]))
	if n > end-4 {
		return nil, end, fmt.Errorf("%d bytes in front of %d", n, end)
	}
	b := make([]byte, n)
	_, err := f.ReadAt(b, end-4-n)
	return b, end - 4 - n, err
}

// isSumOf reports whether sum is the checksum of b: a message of Protocol Buffers of which field 2 is the CRC-32C.
func isSumOf(sum, b []byte) bool {
	want := binary.AppendUvarint([]byte{2 << 3}, uint64(crc32.Checksum(b, castagnoli)))
	return string(sum) == string(want)
}
