package house_test

import (
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A test in the table of arguments is the name of a Go test, or a transcript with the beginnings of some of its sections.
var (
	testName  = regexp.MustCompile("`(Test[A-Za-z0-9_]+)`")
	section   = regexp.MustCompile("`([a-z-]+\\.txt)`((?:,? \"[^\"]+\")+)")
	quotation = regexp.MustCompile(`"([^"]+)"`)
)

// TestArgumentsTogetherAreTested: each row of docs/queue-arguments.md names a test that exists.
func TestArgumentsTogetherAreTested(t *testing.T) {
	tests := map[string]bool{}
	for _, f := range goFiles(t) {
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && f.isTest() {
				tests[fn.Name.Name] = true
			}
		}
	}
	rows := 0
	for line := range strings.Lines(read(t, "docs/queue-arguments.md")) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if !strings.HasPrefix(line, "|") || len(cells) != 3 || strings.HasPrefix(cells[0], "---") || strings.TrimSpace(cells[2]) == "test" {
			continue
		}
		rows++
		named := 0
		for _, m := range testName.FindAllStringSubmatch(cells[2], -1) {
			if named++; !tests[m[1]] {
				t.Errorf("there is no %s, which shall hold:%s", m[1], cells[1])
			}
		}
		for _, m := range section.FindAllStringSubmatch(cells[2], -1) {
			for _, beginning := range quotation.FindAllStringSubmatch(m[2], -1) {
				if named++; !hasSection(t, m[1], beginning[1]) {
					t.Errorf("%s has no section %q, which shall hold:%s", m[1], beginning[1], cells[1])
				}
			}
		}
		if named == 0 {
			t.Errorf("no test is named for%s with%s", cells[1], cells[0])
		}
	}
	if rows < 20 {
		t.Errorf("only %d rows were found", rows)
	}
}

// hasSection says whether a transcript has a section whose comment holds these words.
func hasSection(t *testing.T, transcript, words string) bool {
	lines := strings.Split(read(t, path.Join("queue/testdata", transcript)), "\n")
	return slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, "# ") && strings.Contains(line, words) })
}
