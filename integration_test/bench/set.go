package main

import (
	"embed"
	"fmt"
	"os"
	"strings"

	"github.com/warren-mq/warren/integration_test/bench/internal/load"
)

//go:embed sets/*.txt
var builtinSets embed.FS

// testCase is one line of a scenario set.
type testCase struct {
	label string
	args  []string // scenario and flags
}

// readSet reads a scenario set: lines of "label: scenario flags".
func readSet(name string) ([]testCase, error) {
	b, err := builtinSets.ReadFile("sets/" + name + ".txt")
	if err != nil {
		if b, err = os.ReadFile(name); err != nil {
			return nil, fmt.Errorf("set %q is neither built in nor a file: %w", name, err)
		}
	}
	var cases []testCase
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		label, args, ok := strings.Cut(line, ":")
		if f := strings.Fields(args); ok && len(f) > 0 && load.Find(f[0]) != nil {
			cases = append(cases, testCase{label, f})
			continue
		}
		return nil, fmt.Errorf("set %q: %q is not \"label: scenario flags\"", name, line)
	}
	return cases, nil
}
