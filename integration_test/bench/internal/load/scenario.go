package load

import (
	"errors"
	"time"
)

// Scenario is one thing that can be measured.
type Scenario struct {
	Name  string
	About string
	// Preset changes the defaults before the command line is read.
	Preset func(o *Options)
	run    func(o *Options, res *Result) error
}

// manual asks for acknowledgements by the consumer.
func manual(o *Options) { o.Prefetch, o.AckEvery = 1000, 100 }

// safe asks for messages that survive a restart of the broker.
func safe(o *Options) { o.Persistent, o.Durable = true, true }

// Scenarios lists everything, in the order of the help text.
var Scenarios = []*Scenario{
	{
		Name:   "throughput",
		About:  "publish and consume at once through the default exchange",
		Preset: func(*Options) {}, // the common defaults
		run: func(o *Options, res *Result) error {
			return messaging(o, direct(o), pubSub, res)
		},
	},
	{
		Name:  "persistent",
		About: "throughput of persistent messages: durable queue, confirms, manual acknowledgement",
		Preset: func(o *Options) {
			manual(o)
			safe(o)
			o.Size, o.ConfirmWindow = 1024, 100
		},
		run: func(o *Options, res *Result) error {
			return messaging(o, direct(o), pubSub, res)
		},
	},
	{
		Name:  "publish",
		About: "publish to a queue without consumers",
		Preset: func(o *Options) {
			o.Size, o.Count, o.Consumers, o.Warmup = 100, 1_000_000, 0, 0
		},
		run: func(o *Options, res *Result) error {
			o.Consumers = 0
			return messaging(o, direct(o), publishOnly, res)
		},
	},
	{
		Name:  "consume",
		About: "fill a queue (not measured), then drain it",
		Preset: func(o *Options) {
			o.Size, o.Count = 100, 1_000_000
		},
		run: func(o *Options, res *Result) error {
			if o.Count <= 0 {
				return errors.New("consume needs -count")
			}
			return messaging(o, direct(o), consumeOnly, res)
		},
	},
	{
		Name:  "fanout",
		About: "one fanout exchange, each queue bound to it with a consumer",
		Preset: func(o *Options) {
			o.Queues, o.Consumers, o.Size = 10, 10, 100
		},
		run: func(o *Options, res *Result) error {
			if o.Consumers < o.Queues {
				return errors.New("fanout needs a consumer for each queue")
			}
			return messaging(o, fanout(o), pubSub, res)
		},
	},
	{
		Name:  "topic",
		About: "a topic exchange with many wildcard bindings and four times as many routing keys",
		Preset: func(o *Options) {
			o.Queues, o.Consumers, o.Bindings, o.Size = 10, 10, 1000, 100
		},
		run: func(o *Options, res *Result) error {
			if o.Bindings < 1 || o.Bindings > 100_000 || o.Consumers < o.Queues {
				return errors.New("topic needs 1 to 100,000 bindings and a consumer for each queue")
			}
			return messaging(o, topic(o), pubSub, res)
		},
	},
	{
		Name:  "work-queue",
		About: "several producers and consumers share one queue",
		Preset: func(o *Options) {
			manual(o)
			o.Producers, o.Consumers, o.Size = 4, 4, 100
		},
		run: func(o *Options, res *Result) error {
			return messaging(o, direct(o), pubSub, res)
		},
	},
	{
		Name:  "many-queues",
		About: "many queues, each with a producer and a consumer of its own",
		Preset: func(o *Options) {
			manual(o)
			o.Producers, o.Consumers, o.Queues, o.Size = 100, 100, 100, 100
			o.BatchBytes, o.Tick = 8<<10, 10*time.Millisecond
		},
		run: func(o *Options, res *Result) error {
			return messaging(o, direct(o), pubSub, res)
		},
	},
	{
		Name:  "latency",
		About: "publish at a fixed rate and report the time from publish to delivery",
		Preset: func(o *Options) {
			o.Rate, o.Size, o.Duration, o.ConfirmWindow = 10_000, 100, 10*time.Second, 0
		},
		run: func(o *Options, res *Result) error {
			if !o.stamped() {
				return errors.New("latency needs -rate, and -size of at least 8 for the time stamp")
			}
			return messaging(o, direct(o), pubSub, res)
		},
	},
	{
		Name:  "fairness",
		About: "latency of a slow publisher beside one that publishes as fast as it can, on queues of their own",
		Preset: func(o *Options) {
			o.Rate, o.Size, o.ConfirmWindow = 500, 100, 0
		},
		run: func(o *Options, res *Result) error {
			if !o.stamped() {
				return errors.New("fairness needs -rate, and -size of at least 8 for the time stamp")
			}
			return fairness(o, res)
		},
	},
	{
		Name:  "slow-consumer",
		About: "latency of messages that also go to a queue whose consumer takes all and never reads",
		Preset: func(o *Options) {
			o.Rate, o.Size, o.ConfirmWindow = 5000, 1024, 0
		},
		run: func(o *Options, res *Result) error {
			if !o.stamped() {
				return errors.New("slow-consumer needs -rate, and -size of at least 8 for the time stamp")
			}
			return slowConsumer(o, res)
		},
	},
	{
		Name:  "backlog-fill",
		About: "publish -count persistent messages with confirms and leave them in the queue",
		Preset: func(o *Options) {
			backlog(o)
			o.Keep, o.ConfirmWindow = true, 2000
		},
		run: func(o *Options, res *Result) error {
			o.Scenario, o.Consumers = "backlog", 0
			return messaging(o, direct(o), publishOnly, res)
		},
	},
	{
		Name:   "backlog-ready",
		About:  "wait until a restarted broker has the -count messages again; -since UNIX seconds",
		Preset: backlog,
		run: func(o *Options, res *Result) error {
			o.Scenario = "backlog"
			return ready(o, res)
		},
	},
	{
		Name:  "backlog-drain",
		About: "consume the -count messages that backlog-fill has left, and remove the queue",
		Preset: func(o *Options) {
			backlog(o)
			manual(o)
		},
		run: func(o *Options, res *Result) error {
			o.Scenario = "backlog"
			return messaging(o, direct(o), drainOnly, res)
		},
	},
	{
		Name:   "churn",
		About:  "connect, open a channel, declare an exclusive queue, close; -producers at a time",
		Preset: func(o *Options) { o.Producers = 4 },
		run:    churn,
	},
	{
		Name:  "idle",
		About: "hold -connections open connections and report their memory",
		Preset: func(o *Options) {
			o.Producers, o.Connections, o.Settle = 16, 1000, 3*time.Second
		},
		run: idle,
	},
	{
		Name:  "declare",
		About: "declare, bind and delete -count queues; -producers connections, -window requests at a time on each; -keep: no deleting",
		Preset: func(o *Options) {
			o.Producers, o.Count, o.Window = 4, 2000, 1
		},
		run: declare,
	},
	{
		Name:  "declare-ready",
		About: "wait until a restarted broker has the -count queues of declare -keep again; -since UNIX seconds",
		Preset: func(o *Options) {
			o.Count, o.Window = 2000, 1000
		},
		run: declareReady,
	},
}

