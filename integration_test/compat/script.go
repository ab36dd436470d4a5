package compat

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Case is one scripted exchange and the answers recorded for it.
type Case struct {
	Name    string
	Remarks []string // the comment lines below the name
	Steps   []Step
}

// Slow says that the case waits for more than four seconds by design; its name ends in "(slow)".
func (c *Case) Slow() bool { return strings.HasSuffix(c.Name, "(slow)") }

// Step is one line of a script with the answers indented below it.
type Step struct {
	Line    string
	Answers []string
}

// File is one script file. Prose holds the lines before the first case.
type File struct {
	Path  string
	Prose []string
	Cases []*Case
}

// Area is the name of the file without folder and extension.
func (f *File) Area() string {
	return strings.TrimSuffix(filepath.Base(f.Path), filepath.Ext(f.Path))
}

const answerIndent = "    "

// ReadFile parses a script file.
func ReadFile(path string) (*File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f := &File{Path: path}
	var c *Case
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		line = strings.TrimRight(line, "\n")
		name, isName := strings.CutPrefix(line, "== ")
		switch {
		case isName:
			c = &Case{Name: strings.TrimSpace(name)}
			f.Cases = append(f.Cases, c)
		case c == nil:
			f.Prose = append(f.Prose, line)
		case strings.TrimSpace(line) == "":
		case strings.HasPrefix(line, "#"):
			if len(c.Steps) > 0 {
				return nil, fmt.Errorf("%s:%d: remarks stand right below the name of a case", path, number)
			}
			c.Remarks = append(c.Remarks, line)
		case strings.HasPrefix(line, answerIndent):
			if len(c.Steps) == 0 {
				return nil, fmt.Errorf("%s:%d: answer before the first step", path, number)
			}
			last := &c.Steps[len(c.Steps)-1]
			last.Answers = append(last.Answers, strings.TrimPrefix(line, answerIndent))
		default:
			c.Steps = append(c.Steps, Step{Line: strings.TrimSpace(line)})
		}
	}
	return f, nil
}

// String is the text of the file, as ReadFile reads it.
func (f *File) String() string {
	var b strings.Builder
	for _, line := range f.Prose {
		b.WriteString(line + "\n")
	}
	for i, c := range f.Cases {
		if i > 0 {
			b.WriteString("\n")
		}
		b.WriteString("== " + c.Name + "\n")
		for _, line := range c.Remarks {
			b.WriteString(line + "\n")
		}
		b.WriteString(formatSteps(c.Steps))
	}
	return b.String()
}

func formatSteps(steps []Step) string {
	var b strings.Builder
	for _, s := range steps {
		b.WriteString(s.Line + "\n")
		for _, a := range s.Answers {
			b.WriteString(answerIndent + a + "\n")
		}
	}
	return b.String()
}
