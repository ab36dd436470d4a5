package management

import (
	"net/url"
	"reflect"
	"strings"
)

// columns is a tree of the fields that are wanted: below a name the fields of that field, nil for all of it. A nil tree
// wants everything.
type columns map[string]columns

// parseColumns reads columns=name,message_stats.publish_details.rate.
func parseColumns(values url.Values) columns {
	if !values.Has("columns") {
		return nil
	}
	tree := columns{}
	for path := range strings.SplitSeq(values.Get("columns"), ",") {
		tree.add(strings.Split(path, "."))
	}
	return tree
}

func (c columns) add(path []string) {
	for i, name := range path {
		below, ok := c[name]
		switch {
		case ok && below == nil: // all of it is wanted already
			return
		case i == len(path)-1:
			c[name] = nil
			return
		case !ok:
			below = columns{}
			c[name] = below
		}
		c = below
	}
}

// of returns what encodes as v without the fields that are not wanted. In arrays it looks into each element.
func (c columns) of(v any) any {
	if c == nil {
		return v
	}
	if t, ok := v.(table); ok {
		return c.ofTable(t)
	}
	value := indirect(reflect.ValueOf(v))
	switch value.Kind() {
	case reflect.Struct:
		kept := make(map[string]any, len(c))
		for name, below := range c {
			if field, ok := fieldOf(value, name); ok {
				kept[name] = below.of(field.Interface())
			}
		}
		return kept
	case reflect.Slice:
		list := make([]any, value.Len())
		for i := range list {
			list[i] = c.of(value.Index(i).Interface())
		}
		return list
	}
	return v
}

func (c columns) ofTable(t table) table {
	kept := table{}
	for _, f := range t {
		if _, ok := c[f.Name]; ok {
			kept = append(kept, f)
		}
	}
	return kept
}
