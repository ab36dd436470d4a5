package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// entry is what the configuration file says of one setting.
type entry struct {
	where string // file, line and key, for errors
	words []string
}

// readFile reads the configuration file: TOML with the settings' names as keys, no tables. Values may be written as
// TOML's strings, numbers, booleans and arrays alike; the setting judges them as it judges a flag.
func (s *settings) readFile(path string) (map[string]entry, error) {
	if path == "" {
		return nil, nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration file: %w", err)
	}
	var values map[string]any
	if _, err := toml.Decode(string(content), &values); err != nil {
		if e, ok := errors.AsType[toml.ParseError](err); ok {
			return nil, fmt.Errorf("%s:%d: %s", path, e.Position.Line, e.Message)
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	entries := make(map[string]entry, len(values))
	var faults []error
	for _, key := range slices.Sorted(maps.Keys(values)) {
		where := path + lineOf(string(content), key)
		if set := s.find(key); set == nil || key == "config" {
			faults = append(faults, fmt.Errorf("%s: unknown key %q%s", where, key, didYouMean(`"`, key, `"`, s.fileKeys())))
			continue
		}
		words, err := wordsOf(values[key])
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %s: %w", where, key, err))
			continue
		}
		entries[key] = entry{where: where + ": " + key, words: words}
	}
	return entries, errors.Join(faults...)
}

// fileKeys are the settings that the file may hold.
func (s *settings) fileKeys() []string {
	return slices.DeleteFunc(s.names(), func(name string) bool { return name == "config" })
}

// lineOf finds the line on which a key is set, as ":LINE", or nothing if it is written in an unusual way: the parser
// keeps no positions.
func lineOf(content, key string) string {
	set := regexp.MustCompile(`^\s*(\[?["']?` + regexp.QuoteMeta(key) + `["']?\s*[].=])`)
	n := 0
	for line := range strings.Lines(content) {
		n++
		if set.MatchString(line) {
			return ":" + strconv.Itoa(n)
		}
	}
	return ""
}

// wordsOf turns a TOML value into the words that a flag would have been given.
func wordsOf(v any) (words []string, err error) {
	switch v := v.(type) {
	case string:
		return []string{v}, nil
	case bool:
		return []string{strconv.FormatBool(v)}, nil
	case int64:
		return []string{strconv.FormatInt(v, 10)}, nil
	case float64:
		word := strconv.FormatFloat(v, 'f', -1, 64)
		if !strings.Contains(word, ".") {
			word += ".0" // 2.0 stays a fraction: 2 would be a number of bytes
		}
		return []string{word}, nil
	case []any:
		for _, item := range v {
			if _, nested := item.([]any); nested {
				return nil, fmt.Errorf("arrays in arrays mean nothing here")
			}
			word, err := wordsOf(item)
			if err != nil {
				return nil, err
			}
			words = append(words, word...)
		}
		if words == nil {
			words = []string{""}
		}
		return words, nil
	case map[string]any:
		return nil, fmt.Errorf("is a table; settings are plain keys")
	}
	return nil, fmt.Errorf("dates and times mean nothing here")
}
