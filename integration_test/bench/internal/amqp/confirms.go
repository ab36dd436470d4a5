package amqp

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Confirms follows the publisher confirms of one channel. It copes with
// single confirms out of order, as long as no more than its window of
// messages is outstanding.
type Confirms struct {
	// Count is how many messages have been confirmed, Low the tag up to which
	// all of them have been.
	Count uint64
	Low   uint64
	// Sent is the tag of the last message that was published; a confirm beyond
	// it is an error. The owner sets it, or leaves it at zero to check nothing.
	Sent uint64
	// OnConfirm, when set, is called once for each confirmed tag.
	OnConfirm func(tag uint64)

	done []uint64 // bit set over tags above Low that are confirmed already
	mask uint64
}

// NewConfirms makes a tracker for at most window outstanding messages.
func NewConfirms(window int) *Confirms {
	n := uint64(64)
	for n < uint64(window)+64 {
		n <<= 1
	}
	return &Confirms{done: make([]uint64, n/64), mask: n - 1}
}

// Feed is like Deliveries.Feed for a stream of basic.ack.
func (c *Confirms) Feed(p []byte) (int, error) {
	i := 0
	for len(p)-i >= FramePrefix {
		q := p[i:]
		size, whole, err := frameAt(q)
		if err != nil || !whole {
			return i, err
		}
		switch q[0] {
		case FrameMethod:
			if size < 4 {
				return i, fmt.Errorf("%w: method frame of %d bytes", ErrMalformed, size)
			}
			m := Method(binary.BigEndian.Uint32(q[FramePrefix:]))
			switch {
			case m == BasicAck && size == 13:
				tag := binary.BigEndian.Uint64(q[FramePrefix+4:])
				if err := c.ack(tag, q[FramePrefix+12]&1 != 0); err != nil {
					return i, err
				}
			case m == ChannelCloseOk:
				return i + size + FrameOverhead, ErrChannelClosed
			case m == BasicNack:
				return i, errors.New("the broker rejected a published message (basic.nack)")
			case m == BasicReturn:
				return i, errors.New("the broker returned a published message (basic.return)")
			default:
				return i, unexpected(m, q[FramePrefix+4:FramePrefix+size])
			}
		case FrameHeartbeat:
		default:
			return i, fmt.Errorf("%w: frame type %d among confirms", ErrMalformed, q[0])
		}
		i += size + FrameOverhead
	}
	return i, nil
}

func (c *Confirms) ack(tag uint64, multiple bool) error {
	if c.Sent != 0 && tag > c.Sent {
		return fmt.Errorf("confirm of tag %d, but only %d messages were published", tag, c.Sent)
	}
	if tag <= c.Low {
		if multiple { // nothing new: allowed
			return nil
		}
		return fmt.Errorf("tag %d was confirmed twice", tag)
	}
	if tag-c.Low > c.mask {
		return fmt.Errorf("confirm of tag %d is outside of the window above %d", tag, c.Low)
	}
	if !multiple && tag != c.Low+1 {
		w, bit := &c.done[tag&c.mask>>6], uint64(1)<<(tag&63)
		if *w&bit != 0 {
			return fmt.Errorf("tag %d was confirmed twice", tag)
		}
		*w |= bit
		c.confirmed(tag)
		return nil
	}
	for c.Low < tag {
		c.step(false)
	}
	for c.isDone(c.Low + 1) {
		c.step(true)
	}
	return nil
}

// step moves Low up by one, over a tag that either was confirmed before
// (its bit is then cleared) or is confirmed now.
func (c *Confirms) step(before bool) {
	t := c.Low + 1
	w, bit := &c.done[t&c.mask>>6], uint64(1)<<(t&63)
	c.Low = t
	if before || *w&bit != 0 {
		*w &^= bit
		return
	}
	c.confirmed(t)
}

func (c *Confirms) isDone(t uint64) bool { return c.done[t&c.mask>>6]&(1<<(t&63)) != 0 }

func (c *Confirms) confirmed(tag uint64) {
	c.Count++
	if c.OnConfirm != nil {
		c.OnConfirm(tag)
	}
}
