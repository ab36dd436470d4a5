package crash_test

import (
	"context"
	"sync"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// errandReturns are what a consumer has given back. From time to time it publishes on the same channel: when that is
// confirmed, all returns before it are durable.
type errandReturns struct {
	errands *errands
	channel *amqp091.Channel
	since   []returnedErrand // the last proof
	proofs  sync.WaitGroup
}

// returnedErrand is an errand at one of its returns.
type returnedErrand struct {
	errand  *errand
	returns int
}

// add notes that an errand was given back.
func (r *errandReturns) add(x *errand) error {
	r.since = append(r.since, returnedErrand{x, x.returns})
	if len(r.since) <= 20 {
		return nil
	}
	list := r.since
	r.since = nil
	c, err := r.channel.PublishWithDeferredConfirmWithContext(context.Background(), "", "errand.proofs", false, false,
		amqp091.Publishing{DeliveryMode: amqp091.Persistent})
	if err != nil {
		return err
	}
	r.proofs.Go(func() {
		if c.Wait() {
			r.errands.prove(list)
		}
	})
	return nil
}

// prove notes that returns are durable.
func (e *errands) prove(list []returnedErrand) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range list {
		if r.errand.returns == r.returns {
			r.errand.proven = true
		}
	}
}
