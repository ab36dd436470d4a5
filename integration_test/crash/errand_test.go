package crash_test

import (
	"fmt"
	"sync"
	"time"
)

// errand is a message that the broker does something with before it is done: it holds it back, gives it again after a
// while, drops its duplicates, or passes it on. The body says which errand it is, and which attempt to publish it.
type errand struct {
	kind      string
	number    int
	due       time.Time // before which it may not come; zero: at once
	confirmed bool      // at least one attempt
	attempts  int

	unflagged map[string]int // how often it came without being flagged, by queue
	attempt   int            // that was delivered
	returns   int            // how often the consumer has given it back
	done      bool           // the consumer has acknowledged it

	returned time.Time     // when it was last given back
	wait     time.Duration // how long it then has to wait
	life     int           // of which broker that was
	proven   bool          // that it was given back is durable
}

// errands are all of them. Kinds are the names of the queues at which they end.
type errands struct {
	report *report

	mu   sync.Mutex // guards the rest
	list map[string][]*errand
	life int // counts brokers
}

const (
	errandDue     = "errand.due"   // comes through a delayed exchange
	errandRetry   = "errand.retry" // is given back by its consumer
	errandOnce    = "errand.once"  // is published several times
	errandPassed  = "errand.least" // is rejected, and passed on at least once
	errandGivenUp = "errand.dead"  // where errandRetry ends after its last step
	errandArrived = "errand.arrived"
)

// retrySteps is the ladder of errandRetry.
var retrySteps = []time.Duration{150 * time.Millisecond, 400 * time.Millisecond, 900 * time.Millisecond}

// clockSlack is what two readings of the clock may differ by: the broker counts milliseconds.
const clockSlack = 2 * time.Millisecond

// create makes the next errand of a kind.
func (e *errands) create(kind string) *errand {
	e.mu.Lock()
	defer e.mu.Unlock()
	x := &errand{kind: kind, number: len(e.list[kind]), unflagged: map[string]int{}}
	e.list[kind] = append(e.list[kind], x)
	return x
}

// next notes that an errand is published once more, and returns its body.
func (e *errands) next(x *errand, hold time.Duration) []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	x.attempts++
	if hold > 0 {
		x.due = time.Now().Add(hold)
	}
	return fmt.Appendf(nil, "%s %d %d", x.kind, x.number, x.attempts)
}

func (e *errands) confirm(x *errand) {
	e.mu.Lock()
	defer e.mu.Unlock()
	x.confirmed = true
	e.report.confirmed.Add(1)
}

// deliver judges a delivery and returns whose it is.
func (e *errands) deliver(queue string, body []byte, redelivered bool, at time.Time) (*errand, error) {
	var kind string
	var number, attempt int
	if _, err := fmt.Sscanf(string(body), "%s %d %d", &kind, &number, &attempt); err != nil {
		return nil, fmt.Errorf("body %q: %w", body, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if number >= len(e.list[kind]) {
		return nil, fmt.Errorf("errand %q was never published", body)
	}
	x := e.list[kind][number]
	e.report.delivered.Add(1)
	if early := x.due.Sub(at); early > clockSlack {
		return nil, fmt.Errorf("errand %q comes %s before its time", body, early)
	}
	if x.attempt != 0 && x.attempt != attempt {
		return nil, fmt.Errorf("errand %q came before as attempt %d: a duplicate", body, x.attempt)
	}
	x.attempt = attempt
	if !redelivered {
		if x.unflagged[queue]++; x.unflagged[queue] > 1 {
			return nil, fmt.Errorf("errand %q comes again without being flagged", body)
		}
	}
	// A broker that was killed before the return was durable gives it again at once.
	if early := x.returned.Add(x.wait).Sub(at); queue == errandRetry && (x.proven || x.life == e.life) && early > clockSlack {
		return nil, fmt.Errorf("errand %q comes %s before the end of its wait of %s, return %d", body, early, x.wait, x.returns)
	}
	return x, nil
}

// giveBack notes that the consumer is about to give an errand back.
func (e *errands) giveBack(x *errand, count int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	x.returns++
	x.returned, x.life, x.proven, x.wait = time.Now(), e.life, false, 0
	if count < len(retrySteps) {
		x.wait = retrySteps[count]
	}
}

// prove notes that the returns that were made until then are durable.
func (e *errands) prove(list []returnedErrand) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range list {
		if r.errand.returns == r.returns {
			r.errand.proven = true
		}
	}
}

// returnedErrand is an errand at one of its returns.
type returnedErrand struct {
	errand  *errand
	returns int
}

func (e *errands) finish(x *errand) {
	e.mu.Lock()
	defer e.mu.Unlock()
	x.done = true
	e.report.acks.Add(1)
}

// unconfirmed are the errands of a kind of which nobody knows whether the broker has them, and a few others.
func (e *errands) unconfirmed(kind string) (list []*errand) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, x := range e.list[kind] {
		if !x.confirmed || x.number%50 == 0 {
			list = append(list, x)
		}
	}
	return list
}

// open counts the errands that were confirmed and did not come.
func (e *errands) open() (n int, example *errand) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, list := range e.list {
		for _, x := range list {
			if x.confirmed && !x.done {
				n, example = n+1, x
			}
		}
	}
	return n, example
}

// begin notes that another broker has begun its life.
func (e *errands) begin() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.life++
}
