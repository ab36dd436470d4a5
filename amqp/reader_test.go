package amqp_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/warren-mq/warren/amqp"
)

// readFrom reads frames until Next or Fill fails, and copies them.
func readFrom(src io.Reader, frameMax uint32) (frames []amqp.Frame, err error) {
	r := amqp.NewReader(src, frameMax)
	defer r.Release()
	for {
		f, ok, err := r.Next()
		if err != nil {
			return frames, err
		}
		if ok {
			f.Payload = bytes.Clone(f.Payload)
			frames = append(frames, f)
			continue
		}
		if err := r.Fill(); err != nil {
			return frames, err
		}
	}
}

// readAll returns the frames of a stream, and its error if that is not its end.
func readAll(t *testing.T, stream []byte, frameMax uint32) ([]amqp.Frame, error) {
	t.Helper()
	frames, err := readFrom(bytes.NewReader(stream), frameMax)
	if err == io.EOF {
		err = nil
	}
	return frames, err
}

func frame(typ byte, channel uint16, payload []byte) []byte {
	dst, mark := amqp.BeginFrame(nil, typ, channel)
	return amqp.EndFrame(append(dst, payload...), mark)
}

func TestReaderYieldsTheSameFramesHoweverTheStreamIsCut(t *testing.T) {
	var stream []byte
	sizes := []int{0, 1, 4, 4096, 0, 131064, 131072, 3, 100_000, 100_000, 7}
	for i, n := range sizes {
		stream = append(stream, frame(byte(i), uint16(i*1000), bytes.Repeat([]byte{byte(i)}, n))...)
	}
	for name, cut := range map[string]func(io.Reader) io.Reader{
		"whole":          func(r io.Reader) io.Reader { return r },
		"octets":         iotest.OneByteReader,
		"halves":         iotest.HalfReader,
		"error with end": iotest.DataErrReader,
	} {
		t.Run(name, func(t *testing.T) {
			frames, err := readFrom(cut(bytes.NewReader(stream)), 131072)
			if err != io.EOF || len(frames) != len(sizes) {
				t.Fatalf("got %d frames and %v, want %d and EOF", len(frames), err, len(sizes))
			}
			for i, f := range frames {
				want := bytes.Repeat([]byte{byte(i)}, sizes[i])
				if f.Type != byte(i) || f.Channel != uint16(i*1000) || !bytes.Equal(f.Payload, want) {
					t.Errorf("frame %d: got type %d, channel %d, %d octets", i, f.Type, f.Channel, len(f.Payload))
				}
			}
		})
	}
}

func TestReaderAcceptsFrameMaxItselfAsPayload(t *testing.T) {
	payload := make([]byte, 4096)
	if frames, err := readAll(t, frame(3, 1, payload), 4096); err != nil || len(frames) != 1 {
		t.Errorf("got %d frames and %v", len(frames), err)
	}
	if frames, err := readAll(t, frame(3, 1, make([]byte, 500_000)), 0); err != nil || len(frames) != 1 {
		t.Errorf("without a limit: got %d frames and %v", len(frames), err)
	}
}

func TestReaderRefusesALargeFrameAtItsHeader(t *testing.T) {
	_, err := readAll(t, []byte{1, 0, 1, 0, 2, 0, 28}, 131072)
	wantError(t, err, "FRAME_ERROR - type 1, all octets = <<>>: {frame_too_large,131100,131064}")
}

