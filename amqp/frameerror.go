package amqp

import (
	"fmt"
	"strings"
)

// The texts are those of RabbitMQ 3.10.8, which prints Erlang terms into them.

// snippetSize is how many octets of a payload are shown.
const snippetSize = 16

// describeFrame tells type and first octets, and at which column the text ends: what Erlang prints behind it depends
// on that.
func describeFrame(typ byte, payload []byte) (text string, column int) {
	share := "all"
	if len(payload) > snippetSize {
		share, payload = "first 16", payload[:snippetSize]
	}
	text = fmt.Sprintf("type %d, %s octets = ", typ, share)
	text += erlangBinaryAt(len(text), payload)
	return text, len(text) - (strings.LastIndexByte(text, '\n') + 1)
}

func unknownFrame(typ byte, payload []byte) *Error {
	text, _ := describeFrame(typ, payload)
	return Errorf(FrameError, "%s: unknown_frame", text)
}

// UnexpectedFrameError is UNEXPECTED_FRAME for a frame that is out of place in the session.
func UnexpectedFrameError(f Frame) *Error { return unexpectedFrame(f.Type, f.Payload) }

func unexpectedFrame(typ byte, payload []byte) *Error {
	text, _ := describeFrame(typ, payload)
	return Errorf(UnexpectedFrame, "%s", text)
}

func frameTooLarge(typ byte, size, frameMax uint32) *Error {
	text, _ := describeFrame(typ, nil)
	return Errorf(FrameError, "%s: {frame_too_large,%d,%d}", text, size, int64(frameMax)-FrameOverhead)
}

func invalidFrameEnd(typ byte, payload []byte, end byte) *Error {
	text, column := describeFrame(typ, payload)
	term := fmt.Sprintf("{invalid_frame_end_marker,%d}", end)
	if column += len(": "); len(term) >= erlangLine-1-column {
		term = fmt.Sprintf("{invalid_frame_end_marker,\n%*s%d}", column+1, "", end)
	}
	return Errorf(FrameError, "%s: %s", text, term)
}
