package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/warren-mq/warren/integration_test/bench/internal/load"
)

// runner runs cases in processes of their own.
type runner struct {
	self    string
	lock    string
	noise   float64
	retries int
	pause   time.Duration
	out     *os.File
}

// round runs a case once on each target, under the lock if there is one.
func (r *runner) round(c testCase, targets []*target) (results []*load.Result, err error) {
	if r.lock != "" {
		f, err := os.OpenFile(r.lock, os.O_CREATE|os.O_RDWR, 0o666)
		if err != nil {
			return nil, err
		}
		defer f.Close() // and unlock
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
			return nil, err
		}
	}
	for _, t := range targets {
		if !t.runs(c.label) {
			continue
		}
		res, err := r.quiet(c, t)
		if err != nil {
			return nil, err
		}
		results = append(results, res)
	}
	return results, nil
}

// quiet runs a case, again if there was too much noise, and keeps the run
// with the least.
func (r *runner) quiet(c testCase, t *target) (*load.Result, error) {
	var best *load.Result
	for range 1 + r.retries {
		res, err := r.run(c, t)
		if err != nil {
			return nil, err
		}
		if best == nil || best.Error != "" || res.Error == "" && res.Machine.OtherCores < best.Machine.OtherCores {
			best = res
		}
		time.Sleep(r.pause)
		if best.Machine.OtherCores <= r.noise && best.Error == "" {
			break
		}
	}
	if r.out != nil {
		if err := json.NewEncoder(r.out).Encode(best); err != nil {
			return nil, err
		}
	}
	return best, nil
}

// run runs a case once. A run that fails is a result too; an error means that
// it could not be run.
func (r *runner) run(c testCase, t *target) (*load.Result, error) {
	pids := t.pids
	if t.pidfile != "" {
		b, err := os.ReadFile(t.pidfile)
		if err != nil {
			return nil, err
		}
		pids = strings.Join(strings.Fields(string(b)), ",")
	}
	args := append(slices.Clone(c.args), t.flags...)
	args = append(args, "-addr", t.addr, "-pid", pids, "-target", t.name, "-label", c.label, "-json")

	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.self, args...)
	var stdout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, os.Stderr
	runErr := cmd.Run()
	res := new(load.Result)
	if err := json.Unmarshal(stdout.Bytes(), res); err != nil {
		return nil, fmt.Errorf("case %s on %s: %w", c.label, t.name, cmp.Or(runErr, err))
	}
	return res, nil
}
