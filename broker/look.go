package broker

import "github.com/warren-mq/warren/queue"

// Figures is queue.Queue.Stats for those who are not between Enter and Leave. The store takes memory from logs, or gives
// it back, whenever nobody is.
func (q *Queue) Figures() queue.Stats {
	q.vhost.broker.Enter()
	defer q.vhost.broker.Leave()
	return q.Queue.Stats()
}

// HeadTimestamp is queue.Queue's, for those who are not between Enter and Leave.
func (q *Queue) HeadTimestamp() (seconds uint64, ok bool) {
	q.vhost.broker.Enter()
	defer q.vhost.broker.Leave()
	return q.Queue.HeadTimestamp()
}

// Resident is queue.Queue's, for those who are not between Enter and Leave.
func (q *Queue) Resident() int {
	q.vhost.broker.Enter()
	defer q.vhost.broker.Leave()
	return q.Queue.Resident()
}
