package crash_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// tokens are messages that transactions move from queue to queue: each is acked here and published there. Whenever the
// broker stops, each must be in exactly one place, and those of a transaction must all have moved or none.
type tokens struct {
	report *report
	seen   *sightings
	queues []string

	mu    sync.Mutex // guards what follows
	all   []token
	moves [][]move // of transactions without an answer
}

// token has made so many hops: at least those that were committed, at most those that were sent.
type token struct{ committed, sent int }

type move struct{ token, hop int }

const tokenSource = 3 << 22 // and those above it, one for each token

func newTokens(n int, r *report, seen *sightings) *tokens {
	return &tokens{
		report: r, seen: seen, all: make([]token, n),
		queues: []string{"tokens.0", "tokens.1", "tokens.2"},
	}
}

func (m move) id() messageID { return newID(tokenSource+m.token, m.hop+1) }

func (ts *tokens) queueOf(m move) string { return ts.queues[m.hop%len(ts.queues)] }

// setUp puts all tokens into the first queue.
func (ts *tokens) setUp(addr string) error {
	conn, ch, err := dialLibrary(addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, q := range ts.queues {
		if _, err := ch.QueueDeclare(q, true, false, false, false, nil); err != nil {
			return err
		}
	}
	for i := range ts.all {
		c, err := ch.PublishWithDeferredConfirmWithContext(context.Background(), "", ts.queues[0], false, false, publishing(move{i, 0}.id()))
		if err != nil {
			return err
		}
		if !c.Wait() {
			return fmt.Errorf("token %d is not confirmed", i)
		}
	}
	return nil
}

// run moves tokens until the broker is gone or stop is closed.
func (ts *tokens) run(addr string, seed uint64, stop <-chan struct{}) {
	var movers sync.WaitGroup
	for i, queue := range ts.queues {
		movers.Go(func() {
			if err := ts.move(addr, queue, rand.New(rand.NewPCG(seed, uint64(i))), stop); err != nil {
				ts.report.violation("mover of %s: %v", queue, err)
			}
		})
	}
	movers.Wait()
}

func (ts *tokens) move(addr, queue string, rng *rand.Rand, stop <-chan struct{}) error {
	conn, err := amqp091.DialConfig("amqp://guest:guest@"+addr+"/", amqp091.Config{Heartbeat: 60 * time.Second})
	if err != nil {
		return nil
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil || ch.Tx() != nil || ch.Qos(20, 0, false) != nil {
		return nil
	}
	deliveries, err := ch.Consume(queue, "", false, false, false, false, nil)
	if err != nil {
		return nil
	}
	for {
		var taken []amqp091.Delivery
		for n := 1 + rng.IntN(8); len(taken) < n; {
			select {
			case d, ok := <-deliveries:
				if !ok {
					return nil
				}
				taken = append(taken, d)
				continue
			case <-stop:
				return nil
			case <-time.After(10 * time.Millisecond):
			}
			if len(taken) > 0 {
				break
			}
		}
		moves, err := ts.taken(queue, taken)
		if err != nil {
			return err
		}
		for rng.IntN(6) == 0 {
			if ts.send(ch, moves, taken) != nil || ch.TxRollback() != nil {
				return nil
			}
		}
		if ts.send(ch, moves, taken) != nil {
			return nil
		}
		ts.begin(moves)
		if ch.TxCommit() != nil {
			return nil
		}
		ts.end(moves)
	}
}

// taken judges deliveries and says where their tokens go next.
func (ts *tokens) taken(queue string, list []amqp091.Delivery) (moves []move, err error) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, d := range list {
		ts.report.delivered.Add(1)
		id, err := parseID([]byte(d.MessageId))
		if err == nil {
			err = id.check(d.Body, d.DeliveryMode)
		}
		if err != nil {
			return nil, err
		}
		m := move{id.source() - tokenSource, id.number() - 1}
		t := ts.all[m.token]
		if ts.queueOf(m) != queue || m.hop < t.committed || m.hop > t.sent {
			ts.report.violation("%s: token %d is delivered after %d hops; %d are committed, %d sent", queue, m.token, m.hop, t.committed, t.sent)
		}
		if before := ts.seen.add(queue, id); before && !d.Redelivered {
			ts.report.violation("%s: token %d is delivered again without being flagged", queue, m.token)
		}
		moves = append(moves, move{m.token, m.hop + 1})
	}
	return moves, nil
}

// send publishes and acks, without a commit.
func (ts *tokens) send(ch *amqp091.Channel, moves []move, taken []amqp091.Delivery) error {
	for i, m := range moves {
		if err := ch.PublishWithContext(context.Background(), "", ts.queueOf(m), false, false, publishing(m.id())); err != nil {
			return err
		}
		if err := taken[i].Ack(false); err != nil {
			return err
		}
	}
	return nil
}

func (ts *tokens) begin(moves []move) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, m := range moves {
		ts.all[m.token].sent = max(ts.all[m.token].sent, m.hop)
	}
	ts.moves = append(ts.moves, moves)
}

func (ts *tokens) end(moves []move) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.report.transactions.Add(1)
	for _, m := range moves {
		ts.all[m.token].committed = max(ts.all[m.token].committed, m.hop)
	}
}

// audit looks for every token.
func (ts *tokens) audit(v *survey, r *report) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	at := make([]int, len(ts.all))
	places := make([]int, len(ts.all))
	for _, queue := range ts.queues {
		for _, f := range v.queues[queue] {
			m := move{f.id.source() - tokenSource, f.id.number() - 1}
			if m.token < 0 || m.token >= len(ts.all) || ts.queueOf(m) != queue {
				r.violation("%s: message %s should not be there", queue, f.id)
				continue
			}
			at[m.token] = m.hop
			places[m.token]++
		}
	}
	for i := range ts.all {
		t := &ts.all[i]
		switch {
		case places[i] != 1:
			r.violation("token %d is in %d places", i, places[i])
		case at[i] < t.committed || at[i] > t.sent:
			r.violation("token %d has made %d hops; %d were committed, %d sent", i, at[i], t.committed, t.sent)
		}
	}
	for _, moves := range ts.moves {
		moved := 0
		for _, m := range moves {
			if at[m.token] >= m.hop {
				moved++
			}
		}
		if moved != 0 && moved != len(moves) {
			r.violation("a transaction is done by halves: %d of %d moved: %v", moved, len(moves), moves)
		}
	}
	ts.moves = nil
	for i := range ts.all {
		ts.all[i] = token{at[i], at[i]}
	}
}
