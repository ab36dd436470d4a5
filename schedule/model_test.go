package schedule_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/warren-mq/warren/schedule"
)

// TestRandomHistories runs random operations on a schedule and on a sorted list: what is given, when and in which order
// must be the same, over restarts, with records that have to be waited for.
func TestRandomHistories(t *testing.T) {
	for range 10 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) { t.Parallel(); history(t, seed, 250) })
	}
}

// model is the naive form: all ids, sorted.
type model struct {
	*world
	r       *rand.Rand
	pending []schedule.ID
	paging  bool
}

func history(t *testing.T, seed uint64, steps int) {
	r := rand.New(rand.NewPCG(seed, 1))
	m := &model{world: newWorld(t, 1_700_000_000_000+r.Int64N(1<<30)), r: r, paging: r.IntN(2) == 0}
	for range steps {
		m.operation()
		if m.s.Len() != len(m.pending) || m.records() != len(m.pending) {
			t.Fatalf("Len is %d, the logs hold %d, want %d", m.s.Len(), m.records(), len(m.pending))
		}
	}
	m.pass(math.MaxInt64 - 1 - m.now)
	if len(m.pending) > 0 || m.records() > 0 {
		t.Fatalf("%d messages are left, %d records", len(m.pending), m.records())
	}
}

func (m *model) operation() {
	switch n := m.r.IntN(100); {
	case n < 40:
		base := m.delay()
		for range 1 + m.r.IntN(30) {
			if m.r.IntN(3) == 0 {
				base = m.delay()
			}
			m.insert(m.add(m.now+base, "b"))
		}
	case n < 42: // more than an index takes
		base, width := m.delay(), int64(1)<<m.r.IntN(18)
		for range 40_000 * m.r.IntN(2) {
			m.pending = append(m.pending, m.add(m.now+base+m.r.Int64N(width), ""))
		}
		slices.SortFunc(m.pending, schedule.ID.Compare)
	case n < 80:
		m.pass(m.delay())
	case n < 86:
		m.cancel()
	case n < 90:
		m.reschedule()
	case n < 93:
		m.list()
	case n < 97:
		m.restart()
	case n < 99: // something stops the schedule in the middle of its work
		m.now += m.delay()
		for range m.r.IntN(8) {
			m.arrive()
			m.step()
			m.check()
		}
		m.restart()
	default:
		m.now -= m.r.Int64N(1 << m.r.IntN(28)) // the clock is set back
		m.step()
		m.check()
	}
	for _, l := range m.logs {
		if m.paging && m.r.IntN(4) == 0 {
			for i := range l.records {
				l.records[i].paged = m.r.IntN(2) == 0
			}
		}
	}
}

// delay is anything from nothing to years; mostly it is short.
func (m *model) delay() int64 {
	return m.r.Int64N(int64(1) << m.r.IntN(1+[...]int{6, 12, 18, 24, 40}[m.r.IntN(5)]))
}

func (m *model) insert(id schedule.ID) {
	i, _ := slices.BinarySearchFunc(m.pending, id, schedule.ID.Compare)
	m.pending = slices.Insert(m.pending, i, id)
}

// pass lets time pass and compares what was given.
func (m *model) pass(d int64) {
	m.advance(m.now + d)
	m.check()
	if len(m.pending) > 0 && m.pending[0].Due <= m.now {
		m.t.Fatalf("%v is not given at %d", m.pending[0], m.now)
	}
}

func (m *model) check() {
	for i, id := range m.given {
		if i >= len(m.pending) || m.pending[i] != id {
			m.t.Fatalf("given as number %d: %v, want %v", i, id, m.pending[min(i, len(m.pending)-1)])
		}
	}
	m.pending = slices.Delete(m.pending, 0, len(m.given))
	m.take()
}

func (m *model) any() schedule.ID {
	if len(m.pending) == 0 || m.r.IntN(5) == 0 {
		return schedule.ID{Due: m.now + m.delay(), Serial: m.r.Uint64()}
	}
	return m.pending[m.r.IntN(len(m.pending))]
}

// arrive brings what was asked for.
func (m *model) arrive() {
	for l, seq := range m.wanted {
		l.records[seq].paged = false
	}
	clear(m.wanted)
}

func (m *model) cancel() {
	id := m.any()
	i, want := slices.BinarySearchFunc(m.pending, id, schedule.ID.Compare)
	ok, wait := m.s.Cancel(id)
	for ; wait; ok, wait = m.s.Cancel(id) {
		m.arrive()
	}
	if ok != want {
		m.t.Fatalf("Cancel(%v) is %v, want %v", id, ok, want)
	}
	if ok {
		m.pending = slices.Delete(m.pending, i, i+1)
	}
}

func (m *model) reschedule() {
	id, due := m.any(), m.now+m.delay()
	i, want := slices.BinarySearchFunc(m.pending, id, schedule.ID.Compare)
	moved, at, ok, wait := m.s.Reschedule(m.now, id, due)
	for ; wait; moved, at, ok, wait = m.s.Reschedule(m.now, id, due) {
		m.arrive()
	}
	if ok != want || ok && moved.Due != due {
		m.t.Fatalf("Reschedule(%v, %d) is %v, %v, want %v", id, due, moved, ok, want)
	}
	if ok {
		m.asked = min(m.asked, at)
		m.pending = slices.Delete(m.pending, i, i+1)
		m.insert(moved)
	}
}

func (m *model) list() {
	l := schedule.Listing{After: m.any(), Limit: 1 + m.r.IntN(20)}
	for {
		done, wait := m.s.List(&l)
		if done {
			break
		}
		if wait {
			m.arrive()
		}
	}
	i, found := slices.BinarySearchFunc(m.pending, l.After, schedule.ID.Compare)
	if found {
		i++
	}
	want := m.pending[i:min(i+l.Limit, len(m.pending))]
	if !slices.EqualFunc(l.Entries, want, func(e schedule.Entry, id schedule.ID) bool { return e.ID == id }) {
		m.t.Fatalf("after %v: %d entries, want %v", l.After, len(l.Entries), want)
	}
}
