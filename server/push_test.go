package server

import (
	"bytes"
	"math/rand/v2"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// stubbornSocket takes at once as much as it is told to, and the rest once it is let.
type stubbornSocket struct {
	net.Conn
	atOnce func(n int) int
	let    chan struct{} // closed: take everything
	taken  []byte
}

func (s *stubbornSocket) Write(b []byte) (int, error) {
	<-s.let
	s.taken = append(s.taken, b...)
	return len(b), nil
}

func (s *stubbornSocket) writeNow(b []byte) (int, error) {
	n := s.atOnce(len(b))
	s.taken = append(s.taken, b[:n]...)
	return n, nil
}

func (s *stubbornSocket) outbox() *outbox {
	o := newOutbox(s)
	o.writeNow = s.writeNow
	return o
}

func (o *outbox) appendBytes(b []byte) {
	o.lock()
	o.buf = append(o.buf, b...)
	o.unlock()
}

// TestPushedBytesKeepTheirOrder, however much the socket takes at once.
func TestPushedBytesKeepTheirOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	s := &stubbornSocket{let: make(chan struct{}), atOnce: func(n int) int { return min(n, r.IntN(300)) }}
	close(s.let)
	o := s.outbox()
	var b brake
	var want []byte
	for range 2000 {
		piece := make([]byte, 1+r.IntN(200))
		for i := range piece {
			piece[i] = byte(r.Uint32())
		}
		want = append(want, piece...)
		o.appendBytes(piece)
		switch r.IntN(4) {
		case 0:
			o.pushLittle()
		case 1, 2:
			b.used = false
			o.push(&b)
		}
	}
	o.flush()
	if !bytes.Equal(s.taken, want) {
		t.Fatalf("%d bytes came as %d, or in another order", len(want), len(s.taken))
	}
	if n := o.sent.Load(); n != uint64(len(want)) {
		t.Errorf("%d bytes are counted, want %d", n, len(want))
	}
}

// TestTheCommitterWritesOnlyWhatIsLittle: confirms go out before it goes on, all else is a writer's.
func TestTheCommitterWritesOnlyWhatIsLittle(t *testing.T) {
	s := &stubbornSocket{let: make(chan struct{}), atOnce: func(n int) int { return n }}
	o := s.outbox()
	o.appendBytes(make([]byte, littleBytes))
	o.pushLittle()
	if len(s.taken) != littleBytes {
		t.Errorf("%d bytes were written", len(s.taken))
	}
	o.appendBytes(make([]byte, littleBytes+1))
	o.pushLittle()
	o.mu.Lock()
	if !o.writing {
		t.Error("nobody writes what is more")
	}
	o.mu.Unlock()
	close(s.let)
	o.flush()
	if want := 2*littleBytes + 1; len(s.taken) != want {
		t.Errorf("%d bytes came, want %d", len(s.taken), want)
	}
}

// TestReaderWaitsOnceForASlowClient: at its first full socket, and again only when it has caught up.
func TestReaderWaitsOnceForASlowClient(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &stubbornSocket{let: make(chan struct{}), atOnce: func(int) int { return 0 }}
		o := s.outbox()
		push := func() time.Duration {
			o.appendBytes(make([]byte, brakeAt))
			start := time.Now()
			o.push(new(brake))
			return since(start)
		}
		if d := push(); d != brakeTime {
			t.Errorf("the first push takes %v, want %v", d, brakeTime)
		}
		if d := push(); d != 0 {
			t.Errorf("the second one takes %v", d)
		}
		close(s.let)
		synctest.Wait()
		s.let = make(chan struct{})
		if d := push(); d != brakeTime {
			t.Errorf("after the client has caught up, %v, want %v", d, brakeTime)
		}
		close(s.let)
	})
}

// TestReaderGoesOnWhenTheClientHasTakenAll, before its time is over, and waits in one batch but once.
func TestReaderGoesOnWhenTheClientHasTakenAll(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &stubbornSocket{let: make(chan struct{}), atOnce: func(int) int { return 0 }}
		o := s.outbox()
		time.AfterFunc(brakeTime/4, func() { close(s.let) })
		var b brake
		o.appendBytes([]byte("first"))
		start := time.Now()
		o.push(&b)
		if d := since(start); d != brakeTime/4 {
			t.Errorf("the push takes %v, want %v", d, brakeTime/4)
		}
		s.let = make(chan struct{})
		o.appendBytes([]byte("second"))
		start = time.Now()
		o.push(&b)
		if d := since(start); d != 0 {
			t.Errorf("the second push of the batch takes %v", d)
		}
		close(s.let)
	})
}
