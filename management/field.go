package management

import (
	"reflect"
	"strings"
	"sync"
)

// The objects of the API are Go structs with JSON tags. Sorting and columns name their fields by these tags; this file
// finds them. What encoding/json would leave out is not there.

// fields are the JSON fields of a struct type.
type fields map[string]jsonField

type jsonField struct {
	index     []int
	omitEmpty bool
}

var fieldsByType sync.Map // reflect.Type of a struct to its fields

func fieldsOf(t reflect.Type) fields {
	if known, ok := fieldsByType.Load(t); ok {
		return known.(fields)
	}
	all := fields{}
	for _, f := range reflect.VisibleFields(t) {
		tag, ok := f.Tag.Lookup("json")
		if !ok {
			continue // embedded: its fields follow on their own
		}
		name, option, _ := strings.Cut(tag, ",")
		all[name] = jsonField{index: f.Index, omitEmpty: option == "omitempty"}
	}
	fieldsByType.Store(t, all)
	return all
}

// fieldOf returns the field of a struct that has this name in JSON.
func fieldOf(object reflect.Value, name string) (reflect.Value, bool) {
	f, ok := fieldsOf(object.Type())[name]
	if !ok {
		return reflect.Value{}, false
	}
	v, err := object.FieldByIndexErr(f.index)
	if err != nil { // in an embedded struct that is not there
		return reflect.Value{}, false
	}
	if f.omitEmpty && v.IsZero() {
		return reflect.Value{}, false
	}
	return v, true
}

func indirect(v reflect.Value) reflect.Value {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return reflect.Value{}
		}
		v = v.Elem()
	}
	return v
}

// lookup follows a path of names into an object.
func lookup(object any, path []string) (reflect.Value, bool) {
	v := indirect(reflect.ValueOf(object))
	for _, name := range path {
		if v.Kind() != reflect.Struct {
			return reflect.Value{}, false
		}
		var ok bool
		if v, ok = fieldOf(v, name); !ok {
			return reflect.Value{}, false
		}
		v = indirect(v)
	}
	return v, v.IsValid()
}
