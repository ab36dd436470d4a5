package schedule_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/warren-mq/warren/schedule"
)

// world is a schedule on virtual time, with logs that outlive it.
type world struct {
	t      testing.TB
	now    int64
	asked  int64 // when Step is to be called
	serial uint64
	s      *schedule.Schedule
	logs   map[schedule.Block]*memoryLog
	batch  schedule.Batch
	given  []schedule.ID
	bodies []string
	steps  int
	wanted map[*memoryLog]uint64 // records that were asked for
	room   schedule.Room
}

func newWorld(t testing.TB, now int64) *world {
	w := &world{t: t, now: now, asked: schedule.Never, logs: map[schedule.Block]*memoryLog{}, wanted: map[*memoryLog]uint64{}, room: schedule.RoomForAll}
	w.restart()
	return w
}

// restart makes a schedule of what the logs hold.
func (w *world) restart() {
	w.serial += 1 << 40
	w.s = schedule.New(w.serial, func(b schedule.Block) schedule.Log {
		if !b.Valid() || w.logs[b] != nil {
			w.t.Fatalf("a log for %v, which is there or makes no sense", b)
		}
		l := &memoryLog{world: w, block: b}
		w.logs[b] = l
		return l
	})
	for b, l := range w.logs {
		w.s.Restore(b, l)
	}
	w.asked = w.now
}

func (w *world) add(due int64, body string) schedule.ID {
	id, at := w.s.Add(w.now, due, &schedule.Message{Exchange: []byte("x"), RoutingKey: []byte("k"), Properties: []byte{0, 0}, Body: []byte(body)})
	w.asked = min(w.asked, at)
	return id
}

// advance lets time pass. Step is called when it wants to be, and when records have come that it waits for.
func (w *world) advance(to int64) {
	for n := 0; ; n++ {
		if n > 1_000_000 {
			w.t.Fatalf("Step is called for ever at %d", w.now)
		}
		if len(w.wanted) > 0 {
			for l, seq := range w.wanted {
				l.records[seq].paged = false
			}
			clear(w.wanted)
		} else if w.asked > to {
			break
		} else {
			w.now = max(w.now, w.asked)
		}
		w.step()
	}
	w.now = to
}

func (w *world) step() {
	w.steps++
	w.batch.Reset()
	next, damaged := w.s.Step(w.now, w.room, &w.batch)
	if damaged > 0 {
		w.t.Fatalf("%d records are damaged", damaged)
	}
	w.asked = next
	for i := range w.batch.Entries {
		e := &w.batch.Entries[i]
		if e.Due > w.now {
			w.t.Fatalf("%v is given at %d", e.ID, w.now)
		}
		w.given = append(w.given, e.ID)
		w.bodies = append(w.bodies, string(e.Body))
	}
}

func (w *world) take() []string {
	defer func() { w.given, w.bodies = nil, nil }()
	return w.bodies
}

// indexed is how many records all logs hold.
func (w *world) records() (n int) {
	for _, l := range w.logs {
		n += l.Count()
	}
	return n
}

// memoryLog is a log for tests. Its records can be paged out: At refuses them once, and notes that it was asked.
type memoryLog struct {
	world   *world
	block   schedule.Block
	records []memoryRecord
	first   int
	live    int
	reads   int
	kept    bool
}

type memoryRecord struct {
	data  []byte // nil: gone
	paged bool
}

func (l *memoryLog) Append(size int, _ bool) (uint64, []byte) {
	l.records = append(l.records, memoryRecord{data: make([]byte, size)})
	l.live++
	return uint64(len(l.records) - 1), l.records[len(l.records)-1].data
}

func (l *memoryLog) At(seq uint64) ([]byte, bool) {
	l.reads++
	if !l.Live(seq) {
		return nil, false
	}
	if l.records[seq].paged {
		l.world.wanted[l] = seq
		return nil, false
	}
	return l.records[seq].data, true
}

func (l *memoryLog) Live(seq uint64) bool {
	return seq < uint64(len(l.records)) && l.records[seq].data != nil
}

func (l *memoryLog) Gone(seq uint64) {
	if l.Live(seq) {
		l.records[seq].data = nil
		l.live--
	}
}

func (l *memoryLog) First() uint64 {
	for l.first < len(l.records) && l.records[l.first].data == nil {
		l.first++
	}
	return uint64(l.first)
}

func (l *memoryLog) Next() uint64 { return uint64(len(l.records)) }
func (l *memoryLog) Count() int   { return l.live }

func (l *memoryLog) Keep() { l.kept = true }

func (l *memoryLog) LiveBytes() (n int64) {
	for i := range l.records {
		n += int64(len(l.records[i].data))
	}
	return n
}

func (l *memoryLog) Drop() {
	if l.world.logs[l.block] != l {
		l.world.t.Fatalf("the log of %v is dropped twice", l.block)
	}
	delete(l.world.logs, l.block)
	delete(l.world.wanted, l)
}

func numbers(from, to int) (list []string) {
	for i := from; i < to; i++ {
		list = append(list, fmt.Sprint(i))
	}
	return list
}

func blocks(w *world) []string {
	var list []string
	for b := range maps.Keys(w.logs) {
		list = append(list, b.String())
	}
	slices.Sort(list)
	return list
}
