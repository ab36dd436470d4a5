package storage

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// journal is the folder of segments. The committer is the only one who appends; the pager retires segments and
// makes spares of them, under mu.
type journal struct {
	fs    fileSystem
	dir   string
	sizes journalSizes
	store uint64

	// Owned by the committer.
	active segment
	file   file
	seed   uint32
	end    int64  // where the next group goes
	head   []byte // what the block that end lies in holds before it
	last   Commit // the last one written
	grown  int    // segments begun since the store was opened

	// written, if there is one, is called when a group is in the file and not yet synced.
	written func(Commit)

	mu     sync.Mutex
	live   []segment // in order, the active one last
	spares []segment // files to be used again; number is part of their name only
	pinned int       // backups that copy segments: none is recycled
	needed uint64    // recovery begins here; live segments before it are kept for backups
	synced int64     // how much of the active segment is durable
}

type journalSizes struct {
	segment int64 // regular size
	first   int64 // size of the first segment begun after opening; doubles up to segment
	spares  int   // files kept for reuse
}

type segment struct {
	number uint64
	size   int64
}

func (j *journal) path(name string) string { return filepath.Join(j.dir, name) }

// append writes a group, which has a header but no checksum yet, and syncs it. buf is the memory that it may lie in. A
// new segment is begun if the group does not fit. On an error nothing is promised; only one for which isNoSpace is true
// may be tried again.
//
// Whole blocks are written, so the last one of the group before is written again as it is. A device that tears a write
// keeps each sector as it was or as it becomes: what was promised is the same in both.
func (j *journal) append(buf *groupBuffer, group []byte, commit, synced Commit) error {
	if need := int64(len(group)+7) &^ 7; j.file == nil || j.end+need > j.active.size {
		if err := j.roll(need); err != nil {
			return err
		}
	}
	group = endGroup(group, j.seed, commit, synced)
	blocks := buf.blocks(j.head, group)
	if _, err := j.file.WriteAt(blocks, j.end-int64(len(j.head))); err != nil {
		return &writeError{fmt.Errorf("write journal: %w", err)}
	}
	if j.written != nil {
		j.written(commit)
	}
	if err := j.file.sync(); err != nil {
		return &writeError{fmt.Errorf("sync journal: %w", err)}
	}
	used := len(j.head) + len(group)
	j.head = append(j.head[:0], blocks[used&^(blockBytes-1):used]...)
	j.end += int64(len(group))
	j.last = commit
	j.mu.Lock()
	j.synced = j.end
	j.mu.Unlock()
	return nil
}

// writeError is one after which the state of the file is unknown: the store is poisoned, never tried again.
type writeError struct{ err error }

func (e *writeError) Error() string { return e.err.Error() }
func (e *writeError) Unwrap() error { return e.err }

// roll begins a new segment with room for need bytes.
func (j *journal) roll(need int64) error {
	return j.begin(max(min(j.sizes.first<<min(j.grown, 20), j.sizes.segment), wholeBlocks(segmentHeaderBytes+need)))
}

// rollToRest begins a segment with room for no more than the group that ends the journal. It takes no spare: what that
// held before would have to be looked through at the next start, which makes its own.
func (j *journal) rollToRest() error {
	j.mu.Lock()
	j.spares = nil
	j.mu.Unlock()
	return j.begin(segmentHeaderBytes + blockBytes)
}

// begin begins a new segment. The old one was synced with its last group.
func (j *journal) begin(size int64) error {
	number := j.active.number + 1
	header := segmentHeader{
		format: formatVersion, seed: newSeed(), store: j.store, number: number, before: j.last,
		prevEnd: uint64(j.end), live: j.firstLive(number),
	}
	f, spare, size, err := j.spare(size)
	if err != nil {
		return fmt.Errorf("begin journal segment %d: %w", number, err)
	}
	f.direct()
	_, err = f.WriteAt(header.encode(), 0)
	if err == nil {
		err = f.sync()
	}
	if err == nil {
		err = j.fs.rename(j.path(spare), j.path(segmentName(number)))
	}
	if err == nil {
		err = j.fs.syncDir(j.dir)
	}
	if err != nil {
		return &writeError{errors.Join(fmt.Errorf("begin journal segment %d: %w", number, err), f.Close())}
	}
	if j.file != nil {
		if err := j.file.Close(); err != nil {
			return &writeError{errors.Join(err, f.Close())}
		}
	}
	j.file, j.seed, j.end, j.head = f, header.seed, segmentHeaderBytes, j.head[:0]
	j.active = segment{number, size}
	j.grown++
	j.mu.Lock()
	j.live = append(j.live, j.active)
	j.synced = j.end
	j.mu.Unlock()
	return nil
}

func (j *journal) firstLive(otherwise uint64) uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.live) == 0 {
		return otherwise
	}
	return j.live[0].number
}

// spare returns an open file of at least size bytes, all of them allocated, and its name.
func (j *journal) spare(size int64) (f file, name string, got int64, err error) {
	j.mu.Lock()
	i := slices.IndexFunc(j.spares, func(s segment) bool { return s.size >= size })
	var s segment
	if i >= 0 {
		s = j.spares[i]
		j.spares = slices.Delete(j.spares, i, i+1)
	}
	j.mu.Unlock()
	if i >= 0 {
		name = spareName(s.number)
		if f, err = j.fs.open(j.path(name), false); err == nil {
			return f, name, s.size, nil
		}
	}
	name = "new" + spareSuffix
	if f, err = j.fs.open(j.path(name), true); err != nil {
		return nil, "", 0, err
	}
	if err := f.allocate(size); err != nil {
		return nil, "", 0, errors.Join(err, f.Close(), j.fs.remove(j.path(name)))
	}
	return f, name, size, nil
}

func spareName(number uint64) string { return fmt.Sprintf("%016x%s", number, spareSuffix) }

// newSeed returns a checksum seed that no earlier segment had.
func newSeed() uint32 {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint32(b[:])
}

// retire gives up the segments before number, whose every effect is stored elsewhere.
func (j *journal) retire(before uint64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.needed = before
	var err error
	for len(j.live) > 1 && j.live[0].number < before && j.pinned == 0 {
		s := j.live[0]
		if len(j.spares) < j.sizes.spares && s.size == j.sizes.segment {
			err = errors.Join(err, j.fs.rename(j.path(segmentName(s.number)), j.path(spareName(s.number))))
			j.spares = append(j.spares, s)
		} else {
			err = errors.Join(err, j.fs.remove(j.path(segmentName(s.number))))
		}
		j.live = j.live[1:]
	}
	return err
}

// liveSegments returns how many segments a recovery would read.
func (j *journal) liveSegments() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for _, s := range j.live {
		if s.number >= j.needed {
			n++
		}
	}
	return n
}

// pin keeps every live segment until unpin.
func (j *journal) pin() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.pinned++
}

func (j *journal) unpin() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.pinned--
}

// durableSegments returns the live segments with how much of them is durable and to be copied.
func (j *journal) durableSegments() []segment {
	j.mu.Lock()
	defer j.mu.Unlock()
	segments := slices.Clone(j.live)
	if n := len(segments); n > 0 && j.synced > 0 {
		segments[n-1].size = j.synced
	}
	return segments
}

// activeNumber returns the segment that is appended to.
func (j *journal) activeNumber() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.live) == 0 {
		return 0
	}
	return j.live[len(j.live)-1].number
}

func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	f := j.file
	j.file = nil
	return f.Close()
}

func isSpare(name string) bool { return strings.HasSuffix(name, spareSuffix) }
