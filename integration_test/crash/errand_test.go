package crash_test

import (
	"fmt"
	"sync"
	"time"
)

// errand is a message that the broker does something with before it is done: it holds it back, gives it again after a
// while, drops its duplicates, orders it by a key, lets it expire, or passes it on. The body says which errand it is, and
// which attempt to publish it.
type errand struct {
	kind      string
	number    int
	due       time.Time // before which it may not come, or is not dead; zero: at once
	lapsed    time.Time // after which it is dead for certain; zero: not known
	confirmed bool      // at least one attempt
	attempts  int
	published int // in the life of which broker it was published last

	unflagged map[string]int // how often it came without being flagged, by queue
	attempt   int            // that was delivered
	returns   int            // how often the consumer has given it back
	done      bool           // the consumer has acknowledged it
	finished  int            // in the life of which broker

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
	keys map[int]*errandKey // of errandKeyed
	life int                // counts brokers
	came map[string]int     // deliveries, by queue
}

const (
	errandDue     = "errand.due"   // comes through a delayed exchange
	errandRetry   = "errand.retry" // is given back by its consumer
	errandOnce    = "errand.once"  // is published several times
	errandPassed  = "errand.least" // is rejected, and passed on at least once
	errandKeyed   = "errand.keyed" // is one of many of its key, given back now and then
	errandBrief   = "errand.brief" // may expire before a consumer has it
	errandGivenUp = "errand.dead"  // where errandRetry ends after its last step
	errandArrived = "errand.arrived"
	errandExpired = "errand.expired" // where errandBrief ends otherwise
)

// retrySteps is the ladder of errandRetry and errandKeyed.
var retrySteps = []time.Duration{150 * time.Millisecond, 400 * time.Millisecond, 900 * time.Millisecond}

// clockSlack is what two readings of the clock may differ by: the broker counts milliseconds.
const clockSlack = 2 * time.Millisecond

// create makes the next errand of a kind.
func (e *errands) create(kind string) *errand {
	e.mu.Lock()
	defer e.mu.Unlock()
	x := &errand{kind: kind, number: len(e.list[kind]), unflagged: map[string]int{}}
	e.list[kind] = append(e.list[kind], x)
	if kind == errandKeyed {
		k := e.keyLocked(x)
		k.list = append(k.list, x)
	}
	return x
}

// next notes that an errand is published once more, and returns its body.
func (e *errands) next(x *errand, hold time.Duration) []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	x.attempts++
	x.published = e.life
	if hold > 0 {
		x.due = time.Now().Add(hold)
	}
	return fmt.Appendf(nil, "%s %d %d", x.kind, x.number, x.attempts)
}

func (e *errands) confirm(x *errand) {
	e.mu.Lock()
	defer e.mu.Unlock()
	x.confirmed = true
	if life := briefLife(x.number); x.kind == errandBrief && life > 0 {
		x.lapsed = time.Now().Add(life)
	}
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
	e.came[queue]++
	if early := x.due.Sub(at); early > clockSlack && queue != errandBrief {
		return nil, fmt.Errorf("errand %q comes %s before its time", body, early)
	}
	if x.done && x.finished == e.life {
		return nil, fmt.Errorf("errand %q comes again, although this broker has its acknowledgement", body)
	}
	if x.attempt != 0 && x.attempt != attempt {
		return nil, fmt.Errorf("errand %q came before as attempt %d: a duplicate", body, x.attempt)
	}
	x.attempt = attempt
	if !redelivered && queue != errandExpired { // what expires again after a crash comes without a flag
		if x.unflagged[queue]++; x.unflagged[queue] > 1 {
			return nil, fmt.Errorf("errand %q comes again without being flagged", body)
		}
	}
	// A broker that was killed before the return was durable gives it again at once.
	if early := x.returned.Add(x.wait).Sub(at); (queue == errandRetry || queue == errandKeyed) && (x.proven || x.life == e.life) && early > clockSlack {
		return nil, fmt.Errorf("errand %q comes %s before the end of its wait of %s, return %d", body, early, x.wait, x.returns)
	}
	switch queue {
	case errandKeyed:
		return x, e.takeTurnLocked(x)
	case errandBrief, errandExpired:
		return x, e.checkExpiryLocked(x, queue, at)
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

func (e *errands) finish(x *errand) {
	e.mu.Lock()
	defer e.mu.Unlock()
	x.done, x.finished = true, e.life
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
func (e *errands) open() (n int, example string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, list := range e.list {
		for _, x := range list {
			if x.confirmed && !x.done {
				n, example = n+1, fmt.Sprintf("%+v", *x)
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
	for _, k := range e.keys {
		*k = errandKey{list: k.list, done: k.done}
	}
}
