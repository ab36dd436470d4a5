package main

import (
	"flag"
	"io"
	"strings"
	"testing"

	"github.com/warren-mq/warren/integration_test/bench/internal/load"
)

func TestBuiltInSetsHoldScenariosWithFlagsThatExist(t *testing.T) {
	for _, name := range []string{"core", "quick"} {
		cases, err := readSet(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(cases) == 0 {
			t.Errorf("set %s is empty", name)
		}
		for _, c := range cases {
			o := load.Defaults()
			load.Find(c.args[0]).Preset(&o)
			fs := flag.NewFlagSet(c.label, flag.ContinueOnError)
			fs.SetOutput(io.Discard)
			finish := bindFlags(fs, &o)
			if err := fs.Parse(c.args[1:]); err != nil {
				t.Errorf("%s: %s: %v", name, c.label, err)
			} else if err := finish(); err != nil {
				t.Errorf("%s: %s: %v", name, c.label, err)
			} else if err := o.Check(); err != nil {
				t.Errorf("%s: %s: %v", name, c.label, err)
			}
		}
	}
}

func TestTargetPicksItsCases(t *testing.T) {
	target, err := parseTarget("rabbit=127.0.0.1:5673,pid=1+2,flag=-size=7,only=auto-*,only=latency,not=auto-64k")
	if err != nil {
		t.Fatal(err)
	}
	if target.pids != "1,2" || len(target.flags) != 1 {
		t.Errorf("parsed as %+v", target)
	}
	for label, want := range map[string]bool{"auto-16": true, "latency": true, "auto-64k": false, "churn": false} {
		if got := target.runs(label); got != want {
			t.Errorf("runs %s: %v", label, got)
		}
	}
	for _, bad := range []string{"", "=1:2", "name", "a=1:2,port=3"} {
		if _, err := parseTarget(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestReportShowsMediansAndRatios(t *testing.T) {
	run := func(target string, rate float64) *load.Result {
		return &load.Result{Label: "auto-16", Target: target, ConsumedPerSec: rate}
	}
	var b strings.Builder
	err := report(&b, []*load.Result{
		run("a", 1000), run("b", 5000), run("a", 3000), run("b", 4000), run("a", 2000), run("b", 6000),
	}, "a")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"### auto-16", "| a | 2,000 | 1,000..3,000 |", "| b | 5,000 (×2.50) | 4,000..6,000 |"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, b.String())
		}
	}
}
