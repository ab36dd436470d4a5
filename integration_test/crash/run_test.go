package crash_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// run is a data folder, all clients of its broker and what they know.
type run struct {
	t      *testing.T
	report *report
	rng    *rand.Rand
	kinds  []brokerKind
	later  []brokerKind // replace kinds once the first broker is up; may be nil
	dir    string
	end    func(*process) error // ends a broker that is at work, by a kill or a power cut

	seen    *sightings
	scripts []*script
	traffic *traffic
	tokens  *tokens
}

// newRun makes a run whose brokers are killed.
func newRun(t *testing.T, r *report, seed uint64, kinds []brokerKind, dir string) *run {
	w := &run{t: t, report: r, rng: rand.New(rand.NewPCG(seed, 0)), kinds: kinds, dir: dir, seen: newSightings()}
	w.end = func(p *process) error {
		if p.kill() {
			return fmt.Errorf("the broker ended by itself:\n%s", p.log())
		}
		return nil
	}
	w.traffic = &traffic{report: r, seen: w.seen, ledger: newLedger(), source: new(atomic.Int32)}
	w.traffic.source.Store(100) // below are the scripts
	w.tokens = newTokens(40, r, w.seen)
	for i := range 5 {
		w.scripts = append(w.scripts, newScript(fmt.Sprintf("script%d.", i), i+1, i >= 3, rand.New(rand.NewPCG(seed, uint64(i+1))), r, w.seen))
	}
	w.killsOnly(true)
	return w
}

// killsOnly tells everybody whether what the operating system has can be lost.
func (w *run) killsOnly(is bool) {
	for _, s := range w.scripts {
		s.world.killsOnly = is
	}
}

// start starts a broker of any kind.
func (w *run) start() (*process, error) {
	return startProcess(w.kinds[w.rng.IntN(len(w.kinds))], w.dir)
}

// begin starts the first broker and declares what is always there. Before that some brokers are ended while they make
// the folder.
func (w *run) begin(kill bool) (*process, error) {
	for kill && w.rng.IntN(3) > 0 {
		p, err := w.start()
		if err != nil {
			return nil, err
		}
		<-time.After(time.Duration(w.rng.IntN(150)) * time.Millisecond)
		if err := w.end(p); err != nil {
			return nil, err
		}
		w.report.earlyKills.Add(1)
	}
	p, err := w.start()
	if err == nil {
		err = p.awaitReady()
	}
	if err == nil {
		err = w.traffic.setUp(p.amqp)
	}
	if err == nil {
		err = w.tokens.setUp(p.amqp)
	}
	if err != nil && p != nil {
		p.kill()
	}
	return p, err
}

// restart starts a broker on what the last one has left, and looks at it. Some are killed meanwhile.
func (w *run) restart(kill bool) (*process, error) {
	for {
		p, err := w.start()
		if err != nil {
			return nil, err
		}
		ended := make(chan error, 1)
		var early *time.Timer
		if kill && w.rng.IntN(3) == 0 {
			early = time.AfterFunc(time.Duration(w.rng.IntN(600))*time.Millisecond, func() { ended <- w.end(p) })
		}
		var v *survey
		began := time.Now()
		if err = p.awaitReady(); err == nil {
			w.report.started(time.Since(began))
			v, err = look(p, w.report, w.seen)
		}
		if early != nil && !early.Stop() {
			if err := <-ended; err != nil {
				p.kill()
				return nil, err
			}
			w.report.earlyKills.Add(1)
			continue
		}
		if err != nil {
			p.kill()
			return nil, fmt.Errorf("look at the broker after its start: %w\n%s", err, p.log())
		}
		w.audit(v)
		return p, nil
	}
}

// audit compares what was found with what everybody knows.
func (w *run) audit(v *survey) {
	v.checkOrder(w.report)
	for _, s := range w.scripts {
		s.audit(v)
	}
	w.traffic.ledger.audit(v, w.report)
	w.tokens.audit(v, w.report)
	w.seen.keep(v.queues)
}

// work lets all clients at the broker until end returns, which has to end the broker.
func (w *run) work(p *process, end func() error) error {
	var clients sync.WaitGroup
	stop := make(chan struct{})
	for _, s := range w.scripts {
		clients.Go(func() { s.run(p.amqp, stop) })
	}
	sh := shape{publishers: 2, consumers: 4, window: 200}
	switch w.rng.IntN(6) {
	case 0: // a backlog grows
		sh = shape{publishers: 3, consumers: w.rng.IntN(2), window: 1000}
	case 1: // and goes
		sh = shape{publishers: 0, consumers: 6, window: 1}
	}
	seed := w.rng.Uint64()
	clients.Go(func() { w.traffic.run(p.amqp, sh, seed, stop) })
	clients.Go(func() { w.tokens.run(p.amqp, seed, stop) })
	err := end()
	close(stop)
	clients.Wait()
	return err
}

// lifetime is how long a broker works before it is killed.
func (w *run) lifetime() time.Duration {
	most := []int{100, 300, 300, 1000, 1000, 1000, 3000}
	return time.Duration(w.rng.IntN(most[w.rng.IntN(len(most))])) * time.Millisecond
}

// rounds runs so many rounds of work, end and look.
func (w *run) rounds(n int) error {
	p, err := w.begin(w.later == nil)
	if err != nil {
		return err
	}
	defer func() { p.kill() }()
	if w.later != nil {
		w.kinds = w.later
	}
	for range n {
		w.report.rounds.Add(1)
		w.report.setRound(int(w.report.rounds.Load()))
		err := w.work(p, func() error {
			select {
			case <-time.After(w.lifetime()):
			case <-p.exited:
			}
			return w.end(p)
		})
		if err != nil {
			return err
		}
		next, err := w.restart(true)
		if err != nil {
			return err
		}
		p = next
		if w.report.count() > 0 {
			return nil // what follows has its reason in what was found
		}
	}
	return w.finish(p)
}

// finish stops a broker that works in good order and looks at it once more.
func (w *run) finish(p *process) error {
	if err := w.work(p, func() error {
		<-time.After(w.lifetime())
		w.traffic.ledger.stop()
		return p.stop()
	}); err != nil {
		return err
	}
	p, err := w.restart(false)
	if err != nil {
		return err
	}
	if err := p.stop(); err != nil {
		return err
	}
	return nil
}

// runKills spreads rounds over several folders, each with a life of its own.
func runKills(t *testing.T, r *report, seed uint64, rounds int, kinds []brokerKind) {
	const lifeOfAFolder = 15
	for n := 0; rounds > 0; n++ {
		dir, err := os.MkdirTemp("", "warren-crash-")
		if err != nil {
			t.Fatal(err)
		}
		w := newRun(t, r, seed+uint64(n), slices.Clone(kinds), dir)
		part := min(rounds, lifeOfAFolder)
		if err := w.rounds(part); err != nil {
			r.violation("%v", err)
		}
		if r.count() > 0 {
			t.Logf("the data folder is kept as %s", dir)
			return
		}
		rounds -= part
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	}
}
