package main

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// target is a broker to compare.
type target struct {
	name    string
	addr    string
	pids    string
	pidfile string
	flags   []string // added to each run, behind those of the set
	only    []string // patterns of the cases to run; none: all
	not     []string // patterns of the cases to leave out
}

// parseTarget reads NAME=ADDR[,pid=N+N][,pidfile=FILE][,flag=-x=y]...
func parseTarget(s string) (*target, error) {
	name, rest, ok := strings.Cut(s, "=")
	if !ok || name == "" {
		return nil, fmt.Errorf("-target %q is not NAME=ADDR[,...]", s)
	}
	parts := strings.Split(rest, ",")
	t := &target{name: name, addr: parts[0]}
	for _, p := range parts[1:] {
		key, value, _ := strings.Cut(p, "=")
		switch key {
		case "pid":
			t.pids = strings.ReplaceAll(value, "+", ",")
		case "pidfile":
			t.pidfile = value
		case "flag":
			t.flags = append(t.flags, value)
		case "only":
			t.only = append(t.only, value)
		case "not":
			t.not = append(t.not, value)
		default:
			return nil, fmt.Errorf("-target %q: unknown key %q", s, key)
		}
	}
	return t, nil
}

// runs says whether the target takes part in a case.
func (t *target) runs(label string) bool {
	match := func(p string) bool { ok, _ := path.Match(p, label); return ok }
	return (len(t.only) == 0 || slices.ContainsFunc(t.only, match)) && !slices.ContainsFunc(t.not, match)
}