func TestSetFrameMaxHoldsFromTheNextFrame(t *testing.T) {
	r := amqp.NewReader(bytes.NewReader(append(frame(3, 1, make([]byte, 4096)), frame(3, 1, make([]byte, 5000))...)), 4096)
	if err := r.Fill(); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := r.Next(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if _, _, err := r.Next(); err == nil {
		t.Fatal("a payload of 5000 octets was accepted with frame_max 4096")
	}
	r.SetFrameMax(8192)
	if _, ok, err := r.Next(); !ok || err != nil {
		t.Fatal(ok, err)
	}
}

func TestReaderRefusesAWrongFrameEnd(t *testing.T) {
	bad := func(typ byte, payload []byte, end byte) []byte {
		b := frame(typ, 1, payload)
		b[len(b)-1] = end
		return b
	}
	for _, c := range []struct {
		stream []byte
		want   string
	}{
		{bad(1, []byte{0, 60, 0, 10}, 0),
			"FRAME_ERROR - type 1, all octets = <<0,60,0,10>>: {invalid_frame_end_marker,0}"},
		{bad(255, []byte("abc"), 205), `FRAME_ERROR - type 255, all octets = <<"abc">>: {invalid_frame_end_marker,205}`},
		// Erlang breaks lines.
		{bad(3, []byte("seventeen octets!"), 205),
			"FRAME_ERROR - type 3, first 16 octets = <<\"seventeen octets\">>: {invalid_frame_end_marker,\n" +
				"                                                   205}"},
		{bad(2, []byte{11, 13, 4, 195, 110, 216, 14, 113, 224, 253, 119, 176}, 0),
			"FRAME_ERROR - type 2, all octets = <<11,13,4,195,110,216,14,113,224,253,119,176>>: {invalid_frame_end_marker,\n" +
				"                                                                      0}"},
		{bad(2, []byte{205, 141, 155, 106, 106, 121, 170, 137, 35, 38, 188, 239, 25, 86, 152, 138, 0}, 207),
			"FRAME_ERROR - type 2, first 16 octets = <<205,141,155,106,106,121,170,137,35,38,188,239,25,\n" +
				"                            86,152,138>>: {invalid_frame_end_marker,207}"},
		{bad(99, []byte{111, 216, 177, 24, 52, 214, 60, 135, 142, 91, 245, 24, 109, 44, 199, 63}, 207),
			"FRAME_ERROR - type 99, all octets = <<111,216,177,24,52,214,60,135,142,91,245,24,109,44,199,\n" +
				"                        63>>: {invalid_frame_end_marker,207}"},
	} {
		_, err := readAll(t, c.stream, 4096)
		wantError(t, err, c.want)
	}
}

func TestReaderStaysAtABadFrame(t *testing.T) {
	r := amqp.NewReader(bytes.NewReader([]byte("\x01\x00\x01\x00\x00\x00\x00\x00")), 4096)
	if err := r.Fill(); err != nil {
		t.Fatal(err)
	}
	_, _, first := r.Next()
	_, ok, second := r.Next()
	if first == nil || second == nil || ok || first.Error() != second.Error() {
		t.Errorf("got %v, then %v", first, second)
	}
}

// script is a reader that follows a script, a step a call.
type script struct {
	steps []step
	calls int
}

type step struct {
	data string
	err  error
}

func (s *script) Read(b []byte) (int, error) {
	s.calls++
	if len(s.steps) == 0 {
		return 0, io.EOF
	}
	next := s.steps[0]
	s.steps = s.steps[1:]
	return copy(b, next.data), next.err
}

func TestFillReadsExactlyOnce(t *testing.T) {
	src := &script{steps: []step{{"\x08\x00\x00", nil}, {"\x00\x00\x00\x00\xCE\x08", nil}}}
	r := amqp.NewReader(src, 4096)
	for i := range 2 {
		if err := r.Fill(); err != nil || src.calls != i+1 {
			t.Fatalf("call %d: %d reads, error %v", i+1, src.calls, err)
		}
	}
	if f, ok, err := r.Next(); !ok || err != nil || f.Type != amqp.FrameHeartbeat {
		t.Errorf("got %v, %v, %v", f, ok, err)
	}
	if r.Buffered() != 1 {
		t.Errorf("%d octets buffered, want 1", r.Buffered())
	}
}

func TestErrorThatComesWithOctetsIsReportedAfterThem(t *testing.T) {
	broken := errors.New("broken")
	r := amqp.NewReader(&script{steps: []step{{string(amqp.AppendHeartbeat(nil)), broken}}}, 4096)
	if err := r.Fill(); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := r.Next(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if err := r.Fill(); err != broken {
		t.Errorf("got %v", err)
	}
	if err := r.Fill(); err != io.EOF {
		t.Errorf("then got %v", err)
	}
}

func TestFillGivesUpOnASourceThatBringsNothing(t *testing.T) {
	r := amqp.NewReader(&script{steps: make([]step, 1000)}, 4096)
	for range 1000 {
		if err := r.Fill(); err != nil {
			if err != io.ErrNoProgress {
				t.Errorf("got %v", err)
			}
			return
		}
	}
	t.Error("no error after 1000 empty reads")
}

func TestFillRefusesToReadOnWhenFramesAreNotTaken(t *testing.T) {
	r := amqp.NewReader(bytes.NewReader(make([]byte, 1<<20)), 4096)
	for range 100 {
		if err := r.Fill(); err != nil {
			if err != io.ErrShortBuffer {
				t.Errorf("got %v", err)
			}
			return
		}
	}
	t.Error("no error after 100 fills")
}

func TestReadProtocolHeader(t *testing.T) {
	r := amqp.NewReader(iotest.OneByteReader(bytes.NewReader(append([]byte("AMQP\x00\x00\x09\x01"), amqp.AppendHeartbeat(nil)...))), 4096)
	h, err := r.ReadProtocolHeader()
	if err != nil || string(h[:]) != "AMQP\x00\x00\x09\x01" {
		t.Fatalf("got %q, %v", h, err)
	}
	for range 8 {
		if err := r.Fill(); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok, err := r.Next(); !ok || err != nil {
		t.Error(ok, err)
	}
	if _, err := amqp.NewReader(bytes.NewReader([]byte("AMQP")), 4096).ReadProtocolHeader(); err != io.EOF {
		t.Errorf("half a header: got %v", err)
	}
}
