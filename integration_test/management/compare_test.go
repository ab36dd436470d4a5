package management_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// A difference between an answer of RabbitMQ and ours that is meant to be.
type difference struct {
	// field is a name, which stands for all fields of that name, or a path that ends with it. A path begins with the
	// name of a view; in it [] is every element of an array.
	field  string
	kind   differenceKind
	reason string
}

type differenceKind int

const (
	leftOut   differenceKind = iota // RabbitMQ has it, we do not
	added                           // we have it, RabbitMQ does not
	varies                          // the type is the same, the value is another at every run
	other                           // type or value differ, for the reason given
	sometimes                       // may be there or not; the type is the same
	unordered                       // an array whose order means nothing
	like                            // an array of other elements, with the same fields
)

// uses compares answers and remembers which differences it met.
type uses struct {
	met map[int]bool
}

// find returns the difference of one of these kinds that is meant for a path.
func (u *uses) find(path string, kinds ...differenceKind) bool {
	for i, d := range differences {
		if slices.Contains(kinds, d.kind) && d.matches(path) {
			if u.met == nil {
				u.met = make(map[int]bool)
			}
			u.met[i] = true
			return true
		}
	}
	return false
}

func isLeftOut(path string) bool {
	return slices.ContainsFunc(differences, func(d difference) bool { return d.kind == leftOut && d.matches(path) })
}

// matches takes a name, or several with dots between, for the end of a path.
func (d difference) matches(path string) bool {
	return path == d.field || strings.HasSuffix(path, "."+d.field)
}

// check complains of differences that no longer are any.
func (u *uses) check(t *testing.T) {
	for i, d := range differences {
		if !u.met[i] && d.kind != varies && d.kind != sometimes {
			t.Errorf("%s is listed as a difference and is none", d.field)
		}
	}
}

// compare returns what differs between an answer of RabbitMQ and ours beyond what is listed, "" if nothing does.
func (u *uses) compare(view string, want, got any) string {
	var found []string
	u.walk(view, want, got, func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) })
	return strings.Join(found, "\n")
}

type report func(format string, args ...any)

func (u *uses) walk(path string, want, got any, report report) {
	if u.find(path, other) {
		return
	}
	switch want := want.(type) {
	case map[string]any:
		if got, ok := got.(map[string]any); ok {
			u.walkObject(path, want, got, report)
			return
		}
	case []any:
		if got, ok := got.([]any); ok {
			u.walkArray(path, want, got, report)
			return
		}
		if object, ok := got.(map[string]any); ok && len(want) == 0 && len(object) == 0 {
			return // RabbitMQ shows some objects without fields as []
		}
	}
	wantType, gotType := typeOf(want), typeOf(got)
	if wantType == "fraction" && gotType == "integer" { // 0.0 and 0 are the same to whoever expects a fraction
		gotType = wantType
	}
	if wantType != gotType {
		report("%s: RabbitMQ has %s %s, we have %s %s", path, typeOf(want), text(want), typeOf(got), text(got))
	} else if !equal(want, got) && !u.find(path, varies) {
		report(otherValue, path, text(want), text(got))
	}
}

// otherValue is what a report says of a value of the right type.
const otherValue = "%s: RabbitMQ has %s, we have %s"

func (u *uses) walkObject(path string, want, got map[string]any, report report) {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		field := path + "." + name
		if v, ok := got[name]; ok {
			if !isLeftOut(field) { // or two answers of RabbitMQ are compared
				u.walk(field, want[name], v, report)
			}
		} else if !u.find(field, leftOut, sometimes) {
			report("%s: RabbitMQ has %s, we have no such field", field, text(want[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		field := path + "." + name
		if _, ok := want[name]; !ok && !u.find(field, added, sometimes) {
			report("%s: we have %s, RabbitMQ has no such field", field, text(got[name]))
		}
	}
}

func (u *uses) walkArray(path string, want, got []any, report report) {
	if u.find(path, like) && len(want) > 0 {
		for _, v := range got {
			u.walkShape(path+"[]", want[0], v, report)
		}
		return
	}
	if len(want) != len(got) {
		report("%s: RabbitMQ has %d elements, we have %d: %s and %s", path, len(want), len(got), text(want), text(got))
		return
	}
	if u.find(path, unordered) {
		want, got = sorted(want), sorted(got)
	}
	for i := range want {
		u.walk(path+"[]", want[i], got[i], report)
	}
}

// walkShape compares names and types only.
func (u *uses) walkShape(path string, want, got any, report report) {
	u.walk(path, want, got, func(format string, args ...any) {
		if format != otherValue {
			report(format, args...)
		}
	})
}

// sorted orders objects by what names them.
func sorted(list []any) []any {
	key := func(v any) string {
		o, _ := v.(map[string]any)
		return fmt.Sprint(o["name"], o["consumer_tag"], o["protocol"], o["destination"], o["routing_key"], o["properties_key"])
	}
	return slices.SortedFunc(slices.Values(list), func(a, b any) int { return strings.Compare(key(a), key(b)) })
}

// typeOf names a JSON type; integers are a type of their own, since typed clients decode them as such. A number that
// could have a fraction may be written as an integer, so fields of which RabbitMQ writes one are numbers in general.
func typeOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "bool"
	case string:
		return "string"
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			return "fraction"
		}
		return "integer"
	case []any:
		return "array"
	}
	return "object"
}

func equal(a, b any) bool {
	x, isNumber := a.(json.Number)
	y, areNumbers := b.(json.Number)
	if !isNumber || !areNumbers {
		return text(a) == text(b)
	}
	f, _ := x.Float64()
	g, _ := y.Float64()
	return f == g
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	if len(b) > 300 {
		b = append(b[:300], "…"...)
	}
	return string(b)
}
