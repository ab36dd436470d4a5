package management

import (
	"cmp"
	"reflect"
	"strconv"
)

// sortKey is a field's value in the order of Erlang's terms, which is RabbitMQ's: numbers, then words (true, false,
// null), then objects and lists, then texts. A field that is not there counts as 0.
type sortKey struct {
	class  sortClass
	number float64
	text   string
}

type sortClass uint8

const (
	numbers sortClass = iota
	words
	objects
	texts
)

func sortKeyOf(v reflect.Value, ok bool) sortKey {
	switch {
	case !ok:
		return sortKey{}
	case v.CanInt():
		return sortKey{number: float64(v.Int())}
	case v.CanUint():
		return sortKey{number: float64(v.Uint())}
	case v.CanFloat():
		return sortKey{number: v.Float()}
	case v.Kind() == reflect.Bool:
		return sortKey{class: words, text: strconv.FormatBool(v.Bool())}
	case v.Kind() == reflect.String:
		return sortKey{class: texts, text: v.String()}
	}
	return sortKey{class: objects}
}

func (k sortKey) compare(other sortKey) int {
	return cmp.Or(cmp.Compare(k.class, other.class), cmp.Compare(k.number, other.number), cmp.Compare(k.text, other.text))
}
