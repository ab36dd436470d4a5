package amqp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// MaxInput is the largest size of a read buffer. It is well above the largest
// frame, so that a whole frame always fits.
const MaxInput = 256 << 10

// errEOF is what a peer's orderly close of the socket looks like.
var errEOF = errors.New("the peer closed the socket")

// Input is a read buffer over a socket. It starts small and grows while reads
// fill it.
type Input struct {
	src  io.Reader
	buf  []byte
	r, w int // buf[r:w] has been read and not discarded
}

// NewInput makes an Input with a buffer of the given first size.
func NewInput(src io.Reader, size int) *Input {
	return &Input{src: src, buf: make([]byte, min(max(size, 1<<10), MaxInput))}
}

// Buffered returns the bytes that have been read and not discarded.
func (in *Input) Buffered() []byte { return in.buf[in.r:in.w] }

// Discard consumes the first n buffered bytes.
func (in *Input) Discard(n int) { in.r += n }

// Fill reads once from the socket, behind what is buffered already.
func (in *Input) Fill() error {
	if in.r == in.w {
		in.r, in.w = 0, 0
	} else if len(in.buf)-in.w < len(in.buf)/4 {
		in.w = copy(in.buf, in.buf[in.r:in.w])
		in.r = 0
	}
	if in.w == len(in.buf) {
		return fmt.Errorf("%w: frame larger than %d bytes", ErrMalformed, len(in.buf))
	}
	n, err := in.src.Read(in.buf[in.w:])
	if err != nil {
		if errors.Is(err, io.EOF) {
			return errEOF
		}
		return err
	}
	if in.w += n; in.w == len(in.buf) && len(in.buf) < MaxInput {
		grown := make([]byte, 2*len(in.buf))
		in.w = copy(grown, in.buf[in.r:in.w])
		in.r, in.buf = 0, grown
	}
	return nil
}

// frameAt looks at the frame that starts at p[0]. It returns the payload
// size and whether the whole frame is in p; a whole frame's end octet has
// been checked.
func frameAt(p []byte) (size int, whole bool, err error) {
	size = int(binary.BigEndian.Uint32(p[3:]))
	if len(p) < size+FrameOverhead {
		return size, false, nil
	}
	if p[FramePrefix+size] != FrameEnd {
		return 0, false, fmt.Errorf("%w: type %d, channel %d, size %d: bad end octet", ErrMalformed,
			p[0], binary.BigEndian.Uint16(p[1:]), size)
	}
	return size, true, nil
}
