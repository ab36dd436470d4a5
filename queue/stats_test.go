package queue_test

import (
	"reflect"
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/queue"
)

// TestStatsAddAddsEveryField finds a field that Add forgot.
func TestStatsAddAddsEveryField(t *testing.T) {
	var ones, sum queue.Stats
	for i := range reflect.TypeFor[queue.Stats]().NumField() {
		switch f := reflect.ValueOf(&ones).Elem().Field(i); f.Kind() {
		case reflect.Uint64:
			f.SetUint(1)
		case reflect.Array:
			for n := range f.Len() {
				f.Index(n).SetUint(1)
			}
		default:
			f.SetInt(1)
		}
	}
	sum.Add(ones)
	if sum != ones {
		t.Errorf("sum of ones is %+v", sum)
	}
	want := queue.Stats{Publish: 1, Deliver: 1, DeliverNoAck: 1, Get: 1, GetNoAck: 1, GetEmpty: 1, Redeliver: 1, Ack: 1,
		Deduplicated: 1, Dropped: queue.Deaths{1, 1, 1, 1, 1}}
	if got := ones.Counters(); got != want {
		t.Errorf("counters are %+v", got)
	}
}

func TestHeadTimestampIsThatOfTheOldestMessage(t *testing.T) {
	q := queue.New(queue.Config{}, newMemoryLog)
	var fx queue.Effects
	check := func(want uint64) {
		t.Helper()
		if got, ok := q.HeadTimestamp(); got != want || ok != (want != 0) {
			t.Errorf("got %d, %t, want %d", got, ok, want)
		}
	}
	check(0)
	msgs, idx := batch("a", "b", "c")
	for i, seconds := range []uint64{7, 5} {
		p := amqp.Properties{Flags: amqp.FlagTimestamp, Timestamp: seconds}
		msgs[i].Properties = p.Append(nil)
	}
	q.Publish(0, msgs, idx, &fx)
	check(7) // of a, which is next
	c := &client{credit: -1, shared: &deliveries{}}
	q.Get(c, false, 0, &fx)
	check(5) // of b, which is next and says that it is older than a, which is unacknowledged
	q.Get(c, false, 0, &fx)
	check(7) // c, which is next, has none
	q.Get(c, false, 0, &fx)
	check(7)
	q.Settle(0, &queue.Settlement{Acked: []uint64{c.unacked[0].seq}}, &fx)
	check(5)
	q.Settle(0, &queue.Settlement{Requeued: []uint64{c.unacked[1].seq}}, &fx)
	check(5)
	if got := q.Resident(); got != 2 {
		t.Errorf("%d messages are resident, want 2", got)
	}
	q.Delete(false, false, &fx)
	check(0)
}