func backlog(o *Options) {
	safe(o)
	o.Size, o.Count, o.Duration, o.Warmup, o.Timeout = 100, 1_000_000, 0, 0, 10*time.Minute
}

// Find returns the scenario of that name, or nil.
func Find(name string) *Scenario {
	for _, s := range Scenarios {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// Run runs the scenario. The result is valid, with its Error set, even when
// the run fails.
func (s *Scenario) Run(o Options) (*Result, error) {
	o.Scenario = s.Name
	res := &Result{
		Scenario: s.Name, Target: o.Target, Addr: o.Addr, Time: time.Now().UTC(),
		Params: map[string]any{
			"size": o.Size, "duration_s": o.Duration.Seconds(), "count": o.Count,
			"producers": o.Producers, "consumers": o.Consumers, "queues": o.Queues,
			"bindings": o.Bindings, "connections": o.Connections,
			"prefetch": o.Prefetch, "ack_every": o.AckEvery, "confirm_window": o.ConfirmWindow,
			"persistent": o.Persistent, "durable": o.Durable, "queue_args": o.QueueArgs,
			"rate": o.Rate, "max_backlog": o.MaxBacklog, "batch_bytes": o.BatchBytes,
		},
	}
	err := o.Check()
	if err == nil {
		err = s.run(&o, res)
	}
	if err != nil {
		res.Error = err.Error()
	}
	res.rates()
	return res, err
}
