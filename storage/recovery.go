package storage

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// recover brings the durable side to the last durable commit and builds the logs from it.
func (s *Store) recover() error {
	if err := s.openDatabase(); err != nil {
		return err
	}
	d := s.durable
	first := s.checkpoint.firstLive
	ops := &replayOps{durableState: d, chunkBytes: int(newLog(s.options).chunkBytes), meter: &s.resident}
	r := &replay{journal: s.journal, state: ops, salvage: s.options.Salvage, logf: s.options.logf}
	r.afterGroup = func() error { return s.spill(ops) }
	if err := r.run(first, s.checkpoint.commit); err != nil {
		return err
	}
	for _, l := range d.logs {
		ops.closeFilling(l)
	}
	s.lost = append(s.lost, r.lost...)
	s.number = r.last + 1
	s.durableTo.Store(uint64(r.last))
	d.commit = r.last
	s.nextLog.Store(uint64(d.nextLog))
	s.buildLogs()
	return nil
}

// replay reads the journal and applies it.
type replay struct {
	journal    *journal
	state      *replayOps
	salvage    bool
	logf       func(string, ...any)
	afterGroup func() error // keeps the memory within its budget

	segments []replaySegment
	last     Commit
	known    Commit // the checkpoint covers it, so it was promised
	ops      opReader
	reported time.Time // when progress was last told
	lost     []string
	buf      []byte
}

type replaySegment struct {
	segment
	header segmentHeader
	file   file
	end    int64 // where its groups end; known before they are read, but for the last one
	open   bool  // or, when salvaging, for those before a segment that is lost
	lost   bool  // when salvaging: nothing can be read of it
}

// run replays the segments from number first on (1: perhaps a new store). known is the last commit that the checkpoint
// covers.
func (r *replay) run(first uint64, known Commit) error {
	defer r.close()
	r.known = known
	if err := r.openSegments(first); err != nil {
		return err
	}
	if len(r.segments) == 0 {
		if first > 1 { // all are lost: numbers go on
			r.last, r.journal.active.number, r.journal.last = known, first, known
		}
		return nil
	}
	r.last = r.segments[0].header.before
	// What is only in the page cache becomes a promise now, before anything that follows from it is done.
	for i := range r.segments {
		if err := r.segments[i].file.sync(); err != nil {
			return fmt.Errorf("sync journal: %w", err)
		}
	}
	if err := r.journal.fs.syncDir(r.journal.dir); err != nil {
		return fmt.Errorf("sync journal: %w", err)
	}
	for i := range r.segments {
		if err := r.segment(i); err != nil {
			return err
		}
	}
	r.last = max(r.last, known)
	r.adopt()
	return nil
}

func (r *replay) close() {
	for i := range r.segments {
		_ = r.segments[i].file.Close() // only read and synced
	}
}

// adopt makes the segments that were read the journal's live ones. The next group begins a new segment, whose
// header records where the last one was cut.
func (r *replay) adopt() {
	j := r.journal
	last := r.segments[len(r.segments)-1]
	for _, s := range r.segments {
		j.live = append(j.live, s.segment)
	}
	j.active, j.end, j.last = last.segment, last.end, r.last
	j.synced = last.end
}

