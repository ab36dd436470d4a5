package main

import (
	"flag"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/warren-mq/warren/integration_test/bench/internal/load"
)

// bindFlags declares the flags of a scenario, with o as their defaults and
// their destination. The returned function takes in the flags that need
// parsing.
func bindFlags(fs *flag.FlagSet, o *load.Options) (finish func() error) {
	fs.StringVar(&o.Addr, "addr", o.Addr, "address of the broker")
	fs.StringVar(&o.User, "user", o.User, "user name")
	fs.StringVar(&o.Password, "password", o.Password, "password")
	fs.StringVar(&o.Vhost, "vhost", o.Vhost, "virtual host")
	fs.StringVar(&o.Target, "target", o.Target, "name of the broker in the output")
	pids := fs.String("pid", "", "process ids of the broker, comma separated, to account for CPU, memory and disk")
	fs.IntVar(&o.Size, "size", o.Size, "body bytes of a message")
	fs.DurationVar(&o.Duration, "duration", o.Duration, "how long to publish (0: until -count)")
	fs.DurationVar(&o.Warmup, "warmup", o.Warmup, "how long to publish before the measured part")
	fs.IntVar(&o.Count, "count", o.Count, "how many messages or operations (0: until -duration)")
	fs.IntVar(&o.Producers, "producers", o.Producers, "publishing connections, or concurrent workers")
	fs.IntVar(&o.Consumers, "consumers", o.Consumers, "consuming connections")
	fs.IntVar(&o.Queues, "queues", o.Queues, "queues")
	fs.IntVar(&o.Bindings, "bindings", o.Bindings, "bindings of the topic exchange")
	fs.IntVar(&o.Connections, "connections", o.Connections, "idle connections")
	fs.IntVar(&o.Prefetch, "prefetch", o.Prefetch, "prefetch count of each consumer (0: no limit)")
	fs.IntVar(&o.AckEvery, "ack-every", o.AckEvery, "messages for one acknowledgement (0: automatic, 1: one ack frame each)")
	fs.IntVar(&o.ConfirmWindow, "confirm-window", o.ConfirmWindow, "most unconfirmed messages of each producer (0: no confirms)")
	fs.IntVar(&o.Window, "window", o.Window, "most unanswered requests of each connection that declares")
	fs.BoolVar(&o.Persistent, "persistent", o.Persistent, "publish persistent messages")
	fs.BoolVar(&o.Durable, "durable", o.Durable, "declare durable queues and exchanges")
	queueType := fs.String("queue-type", "", "x-queue-type argument of the queues")
	queueArgs := fs.String("args", "", "further queue arguments: key=value,key=value")
	fs.IntVar(&o.Rate, "rate", o.Rate, "messages per second over all producers (0: unlimited)")
	fs.DurationVar(&o.Tick, "tick", o.Tick, "grain of -rate: what is due in this time is written at once")
	fs.IntVar(&o.MaxBacklog, "max-backlog", o.MaxBacklog, "most messages in flight (0: up to 200,000 and 256 MiB; -1: no limit)")
	fs.IntVar(&o.BatchBytes, "batch-bytes", o.BatchBytes, "bytes of pre-encoded messages for one write")
	fs.DurationVar(&o.Settle, "settle", o.Settle, "rest between preparing and measuring")
	fs.BoolVar(&o.Keep, "keep", o.Keep, "leave queues and messages behind")
	since := fs.Float64("since", 0, "when the restart began, in seconds since 1970 (default: now)")
	fs.DurationVar(&o.Stall, "stall", o.Stall, "give up after so long without progress")
	fs.DurationVar(&o.Timeout, "timeout", o.Timeout, "give up after so long altogether")

	return func() (err error) {
		if o.Pids, err = parsePids(*pids); err != nil {
			return err
		}
		if o.QueueArgs, err = load.ParseArgs(*queueArgs); err != nil {
			return err
		}
		if *queueType != "" {
			o.QueueArgs["x-queue-type"] = *queueType
		}
		if *since > 0 {
			o.Since = time.UnixMicro(int64(*since * 1e6))
		}
		return nil
	}
}

func parsePids(s string) (pids []int, err error) {
	if s == "" {
		return nil, nil
	}
	for f := range strings.SplitSeq(s, ",") {
		pid, err := strconv.Atoi(strings.TrimSpace(f))
		if err != nil || pid < 1 {
			return nil, fmt.Errorf("-pid: %q is no process id", f)
		}
		pids = append(pids, pid)
	}
	return pids, nil
}
