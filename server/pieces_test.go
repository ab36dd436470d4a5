package server

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestPiecesAddUpToTheBody, also in memory that another body had before, and beyond what pools hold.
func TestPiecesAddUpToTheBody(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		var body, want []byte
		for range 1 + r.IntN(40) {
			piece := make([]byte, 1+r.IntN(128<<10))
			for i := 0; i < len(piece); i += 97 {
				piece[i] = byte(r.Uint32())
			}
			announced := uint64(len(want) + len(piece) + r.IntN(2)*10<<20)
			body = growBody(body, bodyRoom(body, len(piece), announced))
			body, want = append(body, piece...), append(want, piece...)
		}
		if !bytes.Equal(body, want) {
			t.Fatalf("%d bytes came as %d, or changed", len(want), len(body))
		}
		recycleBody(body)
	}
}

// TestOutboxKeepsItsBytesWhenItMakesRoom for a large message.
func TestOutboxKeepsItsBytesWhenItMakesRoom(t *testing.T) {
	o := newOutbox(nil)
	o.lock()
	o.buf = append(o.buf, "before"...)
	o.reserve(1 << 20)
	if cap(o.buf) != outboxLarge || string(o.buf) != "before" {
		t.Errorf("%d bytes of room with %q", cap(o.buf), o.buf)
	}
	o.unlock()
}
