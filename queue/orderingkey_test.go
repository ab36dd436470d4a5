package queue_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/warren-mq/warren/amqp"
	"github.com/warren-mq/warren/queue"
)

// keyedQueue is a queue with an ordering key and a consumer, on a log.
func keyedQueue(t *testing.T, key string, log queue.Log, c *client, more ...any) *queue.Queue {
	t.Helper()
	args := append(table("x-ordering-key", key), table(more...)...)
	if err := queue.CheckArguments("q", "/", true, false, false, false, args); err != nil {
		t.Fatal(err)
	}
	q := queue.New(queue.Config{Name: "q", VHost: "/", Durable: true, Arguments: args}, func(uint8) queue.Log { return log })
	var fx queue.Effects
	q.Recovered(0, &fx)
	c.credit = -1
	sub, err := q.Subscribe(c, queue.SubscribeOptions{Tag: c.name}, &fx)
	if err != nil {
		t.Fatal(err)
	}
	c.sub = sub
	q.Resume(0, sub, &fx)
	return q
}

func bodies(c *client) (list []string) {
	for _, d := range c.shared.all {
		list = append(list, d.body)
	}
	c.shared.all = nil
	return list
}

// TestKeysAreHeaderValuesOfOneType: integers are one type whatever their size, strings and bytes are two.
func TestKeysAreHeaderValuesOfOneType(t *testing.T) {
	values := []any{int8(5), int64(5), uint16(5), "5", amqp.Binary("5"), int32(6), nil, nil, true, true, amqp.Table{{Name: "a", Value: true}}}
	c := &client{name: "c", shared: &deliveries{}}
	q := keyedQueue(t, "key", &memoryLog{}, c)
	var msgs []queue.Message
	var idx []int32
	for i, v := range values {
		m := message(fmt.Sprint(i))
		m.Properties = withHeaders(amqp.Table{{Name: "other", Value: "x"}, {Name: "key", Value: v}})
		msgs, idx = append(msgs, m), append(idx, int32(i))
	}
	q.Publish(0, msgs, idx, new(queue.Effects))
	if got, want := bodies(c), []string{"0", "3", "4", "5", "6", "7", "8", "10"}; !slices.Equal(got, want) {
		t.Errorf("delivered %v at once, want %v", got, want)
	}
}

// TestKeysMayBeLong: values of a mebibyte that differ in their last byte are two keys, and nothing of them is kept.
func TestKeysMayBeLong(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	c := &client{name: "c", shared: &deliveries{}}
	q := keyedQueue(t, "key", &memoryLog{}, c)
	var msgs []queue.Message
	for i, v := range []any{long + "1", long + "2", long + "1", amqp.Array{long, int32(1)}, amqp.Array{long, int32(2)}} {
		m := message(fmt.Sprint(i))
		m.Properties = withHeaders(amqp.Table{{Name: "key", Value: v}})
		msgs = append(msgs, m)
	}
	q.Publish(0, msgs, []int32{0, 1, 2, 3, 4}, new(queue.Effects))
	if got, want := bodies(c), []string{"0", "1", "3", "4"}; !slices.Equal(got, want) {
		t.Errorf("delivered %v at once, want %v", got, want)
	}
}

// TestAWaitingMessageHoldsItsKeyThroughARestart: until it is due, the others of its key wait, and it comes before them.
func TestAWaitingMessageHoldsItsKeyThroughARestart(t *testing.T) {
	log := &memoryLog{}
	c := &client{name: "c", shared: &deliveries{}}
	q := keyedQueue(t, "routing-key", log, c, "x-retry", "1s,1s")
	var fx queue.Effects
	msgs, idx := batch("a1", "b1", "a2", "c1", "a3")
	for i := range msgs {
		msgs[i].RoutingKey = msgs[i].Body[:1]
	}
	q.Publish(0, msgs, idx, &fx)
	for _, body := range []string{"a1", "c1"} {
		seq, _ := c.settle(body)
		q.Settle(0, &queue.Settlement{Requeued: []uint64{seq}}, &fx)
	}
	if got, want := bodies(c), []string{"a1", "b1", "c1"}; !slices.Equal(got, want) {
		t.Fatalf("delivered %v, want %v", got, want)
	}

	c = &client{name: "c", shared: &deliveries{}}
	q = keyedQueue(t, "routing-key", log, c, "x-retry", "1s,1s")
	step := func(when string, want ...string) {
		t.Helper()
		if got := bodies(c); !slices.Equal(got, want) {
			t.Errorf("%s: delivered %v, want %v", when, got, want)
		}
	}
	step("after the restart", "b1")
	msgs, idx = batch("a4", "d1")
	for i := range msgs {
		msgs[i].RoutingKey = msgs[i].Body[:1]
	}
	q.Publish(500, msgs, idx, &fx)
	step("while a1 waits", "d1")
	q.Tick(1000, &fx)
	step("when it is due", "a1", "c1")
	for _, body := range []string{"a2", "a3", "a4"} {
		seq, ok := c.settle("a" + string(body[1]-1))
		if !ok {
			t.Fatalf("%s is not with the consumer", body)
		}
		q.Settle(1000, &queue.Settlement{Acked: []uint64{seq}}, &fx)
		step("after its acknowledgement", body)
	}
}