// openSegments reads the headers. Files before first are left from a retirement that was cut short.
func (r *replay) openSegments(first uint64) error {
	j := r.journal
	numbers, err := j.listSegments()
	if err != nil {
		return err
	}
	for len(numbers) > 0 && numbers[0] < first {
		if err := j.fs.remove(j.path(segmentName(numbers[0]))); err != nil {
			return err
		}
		numbers = numbers[1:]
	}
	if len(numbers) == 0 && first == 1 {
		return nil // nothing was ever written
	}
	if len(numbers) == 0 || numbers[0] != first {
		if err := r.losing(first, "the first live journal segment is missing"); err != nil {
			return err
		}
	}
	for i, number := range numbers {
		if err := r.openSegment(number); err != nil {
			return err
		}
		s := &r.segments[i]
		var err error
		switch {
		case s.lost:
		case s.header.store != j.store || s.header.number != number:
			s.lost = true
			err = r.losing(number, "the segment belongs to another place or store")
		case s.header.live > first:
			err = r.losing(number, fmt.Sprintf(
				"the database is older than the journal: its checkpoint is segment %d, the journal knows of %d", first, s.header.live))
		}
		if err == nil && i > 0 {
			before := &r.segments[i-1]
			before.end, before.open = int64(s.header.prevEnd), s.lost
			if number != numbers[i-1]+1 {
				before.open = true
				err = r.losing(numbers[i-1]+1, "a journal segment is missing")
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// openSegment reads the header. When salvaging, a segment whose header is damaged is lost: without its seed no group in it
// can be told from another.
func (r *replay) openSegment(number uint64) error {
	j := r.journal
	name := j.path(segmentName(number))
	f, err := j.fs.open(name, false)
	if err != nil {
		return err
	}
	s := replaySegment{segment: segment{number: number}, file: f}
	b := make([]byte, segmentHeaderBytes)
	if s.size, err = f.size(); err == nil {
		_, err = f.ReadAt(b, 0)
	}
	if err == nil {
		s.header, err = decodeSegmentHeader(b)
	}
	r.segments = append(r.segments, s)
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*FormatError](err); ok {
		return err
	}
	r.segments[len(r.segments)-1].lost = true
	return r.losing(number, err.Error())
}

// listSegments returns the numbers of the segments in order, and removes spares: their size is not worth trusting.
func (j *journal) listSegments() ([]uint64, error) {
	names, err := j.fs.list(j.dir)
	if err != nil {
		return nil, err
	}
	var numbers []uint64
	for _, name := range names {
		if number, ok := parseSegmentName(name); ok {
			numbers = append(numbers, number)
		} else if isSpare(name) {
			if err := j.fs.remove(j.path(name)); err != nil {
				return nil, err
			}
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// corrupt refuses damage within a segment, or notes it when salvaging.
func (r *replay) corrupt(i int, offset int64, reason string) error {
	return r.damaged(&CorruptError{File: r.journal.path(segmentName(r.segments[i].number)), Offset: offset, Reason: reason})
}

// losing does so for all of a segment.
func (r *replay) losing(number uint64, reason string) error {
	return r.damaged(&CorruptError{File: r.journal.path(segmentName(number)), Reason: reason})
}

func (r *replay) damaged(err *CorruptError) error {
	if !r.salvage {
		return err
	}
	r.logf("salvage: %v", err)
	r.lost = append(r.lost, err.Error())
	return nil
}

// segment applies the groups of one segment.
func (r *replay) segment(i int) error {
	s := &r.segments[i]
	if s.lost {
		return nil
	}
	lastOne := i == len(r.segments)-1
	limit := s.end
	if lastOne || s.open {
		limit = s.size
	} else if limit < segmentHeaderBytes || limit > s.size {
		return r.corrupt(i, limit, "the next segment names an end that lies outside")
	}
	if s.header.before != r.last {
		if err := r.corrupt(i, 0, fmt.Sprintf("the segment follows commit %d, but %d is the last one found", s.header.before, r.last)); err != nil {
			return err
		}
		r.last = max(r.last, s.header.before)
	}
	r.state.segment = s.number
	at := int64(segmentHeaderBytes)
	for at < limit {
		group, err := r.group(s, at, limit)
		if err != nil {
			return err
		}
		if group != nil {
			if err := r.apply(i, at, group); err != nil {
				return err
			}
			at += int64(len(group)+7) &^ 7
			continue
		}
		next, err := r.onward(s, at, limit)
		if err != nil {
			return err
		}
		if next == 0 && (lastOne && r.last >= r.known || s.open) {
			break // the end, or a torn tail that was never promised
		}
		if err := r.corrupt(i, at, fmt.Sprintf("commit %d is damaged, and was promised", r.last+1)); err != nil {
			return err
		}
		if next == 0 {
			at = limit
			break
		}
		at = next
		r.last = r.commitAt(s, next) - 1
	}
	s.end = at
	return nil
}
