package amqp

import "fmt"

// ReplyCode is the code of a close or return (AMQP 0-9-1, section 1.2).
type ReplyCode uint16

// Error is what a peer did wrong, or what the broker tells it: a connection.close or channel.close, as Code.Hard
// says, or a basic.return. The same value serves HTTP.
type Error struct {
	Code   ReplyCode
	Reason string   // explanation without the name of the code; may be empty
	Method MethodID // the method that failed, 0 if the error is not tied to one
}

// Errorf returns an Error that is not tied to a method.
func Errorf(code ReplyCode, format string, args ...any) *Error {
	return &Error{Code: code, Reason: fmt.Sprintf(format, args...)}
}

// Error returns code, name, reason and method in full, for logs.
func (e *Error) Error() string {
	s := fmt.Sprintf("%d %s", uint16(e.Code), e.text())
	if e.Method != 0 {
		s += " (" + e.Method.String() + ")"
	}
	return s
}

// Is reports whether target is an *Error with the same code and, unless it has none, the same reason.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && (t.Reason == "" || t.Reason == e.Reason)
}

// maxReplyText is the longest reply text in octets: it is a short string.
const maxReplyText = maxShortstr

// ReplyText returns the text for the wire: the name of the code and, if there is one, the reason. A longer one than
// fits is cut and ends in three dots, as in RabbitMQ 3.10.8, though never within a character.
func (e *Error) ReplyText() string {
	s := e.text()
	if len(s) <= maxReplyText {
		return s
	}
	return cutText(s, maxReplyText-len("...")) + "..."
}

func (e *Error) text() string {
	if e.Reason == "" {
		return e.Code.Name()
	}
	return e.Code.Name() + " - " + e.Reason
}

// Resource renders an exchange or queue as RabbitMQ's reply texts do: queue 'NAME' in vhost 'VHOST'.
func Resource(kind, name, vhost string) string {
	return kind + " '" + name + "' in vhost '" + vhost + "'"
}

// ErrTable matches, with errors.Is, what DecodeTable and its kin return for a table or value that cannot be decoded.
// (RabbitMQ resets the connection when it meets one in a method.)
var ErrTable error = &Error{Code: SyntaxError}

func tableErrorf(format string, args ...any) *Error {
	return Errorf(SyntaxError, "undecodable field table: "+format, args...)
}
