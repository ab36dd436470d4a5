package amqp

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// idleSource notes whether the reader holds a buffer while it waits.
type idleSource struct {
	r      *Reader
	chunks []string
	held   []bool
	err    error
}

func (s *idleSource) WaitReadable() error {
	s.held = append(s.held, s.r.buf != nil)
	return s.err
}

func (s *idleSource) Read(b []byte) (int, error) {
	if len(s.chunks) == 0 {
		return 0, io.EOF
	}
	n := copy(b, s.chunks[0])
	s.chunks = s.chunks[1:]
	return n, nil
}

func TestReaderHoldsNoBufferWhileItWaits(t *testing.T) {
	heartbeat := string(AppendHeartbeat(nil))
	src := &idleSource{chunks: []string{heartbeat + heartbeat[:3], heartbeat[3:]}}
	src.r = NewReader(src, 4096)
	frames := 0
	for {
		if f, ok, err := src.r.Next(); err != nil {
			t.Fatal(err)
		} else if ok {
			if f.Type != FrameHeartbeat || f.Channel != 0 || len(f.Payload) != 0 {
				t.Errorf("got %v", f)
			}
			frames++
			continue
		}
		if err := src.r.Fill(); err != nil {
			break
		}
	}
	if frames != 2 {
		t.Errorf("got %d frames", frames)
	}
	// At first, in the middle of the second frame, after it.
	if len(src.held) != 3 || src.held[0] || src.held[1] || src.held[2] {
		t.Errorf("buffer held while waiting: %v", src.held)
	}
	src.r.Release()
	if src.r.buf != nil {
		t.Error("the buffer is kept after Release")
	}
}

func TestReaderKeepsTheBufferWhenMoreIsLikelyThere(t *testing.T) {
	heartbeats := strings.Repeat(string(AppendHeartbeat(nil)), readBufferSize/FrameOverhead-1)
	src := &idleSource{chunks: []string{heartbeats + "\x03\x00\x01\x00\x00\x00\x01x", "\xCE"}}
	src.r = NewReader(src, 4096)
	for range 2 {
		if err := src.r.Fill(); err != nil {
			t.Fatal(err)
		}
		for ok := true; ok; {
			var err error
			if _, ok, err = src.r.Next(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(src.held) != 1 || src.r.Buffered() != 0 {
		t.Errorf("waited %d times, %d octets left", len(src.held), src.r.Buffered())
	}
}

func TestFrameIsNotLostWhenWaitingFails(t *testing.T) {
	src := &idleSource{chunks: []string{"\x08\x00"}}
	src.r = NewReader(src, 4096)
	if err := src.r.Fill(); err != nil {
		t.Fatal(err)
	}
	src.err = errors.New("closed")
	if err := src.r.Fill(); err != src.err || src.r.Buffered() != 2 {
		t.Errorf("got %v with %d octets buffered", err, src.r.Buffered())
	}
}

func TestErrorOfWaitReadableIsReturned(t *testing.T) {
	closed := errors.New("closed")
	src := &idleSource{err: closed}
	src.r = NewReader(src, 4096)
	if err := src.r.Fill(); err != closed {
		t.Errorf("got %v", err)
	}
	if _, ok, err := src.r.Next(); ok || err != nil {
		t.Errorf("then got %v, %v", ok, err)
	}
}

// trickle brings 1000 octets a read, behind the header of a frame that announces size.
type trickle struct {
	header []byte
	left   int
}

func (s *trickle) Read(b []byte) (int, error) {
	if n := copy(b, s.header); n > 0 {
		s.header = s.header[n:]
		return n, nil
	}
	if s.left == 0 {
		return 0, io.EOF
	}
	n := min(1000, s.left, len(b))
	clear(b[:n])
	s.left -= n
	return n, nil
}

func TestReaderReservesNothingFromAnnouncedLengths(t *testing.T) {
	src := &trickle{header: []byte{3, 0, 1, 0x7F, 0xFF, 0xFF, 0}, left: 1_000_000} // announces 2 GiB
	r := NewReader(src, 0)
	for {
		if _, ok, err := r.Next(); ok || err != nil {
			t.Fatal(ok, err)
		}
		err := r.Fill()
		if limit := max(readBufferSize, 2*r.Buffered()); cap(r.buf) > limit {
			t.Fatalf("%d octets have arrived and %d are reserved", r.Buffered(), cap(r.buf))
		}
		if err != nil {
			break
		}
	}
	if r.Buffered() != 1_000_007 {
		t.Errorf("got %d octets", r.Buffered())
	}
}

func TestReaderGrowsUpToItsFrameAndShrinksAfterIt(t *testing.T) {
	const size = 500_000
	header := []byte{3, 0, 1, 0, size >> 16, size >> 8 & 0xFF, size & 0xFF}
	r := NewReader(&trickle{header: header, left: size}, 0)
	for r.Buffered() < FrameHeaderSize+size {
		if err := r.Fill(); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.buf) != size+FrameOverhead {
		t.Errorf("the buffer has %d octets", len(r.buf))
	}
	r.start = r.end // as if the frame had been taken
	if err := r.Fill(); err != io.EOF {
		t.Fatal(err)
	}
	if len(r.buf) != readBufferSize {
		t.Errorf("then the buffer has %d octets", len(r.buf))
	}
}
