package crash_test

import (
	"fmt"
	"slices"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// errandKey is one of the keys of errandKeyed. What it says beside its list is of this broker's life.
type errandKey struct {
	list  []*errand // in the order in which they were published
	done  int       // how many at the front of list are done
	held  *errand   // is with a consumer
	given *errand   // was given back, and has to be the next
	last  int       // the number of the last that was done
}

func errandKeyOf(number int) int { return number % 97 }

// keyLocked returns the key of an errand.
func (e *errands) keyLocked(x *errand) *errandKey {
	key := errandKeyOf(x.number)
	if e.keys[key] == nil {
		e.keys[key] = new(errandKey)
	}
	return e.keys[key]
}

// takeTurnLocked judges whether an errand of a key may be delivered now: no other of its key is with a consumer, and all
// before it are done. Of those only which were published to a broker that was killed, and never confirmed, may be missing.
func (e *errands) takeTurnLocked(x *errand) error {
	k := e.keyLocked(x)
	switch {
	case k.held != nil:
		return fmt.Errorf("errand %d comes while %d of the same key is with a consumer", x.number, k.held.number)
	case k.given != nil && k.given != x:
		return fmt.Errorf("errand %d comes before %d of the same key, which was given back", x.number, k.given.number)
	case x.number < k.last:
		return fmt.Errorf("errand %d comes behind %d of the same key", x.number, k.last)
	}
	for k.done < len(k.list) && k.list[k.done].done {
		k.done++
	}
	for _, before := range k.list[k.done:] {
		if before.number >= x.number {
			break
		}
		if !before.done && (before.confirmed || before.published == e.life) {
			return fmt.Errorf("errand %d comes before %d of the same key", x.number, before.number)
		}
	}
	k.held, k.given = x, nil
	return nil
}

// endTurn notes that a consumer is about to acknowledge an errand, or to give it back.
func (e *errands) endTurn(x *errand, back bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	k := e.keyLocked(x)
	k.held = nil
	if back {
		k.given = x
	} else {
		k.last = x.number
	}
}

// consumeKeyed takes errands of several keys at a time, and settles them in another order.
func (e *errands) consumeKeyed(ch *amqp091.Channel) error {
	const most = 10
	if err := ch.Qos(2*most, 0, false); err != nil {
		return nil
	}
	deliveries, err := ch.Consume(errandKeyed, "", false, false, false, false, nil)
	if err != nil {
		return nil
	}
	returns := errandReturns{errands: e, channel: ch}
	defer returns.proofs.Wait()
	type heldErrand struct {
		errand   *errand
		delivery amqp091.Delivery
	}
	var held []heldErrand
	for {
		select {
		case d, ok := <-deliveries:
			if !ok {
				return nil
			}
			x, err := e.deliver(errandKeyed, d.Body, d.Redelivered, time.Now())
			if err != nil {
				return fmt.Errorf("%s: %w", errandKeyed, err)
			}
			if held = append(held, heldErrand{x, d}); len(held) < most {
				continue
			}
		case <-time.After(2 * time.Millisecond): // there may be no more until these are settled
		}
		for _, h := range slices.Backward(held) {
			x, d := h.errand, h.delivery
			back := x.number%20 == 0 && x.returns <= x.number/20%2
			if e.endTurn(x, back); back {
				count, _ := d.Headers["x-delivery-count"].(int64)
				e.giveBack(x, int(count))
				if err = d.Nack(false, true); err == nil {
					err = returns.add(x)
				}
			} else {
				e.finish(x)
				err = d.Ack(false)
			}
			if err != nil {
				return nil
			}
		}
		held = held[:0]
	}
}
