package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/warren-mq/warren/integration_test/bench/internal/load"
)

// compare runs a set of cases against several brokers in turn (A B A B ...),
// each run in a process of its own, and prints tables of the medians.
func compare(args []string) error {
	fs := flag.NewFlagSet("compare", flag.ExitOnError)
	var targets []*target
	fs.Func("target", "NAME=ADDR[,pid=N+N][,pidfile=FILE][,flag=-X=Y][,only=CASE][,not=CASE]; repeat for each broker",
		func(s string) error {
			t, err := parseTarget(s)
			targets = append(targets, t)
			return err
		})
	set := fs.String("set", "core", "scenario set: built in (core, quick, fresh) or a file")
	pick := fs.String("cases", "", "only these cases of the set, comma separated; * and ? match")
	rounds := fs.Int("rounds", 3, "runs of each case on each broker")
	baseline := fs.String("baseline", "", "name of the broker that the others are compared with (default: the first)")
	out := fs.String("out", "", "append every result to this file, one JSON object a line")
	add := fs.String("add", "", "flags to add to every case, such as \"-duration 3s\"")
	lock := fs.String("lock", "", "hold an exclusive lock on this file during each round of a case")
	noise := fs.Float64("noise", 0.25, "repeat a run during which other processes used more than so many cores")
	retries := fs.Int("retries", 2, "how often to repeat a noisy run; the quietest one counts")
	pause := fs.Duration("pause", time.Second, "rest between two runs")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if len(targets) == 0 {
		return errors.New("compare needs at least one -target")
	}
	cases, err := readSet(*set)
	if err != nil {
		return err
	}
	if *pick != "" {
		cases = slices.DeleteFunc(cases, func(c testCase) bool {
			return !slices.ContainsFunc(strings.Split(*pick, ","), func(p string) bool {
				ok, _ := path.Match(p, c.label)
				return ok
			})
		})
	}
	if *baseline == "" {
		*baseline = targets[0].name
	}
	r := &runner{lock: *lock, noise: *noise, retries: *retries, pause: *pause}
	if r.self, err = os.Executable(); err != nil {
		return err
	}
	if *out != "" {
		if r.out, err = os.OpenFile(*out, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
			return err
		}
		defer r.out.Close()
	}
	var results []*load.Result
	for _, c := range cases {
		c.args = append(c.args, strings.Fields(*add)...)
		for range *rounds {
			round, err := r.round(c, targets)
			if err != nil {
				return err
			}
			results = append(results, round...)
		}
	}
	return report(os.Stdout, results, *baseline)
}

// reportFiles prints the tables for results that compare has written.
func reportFiles(args []string) error {
	fs := flag.NewFlagSet("report", flag.ExitOnError)
	baseline := fs.String("baseline", "", "name of the broker that the others are compared with")
	if err := fs.Parse(args); err != nil {
		return err
	}
	var results []*load.Result
	for _, name := range fs.Args() {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		sc := bufio.NewScanner(f)
		sc.Buffer(nil, 1<<20)
		for sc.Scan() {
			res := new(load.Result)
			if err := json.Unmarshal(sc.Bytes(), res); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			results = append(results, res)
		}
		if err := errors.Join(sc.Err(), f.Close()); err != nil {
			return err
		}
	}
	return report(os.Stdout, results, *baseline)
}