// TestPassedMessagesAreBounded: beyond the limit the queue waits for one of those that it has passed to go.
func TestPassedMessagesAreBounded(t *testing.T) {
	c := &client{name: "c", shared: &deliveries{}}
	q := keyedQueue(t, "routing-key", &memoryLog{}, c)
	q.SetMaxPassed(2)
	var fx queue.Effects
	msgs, idx := batch("a1", "a2", "a3", "a4", "b1", "c1")
	for i := range msgs {
		msgs[i].RoutingKey = msgs[i].Body[:1]
	}
	q.Publish(0, msgs, idx, &fx)
	if got, want := bodies(c), []string{"a1"}; !slices.Equal(got, want) {
		t.Fatalf("delivered %v, want %v", got, want)
	}
	seq, _ := c.settle("a1")
	q.Settle(0, &queue.Settlement{Acked: []uint64{seq}}, &fx)
	if got, want := bodies(c), []string{"a2", "b1", "c1"}; !slices.Equal(got, want) {
		t.Errorf("delivered %v after an acknowledgement, want %v", got, want)
	}
}

// TestADuplicateHoldsNoKey: it does not come in, so that nobody of its key waits for it, and nothing of it expires; when the
// first has gone, by its expiry too, the next one is no duplicate.
func TestADuplicateHoldsNoKey(t *testing.T) {
	c := &client{name: "c", shared: &deliveries{}}
	q := keyedQueue(t, "routing-key", &memoryLog{}, c, "x-message-deduplication", true, "x-exact-ttl", true)
	var fx queue.Effects
	publish := func(body, id string, ttl int64) {
		m := message(body)
		m.RoutingKey, m.HasTTL, m.TTL = []byte(body[:1]), ttl > 0, ttl
		m.Properties = withHeaders(amqp.Table{{Name: "x-deduplication-header", Value: id}})
		q.Publish(0, []queue.Message{m}, []int32{0}, &fx)
	}
	publish("a1", "1", 0)
	publish("a1 again", "1", 0)
	publish("a2", "2", 50)
	publish("a2 again", "2", 10)
	publish("b1", "3", 0)
	q.Tick(10, &fx)
	if s := q.Stats(); s.Ready != 1 || s.Unacked != 2 || s.Deduplicated != 2 {
		t.Errorf("%+v, want a2 ready, a1 and b1 unacked", s)
	}
	q.Tick(50, &fx)
	publish("a2 anew", "2", 0)
	seq, _ := c.settle("a1")
	q.Settle(60, &queue.Settlement{Acked: []uint64{seq}}, &fx)
	if got, want := bodies(c), []string{"a1", "b1", "a2 anew"}; !slices.Equal(got, want) {
		t.Errorf("delivered %v, want %v", got, want)
	}
}

// TestAPurgedMessageIsNoDuplicate of what comes after it.
func TestAPurgedMessageIsNoDuplicate(t *testing.T) {
	q := queue.New(queue.Config{Name: "q", VHost: "/", Arguments: table("x-message-deduplication", true)}, newMemoryLog)
	var fx queue.Effects
	m := message("a")
	m.Properties = withHeaders(amqp.Table{{Name: "x-deduplication-header", Value: "1"}})
	for range 2 {
		q.Publish(0, []queue.Message{m, m}, []int32{0, 1}, &fx)
		if n := q.Purge(&fx); n != 1 {
			t.Errorf("purged %d, want 1", n)
		}
	}
}
