package queue

import "github.com/warren-mq/warren/amqp"

// HeadTimestamp returns the property timestamp, in seconds since 1970, of the oldest message: of the one that is
// delivered next or of the oldest unacknowledged one, whichever is earlier (RabbitMQ 3.10.8 behaviour). False means that
// neither has a timestamp, or is in memory.
func (q *Queue) HeadTimestamp() (seconds uint64, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.mu.closed || q.mu.ready+q.mu.unacked+q.mu.waiting.len() == 0 {
		return 0, false
	}
	q.mu.lanes.each(func(l *lane) {
		oldest, end := l.log.First(), l.log.Next()
		for oldest < end && !l.log.Live(oldest) {
			oldest++
		}
		if s, has := l.timestamp(oldest); has && (!ok || s < seconds) {
			seconds, ok = s, true
		}
	})
	if q.mu.ready > 0 {
		l := q.mu.lanes.top()
		if s, has := l.timestamp(q.oldestLocked(l)); has && (!ok || s < seconds) {
			return s, true
		}
	}
	return seconds, ok
}

// next is the message of the lane that is delivered next. One must be ready.
func (l *lane) next() (at uint64) {
	if l.returned.len() > 0 {
		return l.returned.lowest()
	}
	for end := l.log.Next(); l.cursor < end && !l.log.Live(l.cursor); {
		l.cursor++
	}
	return l.cursor
}

// oldestLocked is the first message of a lane that is ready, whether or not its key is in flight. One must be ready.
func (q *Queue) oldestLocked(l *lane) (at uint64) {
	if q.mu.exact != nil {
		l.skipDropped()
	}
	if q.mu.keys == nil {
		return l.next()
	}
	var d Delivery
	if q.choose(&d, l, q.mu.keys.oldest()); d.key == nil && !d.returned {
		return l.next()
	}
	return d.Seq
}

func (l *lane) timestamp(at uint64) (seconds uint64, ok bool) {
	rec, ok := l.log.Peek(at)
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
func (q *Queue) Resident() (n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.mu.lanes.each(func(l *lane) { n += l.log.Resident() })
	return n
}
