package schedule_test

import (
	"bytes"
	"testing"

	"github.com/warren-mq/warren/schedule"
)

// FuzzRecord: a decoder that meets anything at all does not panic, and what it takes encodes to the same bytes.
func FuzzRecord(f *testing.F) {
	for _, m := range []schedule.Message{
		{},
		{Exchange: []byte("x"), RoutingKey: []byte("key"), Properties: []byte{0, 0}, Body: []byte("body"), Persistent: true},
		{HasTTL: true, TTL: 5, Origin: 7, Priority: 1, Hidden: []byte("\x01a")},
	} {
		rec := make([]byte, schedule.RecordSize(&m))
		schedule.Encode(rec, schedule.ID{Due: 1 << 40, Serial: 9}, &m)
		f.Add(rec)
	}
	f.Fuzz(func(t *testing.T, rec []byte) {
		var e schedule.Entry
		if !schedule.Decode(rec, &e) {
			return
		}
		again := make([]byte, schedule.RecordSize(&e.Message))
		schedule.Encode(again, e.ID, &e.Message)
		if !bytes.Equal(again, rec) {
			t.Errorf("% x becomes % x", rec, again)
		}
	})
}
