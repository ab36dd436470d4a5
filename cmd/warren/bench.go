package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/urfave/cli/v2"

	"github.com/warren-mq/warren/cmd/warren/load"
)

// benchCommand puts load on any broker, as RabbitMQ's PerfTest does. It has flags of its own: the settings are those of
// a broker, and this one may run anywhere.
func (p *process) benchCommand() *cli.Command {
	return &cli.Command{
		Name:      "bench",
		Usage:     "put load on a broker and measure rates and latencies",
		UsageText: "warren bench [options]",
		Description: "Producers and consumers are applications on amqp091-go, each with a connection of its own; so the figures are\n" +
			"those that a Go application can reach. Progress goes to the standard error, the sum to the standard output.\n" +
			"Latencies are measured when --size is at least 16 bytes.",
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "uri", Usage: "`URI` of the broker; several are taken in turn", Value: cli.NewStringSlice("amqp://guest:guest@localhost:5672/")},
			&cli.IntFlag{Name: "producers", Usage: "`NUMBER` of producers", Value: 1},
			&cli.IntFlag{Name: "consumers", Usage: "`NUMBER` of consumers, shared out over the queues", Value: 1},
			&cli.IntFlag{Name: "queues", Usage: "`NUMBER` of queues, published to in turn", Value: 1},
			&cli.StringFlag{Name: "queue", Usage: "`NAME` of the queue, or what the names of several begin with", Value: "warren-bench"},
			&cli.StringFlag{Name: "queue-type", Usage: "`TYPE` of the queues: classic or quorum"},
			&cli.StringSliceFlag{Name: "argument", Usage: "`NAME=VALUE`: an argument of the queues; whole numbers, true and false are sent as such"},
			&cli.StringFlag{Name: "exchange", Usage: "`NAME` of an exchange to publish to (default: the default exchange)"},
			&cli.StringFlag{Name: "exchange-type", Usage: "`TYPE` of the exchange", Value: "direct"},
			&cli.BoolFlag{Name: "existing", Usage: "use queues and exchange that are there, and leave them"},
			&cli.BoolFlag{Name: "keep", Usage: "leave queues and exchange, and what is in them"},
			&cli.StringFlag{Name: "size", Usage: "`SIZE` of a message's body, such as 100 or 64KiB", Value: "100"},
			&cli.Float64Flag{Name: "rate", Usage: "`NUMBER` of messages per second of each producer (default: as many as it can)"},
			&cli.Float64Flag{Name: "consumer-rate", Usage: "`NUMBER` of messages per second that each consumer acknowledges at most"},
			&cli.IntFlag{Name: "count", Usage: "`NUMBER` of messages of each producer (default: until --duration is over)"},
			&cli.DurationFlag{Name: "duration", Usage: "`TIME` to publish; 0 together with --count for no limit", Value: 30 * time.Second},
			&cli.DurationFlag{Name: "warmup", Usage: "`TIME` at the beginning that is not measured"},
			&cli.BoolFlag{Name: "persistent", Usage: "durable queues and persistent messages"},
			&cli.IntFlag{Name: "confirm", Usage: "wait for confirms, with at most `NUMBER` publishes without one (default: no confirms)"},
			&cli.BoolFlag{Name: "auto-ack", Usage: "consume without acknowledgements"},
			&cli.IntFlag{Name: "prefetch", Usage: "`NUMBER` of deliveries that a consumer may have unacknowledged; 0: any", Value: 200},
			&cli.IntFlag{Name: "ack-every", Usage: "acknowledge so many deliveries at once: `NUMBER`", Value: 1},
			&cli.DurationFlag{Name: "interval", Usage: "`TIME` between two lines of progress", Value: time.Second},
			&cli.StringFlag{Name: "json", Usage: "write the figures to `FILE`; - for the standard output, instead of the sum"},
			&cli.StringFlag{Name: "plot", Usage: "draw rates and latencies over time into `FILE`, as SVG"},
		},
		OnUsageError: usageError(nil),
		Action: func(ctx *cli.Context) error {
			if err := noArguments(ctx); err != nil {
				return err
			}
			o, err := benchOptions(ctx)
			if err != nil {
				return err
			}
			return p.bench(ctx, o)
		},
	}
}

