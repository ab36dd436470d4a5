// Package load holds the scenarios: what is declared, who publishes and
// consumes what, for how long, and what is measured meanwhile.
package load

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/warren-mq/warren/integration_test/bench/internal/amqp"
)

// Options are the parameters of a run. Not every scenario looks at each.
type Options struct {
	Scenario string
	Target   string // label of the broker in reports
	Addr     string
	User     string
	Password string
	Vhost    string
	Pids     []int // processes to account for

	Size          int           // body bytes
	Duration      time.Duration // how long to publish; 0: only Count decides
	Warmup        time.Duration // how long to publish before the measured part
	Count         int           // how many messages (or operations); 0: only Duration decides
	Producers     int
	Consumers     int
	Queues        int
	Bindings      int
	Connections   int
	Prefetch      int // 0: no limit
	AckEvery      int // 0: automatic acknowledgement; 1: one ack each; n: one for n messages
	ConfirmWindow int // 0: no confirms
	Window        int // unanswered requests of each connection that declares
	Persistent    bool
	Durable       bool
	QueueArgs     amqp.Table
	Rate          int           // messages per second over all producers; 0: unlimited
	Tick          time.Duration // grain of Rate
	MaxBacklog    int           // most messages in flight; 0: chosen from Size; negative: no limit
	BatchBytes    int           // pre-encoded bytes for each write
	Keep          bool          // leave the queues and their messages behind
	Settle        time.Duration // rest between preparing and measuring, where a scenario has the two
	Since         time.Time     // where the "ready" scenario counts from
	DialTimeout   time.Duration // bounds a dial and each request that waits for an answer
	Stall         time.Duration // give up after so long without progress
	Timeout       time.Duration // give up after so long altogether
}

// Defaults are the parameters before a scenario or the user changes any.
func Defaults() Options {
	return Options{
		Addr: "127.0.0.1:5672", User: "guest", Password: "guest", Vhost: "/",
		Size: 16, Duration: 5 * time.Second, Warmup: time.Second,
		Producers: 1, Consumers: 1, Queues: 1,
		Tick: 200 * time.Microsecond, BatchBytes: 128 << 10, Settle: time.Second,
		DialTimeout: 30 * time.Second, Stall: 20 * time.Second, Timeout: 3 * time.Minute,
	}
}

// Check refuses parameters that make no sense together.
func (o *Options) Check() error {
	switch {
	case o.Size < 0 || o.Size > 64<<20:
		return errors.New("-size must be between 0 and 64 MiB")
	case o.Producers < 0 || o.Consumers < 0 || o.Queues < 1:
		return errors.New("-producers, -consumers and -queues must not be negative, and there must be a queue")
	case o.Duration <= 0 && o.Count <= 0:
		return errors.New("one of -duration and -count must be given, so that the run ends")
	case o.Prefetch < 0 || o.Prefetch > 65535:
		return errors.New("-prefetch must be between 0 and 65535")
	case o.Prefetch > 0 && o.AckEvery > o.Prefetch:
		return errors.New("-ack-every beyond -prefetch would wait for ever")
	case o.BatchBytes < 1:
		return errors.New("-batch-bytes must be positive")
	case o.Rate > 0 && o.Tick <= 0:
		return errors.New("-rate needs a positive -tick")
	}
	return nil
}

// backlogLimit is how many messages may be in flight between the producers
// and the consumers. It keeps a throughput run from turning into a memory
// test when a broker takes messages faster than it hands them on.
func (o *Options) backlogLimit() int64 {
	const (
		messages = 200_000
		bytes    = 256 << 20
	)
	switch {
	case o.MaxBacklog > 0:
		return int64(o.MaxBacklog)
	case o.MaxBacklog < 0 || o.Consumers == 0:
		return 1 << 62
	}
	return int64(min(messages, max(bytes/max(o.Size, 1), 100)))
}

func (o *Options) dial(readBuffer int) (*amqp.Conn, error) {
	return amqp.Dial(amqp.Config{
		Addr: o.Addr, User: o.User, Password: o.Password, Vhost: o.Vhost,
		Timeout: o.DialTimeout, ReadBuffer: readBuffer,
	})
}

// ParseArgs reads "key=value,key=value" into a table; numbers and booleans
// are recognised.
func ParseArgs(s string) (amqp.Table, error) {
	t := amqp.Table{}
	if s == "" {
		return t, nil
	}
	for pair := range strings.SplitSeq(s, ",") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, fmt.Errorf("%q is not key=value", pair)
		}
		if n, err := strconv.Atoi(value); err == nil {
			t[key] = n
		} else if value == "true" || value == "false" {
			t[key] = value == "true"
		} else {
			t[key] = value
		}
	}
	return t, nil
}
