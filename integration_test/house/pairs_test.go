package house_test

import (
	"regexp"
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
