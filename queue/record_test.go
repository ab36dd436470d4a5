package queue_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/warren-mq/warren/queue"
)

func sameMessage(a, b *queue.Message) bool {
	return bytes.Equal(a.Exchange, b.Exchange) && bytes.Equal(a.RoutingKey, b.RoutingKey) &&
		bytes.Equal(a.Properties, b.Properties) && bytes.Equal(a.Body, b.Body) &&
		a.Persistent == b.Persistent && a.Redelivered == b.Redelivered && bytes.Equal(a.Hidden, b.Hidden) && a.Priority == b.Priority && a.ExpiresAt == b.ExpiresAt
}

func TestRecordKeepsTheMessage(t *testing.T) {
	long := bytes.Repeat([]byte("x"), 255)
	for name, m := range map[string]struct {
		message queue.Message
		size    int
	}{
		"empty":                {queue.Message{}, 6},
		"small":                {queue.Message{RoutingKey: []byte("key"), Properties: []byte{0x10, 0, 2}, Body: []byte("body")}, 6 + 10},
		"all fields":           {queue.Message{Exchange: []byte("ex"), RoutingKey: []byte("key"), Properties: []byte{0, 0}, Body: []byte("b"), Persistent: true, Redelivered: true, Priority: 9, ExpiresAt: math.MaxInt64}, 6 + 9 + 8},
		"priority":             {queue.Message{Priority: 255}, 7},
		"expiry":               {queue.Message{ExpiresAt: 1}, 14},
		"past expiry":          {queue.Message{ExpiresAt: -1}, 14},
		"hidden keys":          {queue.Message{Hidden: []byte("\x01a\x02bc"), Priority: 1, ExpiresAt: 1, Body: []byte("x")}, 6 + 8 + 1 + 2 + 5 + 1},
		"longest names":        {queue.Message{Exchange: long, RoutingKey: long}, 6 + 510},
		"longest narrow":       {queue.Message{Properties: long, Body: make([]byte, 65535)}, 6 + 255 + 65535},
		"wide by properties":   {queue.Message{Properties: make([]byte, 256), Priority: 1}, 11 + 257},
		"wide by body":         {queue.Message{Body: make([]byte, 65536), ExpiresAt: 5}, 11 + 8 + 65536},
		"wide, all the fields": {queue.Message{Exchange: long, RoutingKey: long, Properties: make([]byte, 70000), Body: make([]byte, 70000), Persistent: true, Redelivered: true, Priority: 1, ExpiresAt: 1}, 11 + 9 + 510 + 140000},
	} {
		t.Run(name, func(t *testing.T) {
			rec := queue.EncodeRecord(&m.message)
			if len(rec) != m.size {
				t.Errorf("takes %d bytes, want %d", len(rec), m.size)
			}
			got := queue.Message{Persistent: true, Priority: 3, ExpiresAt: 3} // what was there before
			if !queue.DecodeRecord(rec, &got) || !sameMessage(&got, &m.message) {
				t.Errorf("decoded to %+v", got)
			}
			if n := queue.BodySize(rec); n != int64(len(m.message.Body)) {
				t.Errorf("body size is %d", n)
			}
			for cut := range min(len(rec), 40) {
				if queue.DecodeRecord(rec[:cut], &got) {
					t.Fatalf("a record cut to %d bytes was decoded", cut)
				}
			}
			if queue.DecodeRecord(append(rec, 0), &got) {
				t.Error("a record with a byte too much was decoded")
			}
		})
	}
}

// TestRecordViewsCannotGrowIntoEachOther appends to a view, which must not touch what follows it.
func TestRecordViewsCannotGrowIntoEachOther(t *testing.T) {
	m := queue.Message{Exchange: []byte("e"), RoutingKey: []byte("k"), Properties: []byte{0, 0}, Body: []byte("b")}
	var got queue.Message
	queue.DecodeRecord(queue.EncodeRecord(&m), &got)
	_ = append(got.Exchange, '!')
	_ = append(got.RoutingKey, '!')
	_ = append(got.Properties, '!')
	if !sameMessage(&got, &m) {
		t.Errorf("became %+v", got)
	}
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add(queue.EncodeRecord(&queue.Message{}))
	f.Add(queue.EncodeRecord(&queue.Message{Exchange: []byte("ex"), RoutingKey: []byte("key"), Properties: []byte{0, 0}, Body: []byte("b"), Persistent: true, Priority: 9, ExpiresAt: 1234}))
	f.Add(queue.EncodeRecord(&queue.Message{Body: make([]byte, 65536), ExpiresAt: 5}))
	f.Add([]byte{8, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, rec []byte) {
		var m, again queue.Message
		if !queue.DecodeRecord(rec, &m) {
			return
		}
		if n := queue.BodySize(rec); n != int64(len(m.Body)) {
			t.Errorf("body size is %d, the body has %d", n, len(m.Body))
		}
		if !queue.DecodeRecord(queue.EncodeRecord(&m), &again) || !sameMessage(&m, &again) {
			t.Errorf("%+v became %+v", m, again)
		}
	})
}
