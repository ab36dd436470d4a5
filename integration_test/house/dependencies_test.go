package house_test

import (
	"regexp"
	"strings"
	"testing"
)

// requirement is a line of go.mod that somebody chose; the others only follow.
var requirement = regexp.MustCompile(`(?m)^(?:require)?\s+([a-z][^\s]+) v\S+$`)

func TestEveryDependencyHasItsReason(t *testing.T) {
	doc := read(t, "docs/dependencies.md")
	mod, tools, _ := strings.Cut(read(t, "go.mod"), "\ntool ")
	direct := requirement.FindAllStringSubmatch(mod, -1)
	if len(direct) < 3 {
		t.Fatalf("go.mod has only %d direct requirements", len(direct))
	}
	for _, m := range direct {
		if !strings.Contains(doc, "`"+m[1]+"`") {
			t.Errorf("docs/dependencies.md does not say what %s is for", m[1])
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)`").FindAllStringSubmatch(doc, -1) {
		if !strings.Contains(mod, m[1]+" v") && !strings.Contains(tools, m[1]) {
			t.Errorf("docs/dependencies.md names %s, which go.mod does not require", m[1])
		}
	}
}
