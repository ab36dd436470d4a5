package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of settings in docs/operations.md anew")

// settingsTable is the table of docs/operations.md.
func settingsTable() string {
	var b strings.Builder
	b.WriteString("| flag and key | variable | default | meaning |\n|---|---|---|---|\n")
	about := strings.NewReplacer("`", "", "|", "\\|")
	category := ""
	for _, s := range newSettings().all {
		if s.category != category {
			category = s.category
			fmt.Fprintf(&b, "| **%s** | | | |\n", category)
		}
		def := "`" + s.value.text() + "`"
		switch s.name {
		case "config":
			def = ""
		case "node-name":
			def = "`rabbit@` and the host's name"
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", s.name, s.envVar(), def, about.Replace(s.about))
	}
	return b.String()
}

func TestOperationsDocumentListsTheSettings(t *testing.T) {
	path := filepath.Join(top, "docs", "operations.md")
	between := regexp.MustCompile(`(?s)(<!-- settings: written by make docs -->\n).*?(<!-- end of settings -->)`)
	doc := readTop(t, "docs/operations.md")
	if !between.MatchString(doc) {
		t.Fatal("docs/operations.md has no marks around the table of settings")
	}
	want := between.ReplaceAllStringFunc(doc, func(old string) string {
		m := between.FindStringSubmatch(old)
		return m[1] + "\n" + settingsTable() + "\n" + m[2]
	})
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if doc != want {
		t.Error(`the table of settings is not that of the code; "make docs" writes it`)
	}
}

// example is a configuration file in a document.
var example = regexp.MustCompile("(?s)```toml\n(.*?)```")

func TestConfigurationFilesInDocumentsAreRight(t *testing.T) {
	found := example.FindAllStringSubmatch(readTop(t, "docs/operations.md"), -1)
	if len(found) == 0 {
		t.Fatal("docs/operations.md shows no configuration file")
	}
	for _, m := range found {
		if _, err := resolved(t, "--config", fileWith(t, m[1])); err != nil {
			t.Error(err)
		}
	}
}
