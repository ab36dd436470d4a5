// Package house_test holds the rules of the repository that a machine can check: who may import whom, what a file may
// hold, and that what the documents point to is there.
package house_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
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

// calls lists the calls of a function of another package, such as time.Now, by line. Those in functions with one of the
// names that are let off do not count.
func (f *sourceFile) calls(set *token.FileSet, pkg, function string, letOff ...string) (lines []int) {
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		if d, ok := n.(*ast.FuncDecl); ok && slices.Contains(letOff, d.Name.Name) {
			return false
		}
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

// uses lists the names that the file takes from one of our own packages, at least one.
func (f *sourceFile) uses(pkg string) (names []string) {
	local := path.Base(pkg)
	for _, spec := range f.syntax.Imports {
		if spec.Path.Value == `"`+module+"/"+pkg+`"` && spec.Name != nil {
			local = spec.Name.Name
		}
	}
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == local && !slices.Contains(names, sel.Sel.Name) {
				names = append(names, sel.Sel.Name)
			}
		}
		return true
	})
	if len(names) == 0 {
		names = []string{"*"} // imported for its effects, or under the name of everything
	}
	return names
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
		if rel == ".git" { // a file in a linked work tree
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
