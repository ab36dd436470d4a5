package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"
)

// process is what the command knows of the world around it, so that tests can be that world.
type process struct {
	stdout, stderr io.Writer
	signals        <-chan os.Signal
}

// run runs the command line and returns the exit code: 0, or 1 behind one line on stderr that says what was wrong.
func (p *process) run(args []string) int {
	if err := p.app().Run(args); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") { // one line for each fault
			fmt.Fprintln(p.stderr, "warren:", line)
		}
		return 1
	}
	return 0
}

func (p *process) app() *cli.App {
	set := newSettings()
	return &cli.App{
		Name:  "warren",
		Usage: "a message broker that speaks RabbitMQ's AMQP 0-9-1",
		UsageText: "warren [server] [options]\nwarren health [options]\nwarren backup [options] FILE\n" +
			"warren restore FILE [options]\nwarren check [options]\n" +
			"warren bench [options]\nwarren version",
		Description:    "Without a command, warren runs the server.",
		Version:        version(),
		HideVersion:    true, // "warren version" is the one way to ask
		Writer:         p.stdout,
		ErrWriter:      p.stderr,
		ExitErrHandler: func(*cli.Context, error) {}, // run reports errors, and never by os.Exit
		OnUsageError:   usageError(set),
		Flags:          set.flags(),
		Action:         func(ctx *cli.Context) error { return p.serve(ctx, set) },
		Commands: []*cli.Command{
			{
				Name:         "server",
				Usage:        "run the broker (also without a command)",
				Flags:        set.flags(),
				OnUsageError: usageError(set),
				Action:       func(ctx *cli.Context) error { return p.serve(ctx, set) },
			},
			p.healthCommand(set),
			p.backupCommand(set),
			p.restoreCommand(set),
			p.checkCommand(set),
			p.benchCommand(),
			{
				Name:         "version",
				Usage:        "print the version",
				OnUsageError: usageError(nil),
				Action: func(ctx *cli.Context) error {
					if err := noArguments(ctx); err != nil {
						return err
					}
					_, err := fmt.Fprintln(p.stdout, "warren", version())
					return err
				},
			},
		},
	}
}

// noArguments refuses words that are neither a command nor the value of a flag, which would otherwise do nothing.
func noArguments(ctx *cli.Context) error {
	if ctx.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; see warren --help", ctx.Args().First())
	}
	return nil
}

// usageError keeps a bad flag to one line: urfave would print the whole help. The table may be nil.
func usageError(set *settings) cli.OnUsageErrorFunc {
	return func(_ *cli.Context, err error, _ bool) error {
		var name string
		if _, e := fmt.Sscanf(err.Error(), "flag provided but not defined: -%s", &name); e == nil {
			return fmt.Errorf("unknown flag --%s%s; see warren --help", name, didYouMean("--", name, "", set.names()))
		}
		return fmt.Errorf("%w; see warren --help", err)
	}
}
