package amqp

import (
	"encoding/binary"
	"io"
	"math"
	"sync"
)

// Reader cuts a byte stream into frames, which are views of its buffer. One goroutine uses it:
//
//	for {
//		f, ok, err := r.Next() // until ok is false: the read batch is done
//		…
//		err = r.Fill()         // one read
//	}
//
// The buffer grows only with bytes that have arrived, whatever length a frame announces.
type Reader struct {
	src    io.Reader
	waiter interface{ WaitReadable() error } // src, if it can wait without a buffer; else nil

	buf    []byte // nil while given back; from bufferPool if it has the size of one
	start  int    // of what is not yet parsed
	end    int    // of what has been read
	short  bool   // the last read did not fill the buffer, so the next one may block
	parked []byte // an incomplete frame while buf is given back
	err    error  // of a read that also brought bytes; due at the next Fill
	empty  int    // reads in a row that brought nothing
	limit  uint32 // largest payload accepted
	strict uint32 // frame_max as set, for the error text; 0 means no limit
}

// readBufferSize holds the largest frame of the default frame_max, 131,072 octets of payload, and some small ones
// before it. It is a multiple of the allocator's page.
const readBufferSize = 136 << 10

var bufferPool = sync.Pool{New: func() any { return new([readBufferSize]byte) }}

// parkedMax is the largest incomplete frame that is put aside while the buffer is given back: until connection.tune, any.
const parkedMax = FrameMinSize

// maxEmptyReads is how often src may return nothing and no error before Fill gives up.
const maxEmptyReads = 100

// NewReader returns a Reader of src that refuses frames whose payload is larger than frameMax; 0 means no limit.
// RabbitMQ 3.10.8 accepts frame_max itself as payload size, eight octets more than the specification.
//
// If src has a method WaitReadable() error that returns when a read will not block, a Reader that waits keeps no buffer:
// neither an idle connection nor one that stalls early in a frame costs more than what it has sent.
func NewReader(src io.Reader, frameMax uint32) *Reader {
	r := &Reader{src: src}
	r.waiter, _ = src.(interface{ WaitReadable() error })
	r.SetFrameMax(frameMax)
	return r
}

// SetFrameMax changes the largest payload accepted from the next frame on; 0 means no limit.
func (r *Reader) SetFrameMax(frameMax uint32) {
	r.strict, r.limit = frameMax, frameMax
	if frameMax == 0 {
		r.limit = math.MaxUint32
		if math.MaxInt == math.MaxInt32 {
			r.limit = math.MaxInt32 - FrameOverhead // a larger frame cannot be indexed
		}
	}
}

// Buffered returns how many octets are read but not yet parsed. After an error from Fill it tells whether the stream
// ended within a frame.
func (r *Reader) Buffered() int { return r.end - r.start }

// Next returns the next frame if it is buffered as a whole; ok is false if Fill must be called first.
//
// It fails with FRAME_ERROR when a frame is too large, as soon as its header is there, or does not end with the end
// octet. The stream is then out of step: nothing more can be read, and calling Next again returns the same error.
func (r *Reader) Next() (f Frame, ok bool, err error) {
	b := r.buf[r.start:r.end]
	if len(b) < FrameHeaderSize {
		return Frame{}, false, nil
	}
	size := binary.BigEndian.Uint32(b[3:])
	if size > r.limit {
		return Frame{}, false, frameTooLarge(b[0], size, r.strict)
	}
	end := FrameHeaderSize + int(size)
	if len(b) <= end {
		return Frame{}, false, nil
	}
	f = Frame{Type: b[0], Channel: binary.BigEndian.Uint16(b[1:]), Payload: b[FrameHeaderSize:end:end]}
	if b[end] != FrameEnd {
		return Frame{}, false, invalidFrameEnd(f.Type, f.Payload, b[end])
	}
	r.start += end + 1
	return f, true, nil
}

// ReadProtocolHeader returns the eight octets that open a connection. It is called before the first Next.
func (r *Reader) ReadProtocolHeader() (header [8]byte, err error) {
	for r.Buffered() < len(header) {
		if err := r.Fill(); err != nil {
			return header, err
		}
	}
	r.start += copy(header[:], r.buf[r.start:r.end])
	return header, nil
}

// Fill reads once from src, behind what is buffered. All frames returned by Next become invalid. It returns what the
// read returned; an error that comes with bytes is kept for the next call.
func (r *Reader) Fill() error {
	if err := r.err; err != nil {
		r.err = nil
		return err
	}
	if err := r.makeRoom(); err != nil {
		return err
	}
	room := r.buf[r.end:]
	n, err := r.src.Read(room)
	r.end += n
	r.short = n < len(room)
	if n > 0 {
		r.empty, r.err = 0, err
		return nil
	}
	if err == nil {
		if r.empty++; r.empty >= maxEmptyReads {
			return io.ErrNoProgress
		}
	}
	return err
}

// makeRoom leaves room to read into, most often all of the buffer.
func (r *Reader) makeRoom() error {
	if r.start == r.end {
		return r.refresh()
	}
	if r.waiter != nil && r.short && r.Buffered() <= parkedMax {
		return r.park()
	}
	if r.start > 0 {
		// Moving costs at most one incomplete frame per read, and makes the read as large as it can be.
		r.end = copy(r.buf, r.buf[r.start:r.end])
		r.start = 0
	}
	if r.end == len(r.buf) {
		return r.grow()
	}
	return nil
}

// refresh starts over with an empty buffer. It gives the old one back while it waits, if src can wait.
func (r *Reader) refresh() error {
	r.start, r.end = 0, 0
	if r.waiter != nil {
		r.Release()
		if err := r.waiter.WaitReadable(); err != nil {
			return err
		}
	}
	if len(r.buf) != readBufferSize {
		r.buf = bufferPool.Get().(*[readBufferSize]byte)[:]
	}
	return nil
}

// park puts an incomplete frame aside and gives the buffer back while it waits for the rest.
func (r *Reader) park() error {
	r.parked = append(r.parked[:0], r.buf[r.start:r.end]...)
	r.Release()
	err := r.waiter.WaitReadable()
	r.buf = bufferPool.Get().(*[readBufferSize]byte)[:]
	r.end = copy(r.buf, r.parked)
	return err
}

// grow doubles a buffer that is full with an incomplete frame, up to what the frame takes. It fails if the frame is
// complete or too large: the caller has not asked Next.
func (r *Reader) grow() error {
	size := binary.BigEndian.Uint32(r.buf[3:])
	total := int64(size) + FrameOverhead
	if size > r.limit || total <= int64(len(r.buf)) {
		return io.ErrShortBuffer
	}
	buf := make([]byte, min(2*int64(len(r.buf)), total))
	end := copy(buf, r.buf)
	r.Release()
	r.buf, r.end = buf, end
	return nil
}

// Release gives the buffer back. The Reader can still be used, but what was buffered and all frames are lost.
func (r *Reader) Release() {
	if len(r.buf) == readBufferSize {
		bufferPool.Put((*[readBufferSize]byte)(r.buf))
	}
	r.buf, r.start, r.end = nil, 0, 0
}
