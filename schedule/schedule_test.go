package schedule_test

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/warren-mq/warren/schedule"
)

const (
	hour = 3_600_000
	day  = 24 * hour
	year = 365 * day
)

var start = int64(1_700_000_000_000)

func TestMessagesAreGivenWhenTheyAreDueInTheOrderOfTheirTimes(t *testing.T) {
	w := newWorld(t, start)
	w.add(start+5000, "c")
	w.add(start+20, "a")
	w.add(start+5000, "d")
	w.add(start+3*hour, "f")
	w.add(start+40*year, "g")
	w.add(start+21, "b")
	w.add(start+5001, "e")
	for _, step := range []struct {
		at   int64
		want []string
	}{
		{19, nil}, {20, []string{"a"}}, {21, []string{"b"}}, {4999, nil}, {5000, []string{"c", "d"}}, {6000, []string{"e"}},
		{3*hour - 1, nil}, {3 * hour, []string{"f"}}, {40*year - 1, nil}, {40 * year, []string{"g"}},
	} {
		w.advance(start + step.at)
		if got := w.take(); !slices.Equal(got, step.want) {
			t.Errorf("after %d ms: %q, want %q", step.at, got, step.want)
		}
	}
	if w.s.Len() != 0 {
		t.Errorf("%d are left", w.s.Len())
	}
}

func TestTheWholeMessageComesBack(t *testing.T) {
	for _, m := range []schedule.Message{
		{},
		{Exchange: []byte("ex"), RoutingKey: []byte("key"), Properties: []byte{1, 2, 3}, Body: []byte("body")},
		{Persistent: true, Priority: 9, HasTTL: true, TTL: 0, Origin: 1 << 60, Hidden: []byte("\x01a"), Body: make([]byte, 300_000)},
		{HasTTL: true, TTL: year, RoutingKey: make([]byte, 255), Properties: make([]byte, 100_000)},
	} {
		w := newWorld(t, start)
		id, _ := w.s.Add(start, start+1, &m)
		var b schedule.Batch
		w.s.Step(start+1, schedule.RoomForAll, &b)
		if len(b.Entries) != 1 || b.Entries[0].ID != id {
			t.Fatalf("%+v", b.Entries)
		}
		got := b.Entries[0].Message
		for _, p := range []*[]byte{&got.Exchange, &got.RoutingKey, &got.Properties, &got.Body, &got.Hidden, &m.Exchange, &m.RoutingKey, &m.Properties, &m.Body, &m.Hidden} {
			if len(*p) == 0 {
				*p = nil
			}
		}
		if !reflect.DeepEqual(got, m) {
			t.Errorf("got %+v, want %+v", got, m)
		}
	}
}

func TestTimesUpToTheEndOf64Bits(t *testing.T) {
	w := newWorld(t, 0)
	for i, due := range []int64{0, 1, math.MaxInt64 - 1, math.MaxInt64} {
		w.add(due, fmt.Sprint(i))
	}
	w.advance(math.MaxInt64 - 1)
	if got := w.take(); !slices.Equal(got, numbers(0, 3)) {
		t.Errorf("%q", got)
	}
}

// TestFarMessagesAreNotReadAtTheStart: neither their number nor their bytes make a start slower.
func TestFarMessagesAreNotReadAtTheStart(t *testing.T) {
	w := newWorld(t, start)
	for i := range 10_000 {
		w.add(start+day+int64(i%7)*hour, "far")
	}
	logs := len(w.logs)
	if logs > 8 {
		t.Errorf("%d logs for the messages of eight hours: %q", logs, blocks(w))
	}
	w.restart()
	w.step()
	for _, l := range w.logs {
		if l.reads > 0 {
			t.Errorf("%d records of %v were read", l.reads, l.block)
		}
	}
	if w.s.Len() != 10_000 {
		t.Errorf("%d messages after the restart", w.s.Len())
	}
}

// TestMessagesWithOneDelayAreWrittenOnce: what is published in the order in which it is due stays where it is, however
// much it is.
func TestMessagesWithOneDelayAreWrittenOnce(t *testing.T) {
	w := newWorld(t, start)
	for i := range 200_000 {
		w.now = start + int64(i/100)
		w.add(w.now+30_000, "")
	}
	appended := 0
	for _, l := range w.logs {
		appended += len(l.records)
	}
	w.advance(start + 32_000)
	if n := len(w.take()); n != 200_000 || appended != 200_000 {
		t.Errorf("%d given of %d records", n, appended)
	}
	for _, l := range w.logs {
		if len(l.records) > 0 && l.Count() > 0 {
			t.Errorf("%v holds %d", l.block, l.Count())
		}
	}
}

// TestManyAtOnceInAnyOrder: more than an index takes, all in one second, are split until they fit.
func TestManyAtOnceInAnyOrder(t *testing.T) {
	w := newWorld(t, start)
	const n = 150_000
	for i := range n {
		w.add(start+10*hour+int64(i*7919%1000), "")
	}
	w.advance(start + 11*hour)
	if !slices.IsSortedFunc(w.given, schedule.ID.Compare) || len(w.given) != n {
		t.Errorf("%d given", len(w.given))
	}
}

