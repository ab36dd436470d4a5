package house_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestArgumentPairsNameTestsThatExist: docs/queue-arguments.md gives a test for each pair, a section of a transcript or a
// Go test.
func TestArgumentPairsNameTestsThatExist(t *testing.T) {
	var functions strings.Builder
	for _, f := range goFiles(t) {
		if f.isTest() {
			functions.WriteString(read(t, f.path))
		}
	}
	section := regexp.MustCompile("`([a-z]+\\.txt)`((?:,? \"[^\"]+\")+)")
	quoted := regexp.MustCompile(`"([^"]+)"`)
	goTest := regexp.MustCompile("`(Test[A-Za-z0-9]+)`")
	named := 0
	for line := range strings.Lines(read(t, "docs/queue-arguments.md")) {
		if !strings.HasPrefix(line, "|") {
			continue
		}
		for _, m := range section.FindAllStringSubmatch(line, -1) {
			transcript := read(t, "queue/testdata/"+m[1])
			for _, name := range quoted.FindAllStringSubmatch(m[2], -1) {
				if named++; !regexp.MustCompile(`(?m)^#.*` + regexp.QuoteMeta(name[1])).MatchString(transcript) {
					t.Errorf("queue/testdata/%s has no section %q", m[1], name[1])
				}
			}
		}
		for _, m := range goTest.FindAllStringSubmatch(line, -1) {
			if named++; !strings.Contains(functions.String(), "func "+m[1]+"(") {
				t.Errorf("there is no %s", m[1])
			}
		}
	}
	if named < 20 {
		t.Errorf("only %d tests are named: the table has changed its form", named)
	}
}

// TestEveryPairOfArgumentsIsThere: docs/queue-arguments.md has a row with a test for each two of the arguments that can change
// what the other means: below the heading of one the other, or both below the last but one.
func TestEveryPairOfArgumentsIsThere(t *testing.T) {
	arguments := []struct{ name, heading, row string }{
		{"retry", "Retry", `\bretry\b`},
		{"rate limit", "Rate limit", `rate limit`},
		{"ordering key", "Ordering key", `ordering key`},
		{"exact expiry", "Exact expiry", `exact expiry`},
		{"deduplication", "Deduplication", `deduplication`},
		{"priorities", "", `(^|, |and )priorities`}, // not those of consumers
		{"single active consumer", "", `single active consumer`},
		{"length limits", "", `x-max-length|length limits|drop-head`},
		{"delivery limit", "", `delivery limit|x-delivery-limit`},
	}
	rows := map[string][]string{} // the first cells with a test, by heading
	heading := ""
	for line := range strings.Lines(read(t, "docs/queue-arguments.md")) {
		if rest, ok := strings.CutPrefix(line, "## "); ok {
			heading, _, _ = strings.Cut(strings.TrimSpace(rest), " (")
		}
		if cells := strings.Split(line, "|"); len(cells) == 5 && strings.Contains(cells[3], "`") {
			rows[heading] = append(rows[heading], strings.TrimSpace(cells[1]))
		}
	}
	has := func(heading string, patterns ...string) bool {
		return slices.ContainsFunc(rows[heading], func(row string) bool {
			return !slices.ContainsFunc(patterns, func(p string) bool { return !regexp.MustCompile(p).MatchString(row) })
		})
	}
	for i, a := range arguments {
		for _, b := range arguments[i+1:] {
			if !has(a.heading, b.row) && !has(b.heading, a.row) && !has("The others among themselves", a.row, b.row) {
				t.Errorf("there is no row for %s with %s", a.name, b.name)
			}
		}
	}
}
