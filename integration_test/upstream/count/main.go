// Count reads what go test -json prints and tells how the tests ended.
//
// It writes one line "passed failed skipped" to standard output. To standard
// error goes what a reader needs beside the figures: the output of each test
// that failed and the reason of each that was skipped. Subtests count as part
// of the test that holds them. A test that began and never ended (the process
// died under it) is a failed one.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// event is the part of a line of go test -json that counts (see go doc test2json).
type event struct {
	Action string
	Test   string
	Output string
}

// result holds how many top-level tests ended in which way.
type result struct {
	passed, failed, skipped int
}

func main() {
	r, err := count(os.Stdin, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "count:", err)
		os.Exit(1)
	}
	fmt.Println(r.passed, r.failed, r.skipped)
}

// count reads events to the end and reports failed and skipped tests on w.
// Lines that are not events (a runtime's last words) are passed on to w.
func count(events io.Reader, w io.Writer) (result, error) {
	var (
		r       result
		output  = map[string]*strings.Builder{} // of the tests that run, by top-level name
		outside strings.Builder                 // output of no test
		broken  bool                            // the package failed
	)
	lines := bufio.NewScanner(events)
	lines.Buffer(nil, 16<<20) // bytes; a test may log a whole message body
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Fprintf(w, "%s\n", lines.Bytes())
			continue
		}
		name, _, isSub := strings.Cut(e.Test, "/")
		switch {
		case name == "":
			outside.WriteString(e.Output)
			broken = broken || e.Action == "fail"
			continue
		case output[name] == nil:
			output[name] = new(strings.Builder)
		}
		output[name].WriteString(e.Output)
		if isSub {
			continue
		}
		switch e.Action {
		case "pass":
			r.passed++
		case "fail":
			r.failed++
			fmt.Fprint(w, output[name])
		case "skip":
			r.skipped++
			fmt.Fprint(w, output[name])
		default:
			continue
		}
		delete(output, name)
	}
	for _, name := range slices.Sorted(maps.Keys(output)) {
		r.failed++
		fmt.Fprintf(w, "%s--- never ended: %s\n", output[name], name)
	}
	if broken && r.failed == 0 {
		r.failed++
		fmt.Fprint(w, &outside)
	}
	return r, lines.Err()
}
