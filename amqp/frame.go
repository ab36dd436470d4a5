package amqp

import (
	"encoding/binary"
	"slices"
)

// Frame types (AMQP 0-9-1, section 4.2.3).
const (
	FrameMethod    = 1
	FrameHeader    = 2
	FrameBody      = 3
	FrameHeartbeat = 8
)

// Sizes in octets, and the octet that ends a frame.
const (
	FrameEnd        = 0xCE
	FrameHeaderSize = 7    // type, channel, payload size
	FrameOverhead   = 8    // header and end octet
	FrameMinSize    = 4096 // the least frame_max that may be negotiated, and the one in force before that
)

// Frame is one frame as it came from the peer:
//
//	0      1         3                7        7+n
//	+------+---------+----------------+---------+------+
//	| type | channel | payload size n | payload | 0xCE |
//	+------+---------+----------------+---------+------+
type Frame struct {
	Type    byte
	Channel uint16
	Payload []byte // a view, valid until the next Reader.Fill
}

// BeginFrame appends the header of a frame whose payload the caller appends next, and a mark for EndFrame.
func BeginFrame(dst []byte, typ byte, channel uint16) (out []byte, mark int) {
	mark = len(dst)
	return append(dst, typ, byte(channel>>8), byte(channel), 0, 0, 0, 0), mark
}

// EndFrame completes the frame begun at mark: it fills the payload size in and appends the end octet.
func EndFrame(dst []byte, mark int) []byte {
	binary.BigEndian.PutUint32(dst[mark+3:], uint32(len(dst)-mark-FrameHeaderSize))
	return append(dst, FrameEnd)
}

// AppendHeartbeat appends a heartbeat frame.
func AppendHeartbeat(dst []byte) []byte {
	return append(dst, FrameHeartbeat, 0, 0, 0, 0, 0, 0, FrameEnd)
}

// AppendBody appends the body frames of a content: full ones of frameMax octets, overhead included, and the rest.
// An empty body has no frame. frameMax 0 means no limit.
func AppendBody(dst []byte, channel uint16, body []byte, frameMax uint32) []byte {
	limit := len(body)
	if frameMax > FrameOverhead {
		limit = min(limit, int(frameMax-FrameOverhead))
	}
	if len(body) > limit {
		// All at once: growing by steps would leave several times the body behind as garbage.
		dst = slices.Grow(dst, len(body)+(len(body)+limit-1)/limit*FrameOverhead)
	}
	for len(body) > 0 {
		n := min(limit, len(body))
		dst = append(dst, FrameBody, byte(channel>>8), byte(channel), byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
		dst = append(dst, body[:n]...)
		dst = append(dst, FrameEnd)
		body = body[n:]
	}
	return dst
}

// Check tells whether the frame is one that may be sent at all (RabbitMQ 3.10.8 behaviour): FRAME_ERROR for an
// unknown type, a method or content header too short to be one and a heartbeat with payload, UNEXPECTED_FRAME for
// a heartbeat outside channel 0 and content on it. The order of frames on a channel is the session's business.
func (f Frame) Check() error {
	switch f.Type {
	case FrameMethod:
		if len(f.Payload) < methodHeaderSize {
			return unknownFrame(f.Type, f.Payload)
		}
		return nil
	case FrameHeader:
		if len(f.Payload) < contentHeaderSize {
			return unknownFrame(f.Type, f.Payload)
		}
	case FrameBody:
	case FrameHeartbeat:
		if len(f.Payload) != 0 {
			return unknownFrame(f.Type, f.Payload)
		}
		if f.Channel != 0 {
			return unexpectedFrame(f.Type, f.Payload)
		}
		return nil
	default:
		return unknownFrame(f.Type, f.Payload)
	}
	if f.Channel == 0 {
		return unexpectedFrame(f.Type, f.Payload)
	}
	return nil
}
