package queue

import "github.com/warren-mq/warren/amqp"

// HeadTimestamp returns the property timestamp, in seconds since 1970, of the oldest message: of the one that is
// delivered next or of the oldest unacknowledged one, whichever is earlier (RabbitMQ 3.10.8 behaviour). False means that
// neither has a timestamp, or is in memory.
func (q *Queue) HeadTimestamp() (seconds uint64, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.closed || q.mu.ready+q.mu.unacked == 0 {
		return 0, false
	}
	oldest, end := q.mu.log.First(), q.mu.log.Next()
	for oldest < end && !q.mu.log.Live(oldest) {
		oldest++
	}
	seconds, ok = q.timestampLocked(oldest)
	if q.mu.ready > 0 {
		if next, has := q.timestampLocked(q.nextLocked()); has && (!ok || next < seconds) {
			return next, true
		}
	}
	return seconds, ok
}

// nextLocked is the message that is delivered next. One must be ready.
func (q *Queue) nextLocked() (seq uint64) {
	if q.mu.returned.len() > 0 {
		return q.mu.returned.lowest()
	}
	for end := q.mu.log.Next(); q.mu.cursor < end && !q.mu.log.Live(q.mu.cursor); {
		q.mu.cursor++
	}
	return q.mu.cursor
}

func (q *Queue) timestampLocked(seq uint64) (seconds uint64, ok bool) {
	rec, ok := q.mu.log.Peek(seq)
	if !ok {
		return 0, false
	}
	var m Message
	var p amqp.Properties
	if !decodeRecord(rec, &m) || p.Decode(m.Properties) != nil || !p.Has(amqp.FlagTimestamp) {
		return 0, false
	}
	return p.Timestamp, true
}

// Resident returns how many messages are in memory.
func (q *Queue) Resident() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.mu.log.Resident()
}
