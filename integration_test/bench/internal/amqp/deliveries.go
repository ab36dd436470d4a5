package amqp

import (
	"encoding/binary"
	"fmt"
)

// Deliveries counts the messages of a basic.deliver stream on one channel.
// Feed it whatever bytes arrive, in order.
//
// Body frames may be consumed in pieces, so that large bodies are never moved
// in the read buffer. Every end octet, the order of the frames, the body
// sizes and the delivery tags (which must count up by one) are checked.
type Deliveries struct {
	Count       uint64 // complete messages
	Bytes       uint64 // their body bytes
	Tag         uint64 // delivery tag of the last complete message
	Redelivered uint64 // messages that carried the redelivered flag

	// OnBody, when set, is given each complete single-frame body.
	OnBody func(body []byte)

	state    int    // what the next frame must be
	nextTag  uint64 // tag of the message being read
	left     uint64 // body bytes still missing of that message
	size     uint64 // its body size
	skip     int    // payload bytes left of a body frame consumed in part
	skipTail bool   // the end octet of that frame is still to come
}

const (
	wantMethod = iota
	wantHeader
	wantBody
)

// Feed consumes as much of p as it can and returns how many bytes that were.
// What it leaves is the start of a frame that is not complete yet.
func (d *Deliveries) Feed(p []byte) (int, error) {
	i := 0
	for {
		if d.skipTail {
			n := min(d.skip, len(p)-i)
			d.skip -= n
			i += n
			if d.skip > 0 || i == len(p) {
				return i, nil
			}
			if p[i] != FrameEnd {
				return i, fmt.Errorf("%w: bad end octet after a body", ErrMalformed)
			}
			i++
			d.skipTail = false
			if d.left == 0 {
				d.complete()
			}
		}
		if len(p)-i < FramePrefix {
			return i, nil
		}
		q := p[i:]
		size, whole, err := frameAt(q)
		if err != nil {
			return i, err
		}
		switch q[0] {
		case FrameMethod:
			if !whole {
				return i, nil
			}
			if size < 4 {
				return i, fmt.Errorf("%w: method frame of %d bytes", ErrMalformed, size)
			}
			m := Method(binary.BigEndian.Uint32(q[FramePrefix:]))
			if m == ChannelCloseOk {
				return i + size + FrameOverhead, ErrChannelClosed
			}
			if m != BasicDeliver {
				return i, unexpected(m, q[FramePrefix+4:FramePrefix+size])
			}
			if d.state != wantMethod {
				return i, fmt.Errorf("%w: basic.deliver inside a message", ErrMalformed)
			}
			ctag := int(q[FramePrefix+4])
			at := FramePrefix + 5 + ctag
			if 5+ctag+9 > size {
				return i, fmt.Errorf("%w: short basic.deliver", ErrMalformed)
			}
			d.nextTag = binary.BigEndian.Uint64(q[at:])
			if d.nextTag != d.Tag+1 {
				return i, fmt.Errorf("%w: delivery tag %d after %d", ErrMalformed, d.nextTag, d.Tag)
			}
			if q[at+8] != 0 {
				d.Redelivered++
			}
			d.state = wantHeader
		case FrameHeader:
			if !whole {
				return i, nil
			}
			if d.state != wantHeader || size < 14 {
				return i, fmt.Errorf("%w: content header out of place", ErrMalformed)
			}
			d.size = binary.BigEndian.Uint64(q[FramePrefix+4:])
			d.left = d.size
			d.state = wantBody
			if d.left == 0 {
				d.complete()
			}
		case FrameBody:
			if d.state != wantBody || uint64(size) > d.left || size == 0 {
				return i, fmt.Errorf("%w: body frame of %d bytes where %d are left", ErrMalformed, size, d.left)
			}
			if !whole {
				if d.OnBody != nil {
					return i, nil // wait for all of it
				}
				d.left -= uint64(size)
				d.skip, d.skipTail = size, true
				i += FramePrefix
				continue
			}
			if d.OnBody != nil && uint64(size) == d.size {
				d.OnBody(q[FramePrefix : FramePrefix+size])
			}
			d.left -= uint64(size)
			if d.left == 0 {
				d.complete()
			}
		case FrameHeartbeat:
			if !whole {
				return i, nil
			}
		default:
			return i, fmt.Errorf("%w: frame type %d", ErrMalformed, q[0])
		}
		i += size + FrameOverhead
	}
}

func (d *Deliveries) complete() {
	d.Count++
	d.Bytes += d.size
	d.Tag = d.nextTag
	d.state = wantMethod
}
