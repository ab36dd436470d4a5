// Command gen writes the generated part of package amqp: the method structs with their encoders and decoders
// (one file per class), the table of methods and the reply codes. It is run by `go generate ./amqp`.
//
// The input is a definition file of our own, whose format its head explains; the output depends on nothing else,
// so a test can generate it again and compare.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	specFile := flag.String("spec", "spec/amqp0-9-1.txt", "definition file")
	out := flag.String("out", ".", "folder to write to")
	flag.Parse()
	if err := run(*specFile, *out); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(specFile, out string) error {
	text, err := os.ReadFile(specFile)
	if err != nil {
		return err
	}
	files, err := generate(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", specFile, err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(out, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate turns the text of a definition file into files by name.
func generate(text string) (map[string][]byte, error) {
	spec, err := parse(text)
	if err != nil {
		return nil, err
	}
	files := map[string]func(*emitter){
		"methods_gen.go":    func(e *emitter) { e.methodTable(spec) },
		"replycodes_gen.go": func(e *emitter) { e.replyCodes(spec) },
	}
	for _, class := range spec.Classes {
		files["class_"+class.Name+"_gen.go"] = func(e *emitter) { e.class(class) }
	}
	sources := make(map[string][]byte, len(files))
	for name, emit := range files {
		e := new(emitter)
		emit(e)
		if sources[name], err = e.source(); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return sources, nil
}
