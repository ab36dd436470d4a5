package amqp

import "encoding/binary"

// contentHeaderSize is the least payload of a content header: class, weight and body size.
const contentHeaderSize = 12

// ContentHeader is the payload of a header frame (AMQP 0-9-1, section 4.2.6.1).
type ContentHeader struct {
	Class      uint16
	Weight     uint16 // must be 0; a header with another weight counts as not being one
	BodySize   uint64 // announced by the peer: reserve nothing from it
	Properties []byte // flags and values, not validated; a view of the payload
}

// DecodeContentHeader reads the payload of a header frame. It fails with FRAME_ERROR when it is too short.
func DecodeContentHeader(payload []byte) (ContentHeader, error) {
	if len(payload) < contentHeaderSize {
		return ContentHeader{}, unknownFrame(FrameHeader, payload)
	}
	return ContentHeader{
		Class:      binary.BigEndian.Uint16(payload),
		Weight:     binary.BigEndian.Uint16(payload[2:]),
		BodySize:   binary.BigEndian.Uint64(payload[4:]),
		Properties: payload[contentHeaderSize:],
	}, nil
}

// AppendContentHeader appends a whole header frame; properties are flags and values as on the wire.
func AppendContentHeader(dst []byte, channel, class uint16, bodySize uint64, properties []byte) []byte {
	n := contentHeaderSize + len(properties)
	dst = append(dst, FrameHeader, byte(channel>>8), byte(channel), byte(n>>24), byte(n>>16), byte(n>>8), byte(n),
		byte(class>>8), byte(class), 0, 0)
	dst = binary.BigEndian.AppendUint64(dst, bodySize)
	dst = append(dst, properties...)
	return append(dst, FrameEnd)
}
