package storage

import (
	"iter"
	"slices"
)

// sealedChunks are the chunks of a log before its tail, in sequence order. A chunk that was removed leaves a hole
// until holes are half of the entries, so that removing one costs constant time on average wherever it stands.
type sealedChunks struct {
	entries []sealedChunk
	first   int // every entry before it is a hole
	holes   int
}

// sealedChunk has the sequence number of the chunk's first record beside it, so that a search reads no chunk and
// a hole (a nil chunk) keeps its place in the order.
type sealedChunk struct {
	first uint64
	*chunk
}

func (s *sealedChunks) push(c *chunk) {
	s.entries = append(s.entries, sealedChunk{c.first, c})
}

// head returns the oldest chunk, nil if there is none.
func (s *sealedChunks) head() *chunk {
	if s.first == len(s.entries) {
		return nil
	}
	return s.entries[s.first].chunk
}

// find returns the chunk that holds seq and its index, or nil. A drain stays in the head, so that is looked at
// before the search.
func (s *sealedChunks) find(seq uint64) (*chunk, int) {
	if s.first == len(s.entries) || seq < s.entries[s.first].first {
		return nil, 0
	}
	lo, hi := s.first, len(s.entries)
	if c := s.entries[lo].chunk; seq < c.next() {
		return c, lo
	}
	for hi-lo > 1 {
		if mid := int(uint(lo+hi) >> 1); s.entries[mid].first <= seq {
			lo = mid
		} else {
			hi = mid
		}
	}
	if c := s.entries[lo].chunk; c != nil && seq < c.next() {
		return c, lo
	}
	return nil, 0
}

func (s *sealedChunks) remove(i int) {
	s.entries[i].chunk = nil
	s.holes++
	if 2*s.holes >= len(s.entries) {
		s.entries = slices.DeleteFunc(s.entries, func(e sealedChunk) bool { return e.chunk == nil })
		s.first, s.holes = 0, 0
		return
	}
	for s.first < len(s.entries) && s.entries[s.first].chunk == nil {
		s.first++
	}
}

// all lists the chunks in order. The log may not change meanwhile, but a chunk itself may.
func (s *sealedChunks) all() iter.Seq[*chunk] {
	return func(yield func(*chunk) bool) {
		for _, e := range s.entries[s.first:] {
			if e.chunk != nil && !yield(e.chunk) {
				return
			}
		}
	}
}
