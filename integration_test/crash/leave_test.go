package crash_test

import (
	"net"
	"testing"

	"github.com/warren-mq/warren/amqp"
)

// TestABrokerThatTakesLeaveIsNoViolation, also while a client waits for the answer to a call; any other end is one.
func TestABrokerThatTakesLeaveIsNoViolation(t *testing.T) {
	for code, isCut := range map[amqp.ReplyCode]bool{amqp.ConnectionForced: true, amqp.InternalError: false} {
		ours, theirs := net.Pipe()
		c := &client{socket: ours, frames: amqp.NewReader(ours, 0)}
		done := make(chan struct{})
		go func() {
			defer close(done)
			theirs.Read(make([]byte, 100)) // the call
			theirs.Write(amqp.AppendMethod(nil, 0, &amqp.ConnectionClose{ReplyCode: uint16(code), ReplyText: "shutdown"}))
		}()
		if err := c.call(&amqp.ConfirmSelect{}, &amqp.ConfirmSelectOk{}); cut(err) != isCut {
			t.Errorf("%d: %v: taken for the end: %v", code, err, cut(err))
		}
		<-done
		ours.Close()
		theirs.Close()
	}
}