// TestPreparationIsDoneAheadOfTime: at the moment at which the first message is due it is given, whatever had to be split
// and read before.
func TestPreparationIsDoneAheadOfTime(t *testing.T) {
	for _, delay := range []int64{70_000, 2 * hour, 5 * day, 3 * year} {
		w := newWorld(t, start)
		for i := range 40_000 {
			w.add(start+delay+int64(i*7919%(1<<16)), "")
		}
		w.restart()
		w.advance(start + delay - 1)
		w.steps = 0
		w.now = start + delay
		if w.step(); len(w.given) == 0 {
			t.Errorf("after %d ms nothing is given at the first call", delay)
		}
	}
}

// TestWithoutRoomWhatIsDueIsGivenAndTheRestWaits: what has to be ready soon as long as there is a little room, what has time
// until there is enough for all.
func TestWithoutRoomWhatIsDueIsGivenAndTheRestWaits(t *testing.T) {
	w := newWorld(t, start&^(1<<16-1))
	far, near := w.now+2*hour, w.now+1<<16
	for i := range 40_000 {
		w.add(far+int64(i*7919%(1<<16)), "")
		w.add(near+int64(i*7919%(1<<16)), "")
	}
	w.restart()
	w.advance(near - 17_000) // before anything is near
	logs := func() int { return len(w.logs) }
	before := logs()

	w.room = schedule.RoomForUrgent
	if w.advance(near - 10_000); logs() != before {
		t.Errorf("%d logs have become %d without any hurry", before, logs())
	}
	w.room = schedule.RoomForDue
	if w.advance(near - 7000); logs() != before {
		t.Errorf("%d logs have become %d though there is room for nothing", before, logs())
	}
	w.room = schedule.RoomForUrgent
	if w.advance(near - 6000); logs() == before {
		t.Error("nothing is prepared though it is urgent")
	}
	w.advance(near + 100)
	w.room = schedule.RoomForDue
	given := len(w.given)
	if w.advance(near + 200); len(w.given) == given {
		t.Error("nothing is given though it is due and ready")
	}
	w.room = schedule.RoomForAll
	w.advance(far + hour)
	if len(w.given) != 80_000 || !slices.IsSortedFunc(w.given, schedule.ID.Compare) {
		t.Errorf("%d given", len(w.given))
	}
}

// TestWhatIsReadInAnyOrderIsKeptInMemoryWhenItIsReady, and what is read from its beginning to its end is not, if it is much.
func TestWhatIsReadInAnyOrderIsKeptInMemoryWhenItIsReady(t *testing.T) {
	for _, c := range []struct {
		name  string
		bytes int
		kept  bool
	}{{"little", 1 << 10, true}, {"much", 64 << 10, false}} {
		w := newWorld(t, start)
		for i := range 100 {
			w.add(start+hour+int64(i), string(make([]byte, c.bytes)))
		}
		w.advance(start + hour - 1)
		for _, l := range w.logs {
			if l.Count() == 100 && l.kept != c.kept {
				t.Errorf("%s: kept %v", c.name, l.kept)
			}
		}
	}
}

func TestWhatIsOverdueAfterARestartIsGivenAtOnceInOrderInSlices(t *testing.T) {
	w := newWorld(t, start)
	const n = 20_000
	for i := range n {
		w.add(start+int64(i*7919%100_000)*1000, "")
	}
	w.now += 2 * day
	w.restart()
	for most := 0; w.asked <= w.now; {
		before := len(w.given)
		w.step()
		if most = max(most, len(w.given)-before); most > 256 {
			t.Fatalf("a call gave %d messages", most)
		}
	}
	if len(w.given) != n || !slices.IsSortedFunc(w.given, schedule.ID.Compare) {
		t.Errorf("%d given", len(w.given))
	}
}

// TestWhatIsOverdueTakesFewBlocksAtOnce, however long a time it is spread over.
func TestWhatIsOverdueTakesFewBlocksAtOnce(t *testing.T) {
	for _, away := range []int64{hour, 3 * day, 2 * year} {
		w := newWorld(t, start)
		const n = 100_000
		for i := range int64(n) {
			w.add(start+1+i*7919%n*(away/n), "")
		}
		w.now += away + hour
		w.restart()
		most := 0
		for w.asked <= w.now {
			w.step()
			most = max(most, len(w.logs))
		}
		if len(w.given) != n || !slices.IsSortedFunc(w.given, schedule.ID.Compare) {
			t.Errorf("after %d ms: %d given", away, len(w.given))
		}
		if most > 300 {
			t.Errorf("after %d ms: %d blocks at once", away, most)
		}
	}
}

