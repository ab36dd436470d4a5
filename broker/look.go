package broker

import "github.com/warren-mq/warren/queue"

// Figures is queue.Queue.Stats for those who are not between Enter and Leave. The store takes memory from logs, or gives
// it back, whenever nobody is.
func (q *Queue) Figures() queue.Stats {
	b := q.vhost.broker
	if !q.ExactTTL() {
		b.Enter()
		defer b.Leave()
		return q.Queue.Stats()
	}
	var fx Effects
	b.Enter()
	s := q.Counts(b.nowMillis(), &fx)
	b.Leave()
	fx.Run()
	return s
}

// Counts is queue.Queue.Stats for those who are between Enter and Leave. In a queue with exact expiry it sees nothing that
// has expired.
func (q *Queue) Counts(now int64, fx *Effects) queue.Stats {
	for more := true; more; {
		more = q.Queue.ExpireNow(now, &fx.Effects)
		q.after(now, fx)
	}
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
