package queue

import "github.com/warren-mq/warren/amqp"

// HeadTimestamp returns the property timestamp, in seconds since 1970, of the message that is delivered next. False
// means that no message is ready, or that it has no timestamp.
func (q *Queue) HeadTimestamp() (seconds uint64, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.closed || q.mu.ready == 0 {
		return 0, false
	}
	var d Delivery
	var m Message
	q.headLocked(&d, &m)
	var p amqp.Properties
	if p.Decode(m.Properties) != nil || !p.Has(amqp.FlagTimestamp) {
		return 0, false
	}
	return p.Timestamp, true
}
