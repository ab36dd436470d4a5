package storage_test

import (
	"testing"

	"github.com/warren-mq/warren/storage"
)

// within calls f between Enter and Leave, and waits for nothing.
func within(s *storage.Store, f func()) {
	s.Enter()
	defer s.Leave()
	f()
}

// TestManyShortLogsLeaveRoom: what many logs hold together is more than the budget, though each of them has one chunk at the
// most. Publishers go on: it is paged out, or let go where it is empty.
func TestManyShortLogsLeaveRoom(t *testing.T) {
	for _, c := range []struct {
		name                      string
		durable, persistent, gone bool
	}{
		{"transient records", false, false, false},
		{"transient records in durable logs", true, false, false},
		{"persistent records", true, true, false},
		{"nothing any more", true, true, true},
		{"nothing any more, in transient logs", false, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := openStore(t, t.TempDir(), small)
			const logs = 3000
			all := make([]*storage.Log, logs)
			for n := range all {
				within(s, func() {
					all[n] = s.CreateLog(nil, c.durable)
					_, record := all[n].Append(700, c.persistent)
					record[0] = byte(n)
					if c.gone {
						all[n].Gone(0)
					}
				})
			}
			eventually(t, "there is room", s.Room)
			total := int64(0)
			eventually(t, "memory is within the budget", func() bool {
				total = 0
				within(s, func() {
					for _, l := range all {
						total += l.Bytes()
					}
				})
				return total <= small.MemoryBytes
			})
			for n, l := range all {
				if c.gone || n%10 > 0 {
					continue
				}
				if record, ok := read(t, s, l, 0); !ok || len(record) != 700 || record[0] != byte(n) {
					t.Fatalf("log %d has %d bytes (%t)", n, len(record), ok)
				}
			}
		})
	}
}

// TestWhatCannotBePagedOutLeavesRoom: publishers would wait for ever for memory that is in use.
func TestWhatCannotBePagedOutLeavesRoom(t *testing.T) {
	s := openStore(t, t.TempDir(), small)
	var logs []*storage.Log
	add := func(l *storage.Log, n int) {
		within(s, func() {
			for range n {
				l.Append(700, false)
			}
		})
	}
	for range 3000 {
		within(s, func() { logs = append(logs, s.CreateLog(nil, false)) })
	}
	for range 20 { // all of them are in use all the time
		for _, l := range logs {
			add(l, 1)
		}
		eventually(t, "there is room", s.Room)
	}
}

// TestABusyTransientLogKeepsLittleMemory: it is not what went through that counts.
func TestABusyTransientLogKeepsLittleMemory(t *testing.T) {
	s := openStore(t, t.TempDir(), storage.Options{})
	for _, durable := range []bool{false, true} {
		var l *storage.Log
		within(s, func() { l = s.CreateLog(nil, durable) })
		for range 1000 {
			within(s, func() {
				for range 100 {
					seq, _ := l.Append(100, false)
					if seq >= 10 {
						l.Gone(seq - 10)
					}
				}
			})
		}
		if n := l.Bytes(); n > 16<<10 {
			t.Errorf("ten records of 100 bytes take %d, durable: %t", n, durable)
		}
	}
}
