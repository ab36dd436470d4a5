package compat

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// differencesFile lists the cases in which Warren is meant to answer otherwise:
// AREA/CASE, the reason as remarks, the steps with Warren's answers.
const differencesFile = "differences.txt"

type differences struct {
	file *File
	mu   sync.Mutex
	used map[string]bool
}

func readDifferences(t *testing.T) *differences {
	t.Helper()
	f, err := ReadFile(filepath.Join("testdata", differencesFile))
	if err != nil {
		t.Fatal(err)
	}
	return &differences{file: f, used: map[string]bool{}}
}

func (d *differences) of(f *File, c *Case) *Case {
	for _, x := range d.file.Cases {
		if x.Name == f.Area()+"/"+c.Name {
			d.mu.Lock()
			d.used[x.Name] = true
			d.mu.Unlock()
			return x
		}
	}
	return nil
}

// checkUsed refuses entries of cases that are gone; subtests that -run left out
// cannot be told from those, so only a whole run is checked.
func (d *differences) checkUsed(t *testing.T) {
	t.Cleanup(func() {
		if len(d.used) == 0 || t.Failed() {
			return
		}
		for _, x := range d.file.Cases {
			if !d.used[x.Name] {
				t.Logf("differences.txt has %q, which was not run", x.Name)
			}
		}
	})
}

// TestDifferencesHaveReasonsAndCases holds the list to its form.
func TestDifferencesHaveReasonsAndCases(t *testing.T) {
	d := readDifferences(t)
	known := map[string]*Case{}
	for _, f := range readFiles(t) {
		for _, c := range f.Cases {
			known[f.Area()+"/"+c.Name] = c
		}
	}
	for _, x := range d.file.Cases {
		c := known[x.Name]
		if c == nil {
			t.Errorf("%s: no such case", x.Name)
			continue
		}
		if len(x.Remarks) == 0 {
			t.Errorf("%s: no reason given", x.Name)
		}
		same := len(x.Steps) == len(c.Steps)
		for i := range min(len(x.Steps), len(c.Steps)) {
			same = same && x.Steps[i].Line == c.Steps[i].Line
		}
		if !same {
			t.Errorf("%s: the steps are not those of the case; write only the name and the reason, then run -update-differences", x.Name)
		}
	}
}

// TestDifferencesAreDocumented wants the title of each difference, the part of
// its reason before the first colon, in docs/compatibility.md.
func TestDifferencesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/compatibility.md")
	if os.IsNotExist(err) {
		t.Skip("no docs/compatibility.md")
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range readDifferences(t).file.Cases {
		title, _, ok := strings.Cut(strings.TrimPrefix(strings.Join(x.Remarks, " "), "# "), ":")
		if !ok {
			t.Errorf("%s: the reason has no title", x.Name)
		} else if !strings.Contains(string(text), title) {
			t.Errorf("%s: docs/compatibility.md does not mention %q", x.Name, title)
		}
	}
}

// TestUpdateDifferences records Warren's answers, with -update-differences. An
// entry needs only its name and reason before.
func TestUpdateDifferences(t *testing.T) {
	if !*explain {
		t.Skip("records with -update-differences")
	}
	addr := warren(t)
	d := readDifferences(t)
	for _, f := range readFiles(t) {
		for _, c := range f.Cases {
			x := d.of(f, c)
			if x == nil {
				continue
			}
			x.Steps = play(t, addr, f.Area(), c, patient)
			if diff(c.Steps, x.Steps, "", "") == "" {
				t.Errorf("%s: Warren answers as RabbitMQ, remove the entry", x.Name)
			}
		}
	}
	if err := os.WriteFile(d.file.Path, []byte(d.file.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestTableIsLargeAndNamesAreUnique keeps the table from shrinking unnoticed.
func TestTableIsLargeAndNamesAreUnique(t *testing.T) {
	count := 0
	for _, f := range readFiles(t) {
		seen := map[string]bool{}
		for _, c := range f.Cases {
			count++
			if seen[c.Name] {
				t.Errorf("%s: two cases are called %q", f.Path, c.Name)
			}
			seen[c.Name] = true
			if strings.Contains(c.Name, "/") {
				t.Errorf("%s: %q contains a slash", f.Path, c.Name)
			}
		}
	}
	if count < 120 {
		t.Errorf("%d cases, at least 120 are meant to be here", count)
	}
}
