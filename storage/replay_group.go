package storage

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"
)

// group returns the valid group at offset at that is the next commit, nil if there is none. It is valid until the
// next call.
func (r *replay) group(s *replaySegment, at, limit int64) ([]byte, error) {
	b, err := r.validGroup(s, at, limit)
	if b == nil || Commit(binary.LittleEndian.Uint64(b[8:])) != r.last+1 {
		return nil, err
	}
	return b, nil
}

// validGroup returns the group at offset at if its checksum is right.
func (r *replay) validGroup(s *replaySegment, at, limit int64) ([]byte, error) {
	if limit-at < groupHeaderBytes {
		return nil, nil
	}
	r.buf = slices.Grow(r.buf[:0], groupHeaderBytes)[:groupHeaderBytes]
	if _, err := s.file.ReadAt(r.buf, at); err != nil {
		return nil, fmt.Errorf("read journal segment %d: %w", s.number, err)
	}
	length := int64(binary.LittleEndian.Uint32(r.buf))
	if length < groupHeaderBytes || length > limit-at {
		return nil, nil
	}
	r.buf = slices.Grow(r.buf[:0], int(length))[:length]
	if _, err := s.file.ReadAt(r.buf, at); err != nil {
		return nil, fmt.Errorf("read journal segment %d: %w", s.number, err)
	}
	if groupChecksum(r.buf, s.header.seed) != binary.LittleEndian.Uint32(r.buf[4:]) {
		return nil, nil
	}
	return r.buf, nil
}

// onward searches behind a place where no group is for one that shows that the missing commit was promised: a later
// group whose synced field covers it. It returns where, 0 if there is none. What a recycled file held before has
// another seed, and lower commits.
func (r *replay) onward(s *replaySegment, at, limit int64) (int64, error) {
	const window = 1 << 20
	le := binary.LittleEndian
	b := make([]byte, window)
	for start := at + 8; start+groupHeaderBytes <= limit; start += window - groupHeaderBytes {
		n := min(window, limit-start)
		if _, err := s.file.ReadAt(b[:n], start); err != nil {
			return 0, fmt.Errorf("read journal segment %d: %w", s.number, err)
		}
		for i := int64(0); i+groupHeaderBytes <= n; i += 8 {
			length := int64(le.Uint32(b[i:]))
			commit, synced := Commit(le.Uint64(b[i+8:])), Commit(le.Uint64(b[i+16:]))
			if length < groupHeaderBytes || length > limit-start-i || commit <= r.last+1 || synced <= r.last || synced >= commit {
				continue
			}
			// No more groups than fit can be in between. Without this, one of a hundred places in random bytes looks
			// like the header of a group of many MiB, all of which would be read.
			if uint64(commit-r.last-1) > uint64(start+i-at)/groupHeaderBytes {
				continue
			}
			if group, err := r.validGroup(s, start+i, limit); group != nil || err != nil {
				return start + i, err
			}
		}
	}
	return 0, nil
}

// commitAt returns the commit of the valid group at offset at.
func (r *replay) commitAt(s *replaySegment, at int64) Commit {
	b := make([]byte, groupHeaderBytes)
	if _, err := s.file.ReadAt(b, at); err != nil {
		return r.last + 1
	}
	return Commit(binary.LittleEndian.Uint64(b[8:]))
}

func (r *replay) apply(i int, at int64, group []byte) error {
	if now := time.Now(); now.Sub(r.reported) >= time.Second {
		if !r.reported.IsZero() {
			r.logf("recovery: segment %d of %d, commit %d", i+1, len(r.segments), r.last)
		}
		r.reported = now
	}
	r.last++
	r.state.commit = r.last
	if err := r.ops.visitOps(group[groupHeaderBytes:], r.state); err != nil {
		if err := r.corrupt(i, at, err.Error()); err != nil {
			return err
		}
	}
	return r.afterGroup()
}
