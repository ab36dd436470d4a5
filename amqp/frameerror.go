package amqp

import "fmt"

// The texts are those of RabbitMQ 3.10.8, which prints Erlang terms into them.

// snippetSize is how many octets of a payload are shown.
const snippetSize = 16

func describeFrame(typ byte, payload []byte) string {
	share := "all"
	if len(payload) > snippetSize {
		share, payload = "first 16", payload[:snippetSize]
	}
	return fmt.Sprintf("type %d, %s octets = %s", typ, share, ErlangBinary(payload))
}

func frameError(typ byte, payload []byte, term string) *Error {
	return Errorf(FrameError, "%s: %s", describeFrame(typ, payload), term)
}

func unknownFrame(typ byte, payload []byte) *Error { return frameError(typ, payload, "unknown_frame") }

func unexpectedFrame(typ byte, payload []byte) *Error {
	return Errorf(UnexpectedFrame, "%s", describeFrame(typ, payload))
}

func frameTooLarge(typ byte, size, frameMax uint32) *Error {
	return frameError(typ, nil, fmt.Sprintf("{frame_too_large,%d,%d}", size, int64(frameMax)-FrameOverhead))
}

func invalidFrameEnd(typ byte, payload []byte, end byte) *Error {
	return frameError(typ, payload, fmt.Sprintf("{invalid_frame_end_marker,%d}", end))
}
