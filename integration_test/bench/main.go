// Command amqpbench measures AMQP 0-9-1 brokers. See README.md.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/warren-mq/warren/integration_test/bench/internal/load"
	"github.com/warren-mq/warren/integration_test/bench/internal/nullbroker"
)

func main() {
	if len(os.Args) < 2 {
		usage()
		os.Exit(2)
	}
	name, args := os.Args[1], os.Args[2:]
	var err error
	switch name {
	case "-h", "--help", "help":
		usage()
		return
	case "null":
		err = serveNull(args)
	case "compare":
		err = compare(args)
	case "report":
		err = reportFiles(args)
	default:
		err = runScenario(name, args)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "amqpbench:", err)
		os.Exit(1)
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: amqpbench SCENARIO [flags]\n\nscenarios:")
	for _, s := range load.Scenarios {
		fmt.Fprintf(os.Stderr, "  %-14s %s\n", s.Name, s.About)
	}
	fmt.Fprint(os.Stderr, `
other commands:
  null           serve as the null broker (see README.md)
  compare        run a set of scenarios against several brokers, interleaved
  report         print the tables for results that compare has saved

"amqpbench SCENARIO -h" lists the flags with their defaults for that scenario.
`)
}

// runScenario runs one scenario and prints its result: a line for people to
// standard error and, with -json, an object to standard output.
func runScenario(name string, args []string) error {
	s := load.Find(name)
	if s == nil {
		usage()
		return fmt.Errorf("no scenario is called %q", name)
	}
	o := load.Defaults()
	s.Preset(&o)
	fs := flag.NewFlagSet(name, flag.ExitOnError)
	asJSON := fs.Bool("json", false, "print the result as one JSON object to standard output")
	label := fs.String("label", "", "name of this run in the output")
	finish := bindFlags(fs, &o)
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if err := finish(); err != nil {
		return err
	}
	// A run has its own time limits. This is the last resort, should it hang
	// in a place that they do not reach.
	time.AfterFunc(o.Timeout+2*time.Minute, func() {
		fmt.Fprintln(os.Stderr, "amqpbench: hung")
		os.Exit(3)
	})
	res, err := s.Run(o)
	res.Label = *label
	fmt.Fprintln(os.Stderr, res.Line())
	if *asJSON { // a failed run too: its error is part of the result
		if e := json.NewEncoder(os.Stdout).Encode(res); err == nil {
			err = e
		}
	}
	return err
}

func serveNull(args []string) error {
	fs := flag.NewFlagSet("null", flag.ExitOnError)
	listen := fs.String("listen", "127.0.0.1:5690", "address to serve on")
	journal := fs.String("append", "", "append what comes with confirms to this file, and confirm it when it is synced")
	limit := fs.Duration("for", 0, "end by itself after so long (0: never)")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return errors.New("null takes flags only")
	}
	if *limit > 0 {
		time.AfterFunc(*limit, func() { os.Exit(0) })
	}
	return nullbroker.Serve(*listen, *journal)
}
