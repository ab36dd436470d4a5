package storage

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// fanOut appends a record with the same body to each of the logs, as one commit, and returns what the journal got.
func fanOut(s *Store, logs []*Log, body string, gone ...int) (written int64) {
	before := s.journal.end
	s.Enter()
	number := uint32(0)
	for i, l := range logs {
		own := fmt.Sprintf("log %d: ", i)
		seq, record := l.Append(len(own)+len(body), true)
		copy(record, own+body)
		l.Share(seq, &number, len(body))
		for _, g := range gone {
			if g == i {
				l.Gone(seq)
			}
		}
	}
	s.Leave()
	s.commitPending()
	return s.journal.end - before
}

// TestABodyIsWrittenOnceForAllLogs, with the first record that is not gone again, and comes back to all of them.
func TestABodyIsWrittenOnceForAllLogs(t *testing.T) {
	fs, dir := newFaultFS(rand.New(rand.NewPCG(1, 1))), t.TempDir()
	s := openManual(t, dir, fs, Options{})
	var logs []*Log
	s.Enter()
	for range 10 {
		logs = append(logs, s.CreateLog(nil, true))
	}
	s.Leave()
	s.commitPending()
	body := strings.Repeat("body", 250)
	for _, gone := range [][]int{nil, {0}, {0, 1, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8}, {3, 9}} {
		if n := fanOut(s, logs, body, gone...); n > int64(len(body)+40*len(logs)) {
			t.Errorf("without %v: %d bytes for a body of %d", gone, n, len(body))
		}
	}
	if n := fanOut(s, logs, body, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9); n > 40 {
		t.Errorf("%d bytes for what all are done with", n)
	}
	if err := s.closeFiles(); err != nil {
		t.Fatal(err)
	}
	found := make([]int, len(logs))
	for i, l := range openManual(t, dir, fs.crash(true), Options{}).Logs() {
		for seq := l.First(); seq < l.Next(); seq++ {
			if record, ok := l.At(seq); ok {
				found[i]++
				if want := fmt.Sprintf("log %d: %s", i, body); string(record) != want {
					t.Errorf("log %d has %.20q in place of %.20q", i, record, want)
				}
			}
		}
	}
	if want := []int{2, 3, 3, 3, 4, 4, 4, 4, 4, 4}; !slices.Equal(found, want) {
		t.Errorf("the logs have %v records, want %v", found, want)
	}
}

// seen is what a visitor of ops was shown.
type seen struct{ records []string }

func (s *seen) enqueue(id LogID, first uint64, sizes []uint32, records []byte) {
	for i, size := range sizes {
		s.records = append(s.records, fmt.Sprintf("%d/%d %s", id, first+uint64(i), records[:size]))
		records = records[size:]
	}
}
func (s *seen) create(LogID, []byte)     {}
func (s *seen) gone(LogID, seqRange)     {}
func (s *seen) note(LogID, uint64, note) {}
func (s *seen) deliver(LogID, uint64)    {}
func (s *seen) drop(LogID)               {}
func (s *seen) put(key, value []byte)    {}
func (s *seen) delete(key []byte)        {}

// TestReferencesOutsideOfWhatCameBeforeAreRefused: forward, into the header, beyond the end, longer than the record.
func TestReferencesOutsideOfWhatCameBeforeAreRefused(t *testing.T) {
	ops := func(size, tail, at uint64) []byte {
		b := []byte{opEnqueue, 1, 0, 1, 4}
		b = append(b, "body"...) // at 24 + 5
		b = append(b, opReference, 2, 7, 1)
		b = binary.AppendUvarint(b, size)
		b = binary.AppendUvarint(b, tail)
		b = binary.AppendUvarint(b, at)
		return append(b, "own "...)
	}
	for _, c := range []struct {
		size, tail, at uint64
		good           bool
	}{
		{8, 4, 29, true}, {6, 2, 30, true}, {5, 1, 32, true}, {4, 0, 33, true}, {4, 0, 34, false},
		{8, 4, 30, false}, {8, 4, 23, false}, {8, 4, 1 << 40, false}, {1 << 40, 1<<40 - 4, 29, false}, {8, 1 << 63, 29, false},
		{3, 4, 29, false}, {9, 4, 29, false}, {8, 4, 0, false},
	} {
		var r opReader
		var got seen
		err := r.visitOps(ops(c.size, c.tail, c.at), &got)
		if (err == nil) != c.good {
			t.Errorf("%+v: %v", c, err)
		}
		if want := "2/7 own " + "body"[min(4, c.at-29):min(4, c.at-29+c.tail)]; c.good && got.records[1] != want {
			t.Errorf("%+v: %q, want %q", c, got.records[1], want)
		}
	}
}

func FuzzOps(f *testing.F) {
	s := openManual(f, f.TempDir(), newFaultFS(rand.New(rand.NewPCG(1, 1))), Options{})
	s.Enter()
	logs := []*Log{s.CreateLog([]byte("a"), true), s.CreateLog([]byte("b"), true), s.CreateLog(nil, true)}
	number := uint32(0)
	for _, l := range logs {
		seq, _ := l.Append(100, true)
		l.Share(seq, &number, 80)
	}
	logs[0].Gone(0)
	s.Put([]byte("key"), []byte("value"))
	s.Leave()
	s.swap()
	b := beginGroup(nil)
	for i := range s.committer.table {
		b = s.committer.table[i].appendOp(b)
	}
	for _, p := range s.committer.pending {
		b = p.appendOps(b, s.committer.bodies)
	}
	f.Add(b[groupHeaderBytes:])
	f.Add(binary.AppendUvarint([]byte{opReference, 1, 0, 1}, 1<<62))
	f.Fuzz(func(t *testing.T, ops []byte) {
		before := bytes.Clone(ops)
		var r opReader
		_ = r.visitOps(ops, &counting{})
		if !bytes.Equal(ops, before) {
			t.Error("the group was changed")
		}
	})
}

// counting reads what it is shown, and no more.
type counting struct {
	seen
	bytes int
}

func (c *counting) enqueue(_ LogID, _ uint64, sizes []uint32, records []byte) {
	total := 0
	for _, size := range sizes {
		total += int(size)
	}
	c.bytes += len(records[:total])
}