// TestARestartInTheMiddleOfASplitKeepsTheOrder: what is left of the wide block, few messages by now, goes to the narrow ones
// before those give any.
func TestARestartInTheMiddleOfASplitKeepsTheOrder(t *testing.T) {
	w := newWorld(t, start&^(1<<16-1)) // the beginning of a block of 65 s
	begin := w.now + 1<<16
	const n = 50_000
	for i := range n {
		w.add(begin+int64(i*7919%60_000), "")
	}
	w.now = begin - 5000
	wide := w.logs[schedule.Block{Level: 3, From: begin}]
	for wide.Count() > 1000 {
		w.step()
	}
	if wide.Count() == 0 || len(w.logs) < 3 {
		t.Fatalf("%d messages are left in the wide block, beside %q", wide.Count(), blocks(w))
	}
	w.restart()
	w.advance(begin + 60_000)
	if len(w.given) != n || !slices.IsSortedFunc(w.given, schedule.ID.Compare) {
		t.Errorf("%d given", len(w.given))
	}
}

// TestNoBlockIsMadeAroundOthersWhenTheClockIsSetBack: it would take what they should, and they would give before it.
func TestNoBlockIsMadeAroundOthersWhenTheClockIsSetBack(t *testing.T) {
	w := newWorld(t, start)
	w.add(start+100, "a")
	w.now -= day
	w.add(start+101, "b")
	w.add(start+5000, "c")
	for x := range w.logs {
		for y := range w.logs {
			if x != y && x.From <= y.From && y.From < x.From+1<<[]uint{0, 4, 10, 16, 22, 28, 34}[x.Level] {
				t.Errorf("%v is around %v", x, y)
			}
		}
	}
	w.advance(start + hour)
	if got := w.take(); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("%q", got)
	}
}

func TestCancelledMessagesAreNotGiven(t *testing.T) {
	w := newWorld(t, start)
	var ids []schedule.ID
	for i := range 100 {
		ids = append(ids, w.add(start+int64(i%10)*1000, fmt.Sprint(i)))
	}
	for i, id := range ids {
		if i%2 == 1 {
			if ok, _ := w.s.Cancel(id); !ok {
				t.Errorf("%v is not found", id)
			}
			if ok, _ := w.s.Cancel(id); ok {
				t.Errorf("%v is found again", id)
			}
		}
	}
	w.advance(start + hour)
	if got := w.take(); len(got) != 50 {
		t.Errorf("%d were given", len(got))
	}
}

// TestAPageOfLargeMessagesIsShort: what a listing takes of memory does not depend on what it lists.
func TestAPageOfLargeMessagesIsShort(t *testing.T) {
	w := newWorld(t, start)
	const n = 100
	body := string(make([]byte, 1<<20))
	for i := range n {
		w.add(start+hour+int64(i*37%n), body)
	}
	w.add(start+hour+n, string(make([]byte, 40<<20)))
	var after schedule.ID
	var listed []schedule.ID
	for pages := 0; ; pages++ {
		l := schedule.Listing{After: after, Limit: 1000}
		for done := false; !done; {
			done, _ = w.s.List(&l)
		}
		if len(l.Entries) == 0 {
			break
		}
		if len(l.Entries) > 16 {
			t.Errorf("a page has %d messages of 1 MiB", len(l.Entries))
		}
		for _, e := range l.Entries {
			listed = append(listed, e.ID)
		}
		after = listed[len(listed)-1]
	}
	if len(listed) != n+1 || !slices.IsSortedFunc(listed, schedule.ID.Compare) {
		t.Errorf("%d were listed", len(listed))
	}
}

func TestAnEmptyScheduleHasNoLogs(t *testing.T) {
	w := newWorld(t, start)
	for _, d := range []int64{1, 100, 5000, 100_000, hour, day, year} {
		w.add(start+d, "")
	}
	w.advance(start + 2*year)
	if len(w.logs) != 0 {
		t.Errorf("%q are left", blocks(w))
	}
	w.add(w.now+day, "")
	w.s.Drop()
	if w.s.Len() != 0 || len(w.logs) != 0 {
		t.Errorf("after Drop: %d messages in %q", w.s.Len(), blocks(w))
	}
}

// TestABucketThatIsEmptiedWhileItFillsGetsEmpty: who adds to it helps.
func TestABucketThatIsEmptiedWhileItFillsGetsEmpty(t *testing.T) {
	w := newWorld(t, start)
	for i := range 50_000 {
		w.add(start+hour+int64(i*7919%60_000), "")
	}
	w.now = start + hour - 10
	for range 1000 {
		w.step()
		for range 300 {
			w.add(start+hour+50_000, "")
		}
	}
	w.now = start + hour
	if w.step(); len(w.given) == 0 {
		t.Error("nothing is given when the first is due")
	}
	w.advance(start + hour + 60_000)
	if n := len(w.take()); n != 350_000 {
		t.Errorf("%d given", n)
	}
}

func TestIDs(t *testing.T) {
	id := schedule.ID{Due: 1_700_000_000_123, Serial: 1<<40 + 7}
	if got, ok := schedule.ParseID(id.String()); !ok || got != id {
		t.Errorf("%q is %v, %v", id, got, ok)
	}
	for _, s := range []string{"", "-", "5", "5-", "-5", "a-5", "5-b", "-5-5", "5-5-5", "99999999999999999999-1"} {
		if id, ok := schedule.ParseID(s); ok {
			t.Errorf("%q is taken for %v", s, id)
		}
	}
}
