package amqp

import (
	"errors"
	"fmt"
)

// ErrMalformed is wrapped by every error about bytes that are not AMQP.
var ErrMalformed = errors.New("malformed frame")

// ErrChannelClosed reports a channel.close-ok in a hot stream: the channel was
// closed on our own wish.
var ErrChannelClosed = errors.New("channel closed")

// CloseError is a channel.close or connection.close sent by the broker.
type CloseError struct {
	Level string // "connection" or "channel"
	Code  uint16
	Text  string
	Cause Method
}

func (e *CloseError) Error() string {
	return fmt.Sprintf("broker closed the %s: %d %s (method %v)", e.Level, e.Code, e.Text, e.Cause)
}

// closeError turns a close method's arguments into an error, or returns nil
// for any other method.
func closeError(m Method, args []byte) error {
	var level string
	switch m {
	case ConnectionClose:
		level = "connection"
	case ChannelClose:
		level = "channel"
	default:
		return nil
	}
	r := Reader{P: args}
	e := &CloseError{Level: level, Code: r.U16(), Text: r.Short()}
	e.Cause = Method(r.U32())
	return e
}

// unexpected is the error for a method that was not to come here.
func unexpected(m Method, args []byte) error {
	if err := closeError(m, args); err != nil {
		return err
	}
	return fmt.Errorf("unexpected method %v from the broker", m)
}
