package house_test

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTopFolders(t *testing.T) {
	const why = "the folders at the top are the architecture, and were chosen once"
	allowed := []string{"cmd", "server", "amqp", "dedup", "exchange", "queue", "schedule", "storage", "auth", "broker", "management", "amqptest",
		"integration_test", "docs", ".ci", ".github"}
	if err := walk(func(file string) error {
		if top, _, inside := strings.Cut(file, "/"); inside && !slices.Contains(allowed, top) {
			t.Errorf("%s: no folder %s: %s", file, top, why)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestNoPackageIsADrawer(t *testing.T) {
	for _, f := range goFiles(t) {
		if slices.Contains([]string{"util", "utils", "common", "helper", "helpers", "types", "misc", "shared", "base"}, path.Base(f.folder())) {
			t.Errorf("%s: a package is named for what it does", f.path)
		}
	}
}

func TestFilesHoldOneIdea(t *testing.T) {
	const most = 600
	for _, f := range goFiles(t) {
		if !f.isTest() && !f.isGenerated() && f.lines > most {
			t.Errorf("%s has %d lines; split it by idea, at the latest at %d", f.path, f.lines, most)
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	documented := map[string]bool{}
	for _, f := range goFiles(t) {
		if _, seen := documented[f.folder()]; !seen {
			documented[f.folder()] = false
		}
		if f.syntax.Doc != nil && !f.isGenerated() {
			documented[f.folder()] = true
		}
	}
	for folder, ok := range documented {
		if !ok {
			t.Errorf("%s has no package comment", folder)
		}
	}
}

// A test that sleeps is slow when the sleep is long and fails when it is short. In a synctest bubble time is not real.
func TestTestsDoNotSleep(t *testing.T) {
	for _, f := range goFiles(t) {
		if !f.isTest() || slices.Contains(f.imports(), "testing/synctest") {
			continue
		}
		for _, line := range f.calls(positions, "time", "Sleep", "eventually") {
			t.Errorf("%s:%d sleeps: wait for an event, use fake time, or poll with a deadline in a function called eventually", f.path, line)
		}
	}
}

// words that must not stand in any file, with the reason.
var words = []struct {
	pattern *regexp.Regexp
	why     string
}{
	// The patterns are written so that they do not match themselves.
	{regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`), "what is missing is either done or said in the documents"},
	{regexp.MustCompile(`(?i)\bnot (yet )?imple` + `mented( yet)?\b`), "what is missing is refused with RabbitMQ's answer"},
	{regexp.MustCompile(`(?m)(^|[\s"'=(\x60])/(wo` + `rk|ro` + `ot|ho` + `me/[a-z]+|Us` + `ers/[a-z]+)(/|\b)`), "a path of one machine means nothing on another"},
	{regexp.MustCompile(`<<<<` + `<<< |>>>>` + `>>> `), "a merge was left half done"},
}

// quotes are files that repeat RabbitMQ's own words, in which those above are data.
var quotes = regexp.MustCompile(`^(docs/compatibility\.md|amqp/(replycodes_gen|error[a-z_]*)\.go|amqp/spec/.*|.*/testdata/.*|.*\.snap)$`)

func TestNoFileHoldsWordsThatMeanNothingToItsReaders(t *testing.T) {
	if err := walk(func(file string) error {
		if quotes.MatchString(file) || strings.HasSuffix(file, "package-lock.json") || file == "go.sum" || file == "LICENSE" {
			return nil
		}
		content := read(t, file)
		if !utf8.ValidString(content) || strings.ContainsRune(content, 0) {
			return nil // not a text
		}
		for _, w := range words {
			if !w.pattern.MatchString(content) {
				continue
			}
			n := 0
			for line := range strings.Lines(content) {
				n++
				// RabbitMQ's error 540 and its HTTP answer 501 bear that name.
				if m := w.pattern.FindString(line); m != "" && !strings.Contains(line, "NOT_IMPL") && !strings.Contains(line, "NotImpl") {
					t.Errorf("%s:%d: %q: %s", file, n, strings.TrimSpace(m), w.why)
				}
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
