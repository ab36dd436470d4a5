// Package house_test holds the rules of the repository that a machine can check: who may import whom, what a file may
// hold, and that what the documents point to is there.
package house_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/warren-mq/warren"

// root is the top folder of the repository, from this one.
const root = "../.."

// sourceFile is a Go file, parsed with its comments.
type sourceFile struct {
	path   string // from the top folder, with slashes
	syntax *ast.File
	lines  int
}

func (f *sourceFile) isTest() bool      { return strings.HasSuffix(f.path, "_test.go") }
func (f *sourceFile) isGenerated() bool { return ast.IsGenerated(f.syntax) }
func (f *sourceFile) folder() string    { return filepath.ToSlash(filepath.Dir(f.path)) }

// imports lists the paths that the file imports.
func (f *sourceFile) imports() (paths []string) {
	for _, spec := range f.syntax.Imports {
		paths = append(paths, strings.Trim(spec.Path.Value, `"`))
	}
	return paths
}

// calls lists the calls of a function of another package, such as time.Now, by line.
func (f *sourceFile) calls(set *token.FileSet, pkg, function string) (lines []int) {
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if sel, ok := call.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == function {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == pkg {
					lines = append(lines, set.Position(call.Pos()).Line)
				}
			}
		}
		return true
	})
	return lines
}

// sources parses every Go file once for all tests.
var sources = sync.OnceValues(func() (files []*sourceFile, err error) {
	err = walk(func(path string) error {
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		syntax, err := parser.ParseFile(positions, filepath.Join(root, path), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files = append(files, &sourceFile{path: path, syntax: syntax, lines: positions.File(syntax.Pos()).LineCount()})
		return nil
	})
	return files, err
})

var positions = token.NewFileSet()

func goFiles(t *testing.T) []*sourceFile {
	t.Helper()
	files, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 20 {
		t.Fatalf("only %d Go files were found", len(files))
	}
	return files
}

// walk visits the files of the repository that people write: not what git, builds, npm or a running broker put there.
func walk(visit func(path string) error) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if slices.Contains([]string{".git", "bin", "data"}, rel) || d.Name() == "node_modules" {
				return fs.SkipDir
			}
			return nil
		}
		return visit(rel)
	})
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