// benchOptions reads what the flags say; what does not fit together is found by package load.
func benchOptions(ctx *cli.Context) (load.Options, error) {
	size, err := parseSize(ctx.String("size"))
	if err != nil {
		return load.Options{}, fmt.Errorf("--size: %w", err)
	}
	arguments, err := queueArguments(ctx.StringSlice("argument"))
	if err != nil {
		return load.Options{}, err
	}
	if t := ctx.String("queue-type"); t != "" {
		arguments["x-queue-type"] = t
	}
	for _, uri := range ctx.StringSlice("uri") {
		if _, err := amqp.ParseURI(uri); err != nil {
			return load.Options{}, fmt.Errorf("--uri: %w", err)
		}
	}
	return load.Options{
		URIs:      ctx.StringSlice("uri"),
		Producers: ctx.Int("producers"), Consumers: ctx.Int("consumers"),
		Queues: ctx.Int("queues"), QueueName: ctx.String("queue"),
		Exchange: ctx.String("exchange"), ExchangeType: ctx.String("exchange-type"),
		Arguments: arguments, Existing: ctx.Bool("existing"), Keep: ctx.Bool("keep"),
		Size: int(min(size, math.MaxInt32)), Rate: ctx.Float64("rate"), TakeRate: ctx.Float64("consumer-rate"), Count: ctx.Int("count"),
		Duration: ctx.Duration("duration"), WarmUp: ctx.Duration("warmup"),
		Persistent: ctx.Bool("persistent"), Window: ctx.Int("confirm"),
		AutoAck: ctx.Bool("auto-ack"), Prefetch: ctx.Int("prefetch"), AckEvery: ctx.Int("ack-every"),
		Interval: ctx.Duration("interval"),
	}, nil
}

// queueArguments reads NAME=VALUE.
func queueArguments(words []string) (amqp.Table, error) {
	table := amqp.Table{}
	for _, word := range words {
		name, value, ok := strings.Cut(word, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--argument: %q is not NAME=VALUE", word)
		}
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			table[name] = n
		} else if value == "true" || value == "false" {
			table[name] = value == "true"
		} else {
			table[name] = value
		}
	}
	return table, nil
}

func (p *process) bench(ctx *cli.Context, o load.Options) error {
	file := ctx.String("json")
	if file == "-" {
		file = ""
	}
	figures, err := output(file)
	if err != nil {
		return fmt.Errorf("--json: %w", err)
	}
	defer figures.Close()
	picture, err := output(ctx.String("plot"))
	if err != nil {
		return fmt.Errorf("--plot: %w", err)
	}
	defer picture.Close()

	work, done := p.interruptible(ctx.Context)
	defer done()
	result, err := load.Run(work, o, func(i load.Interval) { fmt.Fprintln(p.stderr, progressLine(&i)) })
	if result == nil {
		return err
	}
	asJSON := func(to io.Writer) error {
		e := json.NewEncoder(to)
		e.SetIndent("", "  ")
		return e.Encode(result)
	}
	if ctx.String("json") == "-" {
		err = errors.Join(err, asJSON(p.stdout))
	} else {
		_, e := fmt.Fprint(p.stdout, summary(result))
		err = errors.Join(err, e, write(figures, asJSON))
	}
	return errors.Join(err, write(picture, func(to io.Writer) error { return result.Plot(to, benchTitle(result)) }))
}

// output opens a file that the result will be written to, so that a run is not in vain. What is in it stays until then.
func output(name string) (*os.File, error) {
	if name == "" {
		return nil, nil
	}
	return os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o666)
}

// write replaces what is in a file, if there is one.
func write(f *os.File, content func(io.Writer) error) error {
	if f == nil {
		return nil
	}
	_ = f.Truncate(0) // a pipe cannot be, and need not
	return errors.Join(content(f), f.Close())
}
