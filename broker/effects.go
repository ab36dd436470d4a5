package broker

import "github.com/warren-mq/warren/queue"

// Effects collects what queues could not do under their own lock. One value is reused for everything that a batch
// touches; whoever fills it calls Run once the batch is through, with no lock held.
type Effects struct {
	queue.Effects
}

// Consumer is a queue.Consumer that wants to know when its queue is deleted.
type Consumer interface {
	queue.Consumer
	// Cancelled tells that the queue of a subscription is gone: basic.cancel is due. No queue's lock is held.
	Cancelled(*queue.Subscription)
}

// Run wakes the consumers that were given something.
func (fx *Effects) Run() {
	for _, c := range fx.Wake {
		c.Wake()
	}
	fx.Reset()
}

// Publish, Settle, Resume, Get and Cancel are those of queue.Queue, followed by what concerns the topology.

// Publish appends the messages of msgs that idx names. now is unix time in milliseconds.
func (q *Queue) Publish(now int64, msgs []queue.Message, idx []int32, fx *Effects) {
	q.Queue.Publish(now, msgs, idx, &fx.Effects)
	q.after(fx)
}

// Settle applies acknowledgements.
func (q *Queue) Settle(now int64, s *queue.Settlement, fx *Effects) {
	q.Queue.Settle(now, s, &fx.Effects)
	q.after(fx)
}

// Resume tells that a consumer has credit again.
func (q *Queue) Resume(now int64, s *queue.Subscription, fx *Effects) {
	q.Queue.Resume(now, s, &fx.Effects)
	q.after(fx)
}

// Get hands the first message to c; see queue.Queue.
func (q *Queue) Get(c queue.Consumer, noAck bool, now int64, fx *Effects) (ok bool, wait <-chan struct{}) {
	ok, wait = q.Queue.Get(c, noAck, now, &fx.Effects)
	q.after(fx)
	return ok, wait
}

// Cancel ends a subscription; no delivery comes after it returns.
func (q *Queue) Cancel(s *queue.Subscription, fx *Effects) {
	q.Queue.Cancel(s, &fx.Effects)
	q.after(fx)
}

// after handles what the last call to the queue left in fx beyond wake-ups.
func (q *Queue) after(fx *Effects) {
	if fx.Deleted {
		fx.Deleted = false
		q.gone(fx)
	}
}

// delete removes the queue whatever it holds.
func (q *Queue) delete(fx *Effects) {
	// Without conditions only a queue type can refuse, and none refuses an unconditional delete.
	if _, err := q.Queue.Delete(false, false, &fx.Effects); err == nil {
		q.gone(fx)
	}
}

// gone takes the queue, which is closed, out of the topology and tells its consumers.
func (q *Queue) gone(fx *Effects) {
	vh := q.vhost
	vh.mu.Lock()
	vh.removeQueue(q)
	vh.mu.Unlock()
	cancelled := fx.Cancelled
	fx.Cancelled = nil
	for _, s := range cancelled {
		s.Consumer().(Consumer).Cancelled(s)
	}
}
