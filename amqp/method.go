package amqp

import (
	"encoding/binary"
	"fmt"
)

// methodHeaderSize is the part of a method's payload before its arguments: class and method.
const methodHeaderSize = 4

// MethodID names a method: the class in the upper half, the method in the lower.
type MethodID uint32

// Class returns the id of the class.
func (id MethodID) Class() uint16 { return uint16(id >> 16) }

// Method returns the id within the class.
func (id MethodID) Method() uint16 { return uint16(id) }

// String returns the name as in "basic.publish", or the numbers of a method that does not exist.
func (id MethodID) String() string {
	if name := methodName(id); name != "" {
		return name
	}
	return fmt.Sprintf("%d.%d", id.Class(), id.Method())
}

// Known tells whether there is such a method.
func (id MethodID) Known() bool { return methodName(id) != "" }

// Method is any method. Append appends class, method and arguments; Decode reads the arguments alone and fails with
// FRAME_ERROR when there are too few or too many octets or a short string is not UTF-8, and with SYNTAX_ERROR
// ([ErrTable]) when a field table cannot be decoded.
type Method interface {
	ID() MethodID
	Append(dst []byte) []byte
	Decode(args []byte) error
}

// SplitMethod splits the payload of a method frame. It fails with FRAME_ERROR when it is too short and with
// COMMAND_INVALID when there is no such method. (RabbitMQ resets the connection for the latter.)
func SplitMethod(payload []byte) (id MethodID, args []byte, err error) {
	if len(payload) < methodHeaderSize {
		return 0, nil, unknownFrame(FrameMethod, payload)
	}
	id = MethodID(binary.BigEndian.Uint32(payload))
	if id != BasicPublishID && !id.Known() {
		return id, nil, &Error{
			Code:   CommandInvalid,
			Reason: fmt.Sprintf("unknown method: class %d, method %d", id.Class(), id.Method()),
			Method: id,
		}
	}
	return id, payload[methodHeaderSize:], nil
}

// AppendMethod appends a whole method frame. Paths that run per message append theirs between BeginFrame and
// EndFrame instead, where the method need not become an interface.
func AppendMethod(dst []byte, channel uint16, m Method) []byte {
	dst, mark := BeginFrame(dst, FrameMethod, channel)
	return EndFrame(m.Append(dst), mark)
}
