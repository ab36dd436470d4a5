package amqp

import "bytes"

// Equivalent tells whether two arguments are of the same class and equal (RabbitMQ 3.10.8 behaviour): integers of any
// size compare by value, and so do floats of any size; all else must have the same type and value. A decimal equals no
// integer. Within arrays and tables, whose order counts, types must match exactly.
func Equivalent(a, b any) bool {
	if x, ok := Integer(a); ok {
		y, ok := Integer(b)
		return ok && x == y
	}
	if x, ok := float(a); ok {
		y, ok := float(b)
		return ok && x == y
	}
	return identical(a, b)
}

func float(v any) (float64, bool) {
	switch v := v.(type) {
	case float32:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// identical tells whether a and b have the same type and value.
func identical(a, b any) bool {
	switch a := a.(type) {
	case Binary:
		b, ok := b.(Binary)
		return ok && bytes.Equal(a, b)
	case Array:
		b, ok := b.(Array)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !identical(a[i], b[i]) {
				return false
			}
		}
		return true
	case Table:
		b, ok := b.(Table)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if a[i].Name != b[i].Name || !identical(a[i].Value, b[i].Value) {
				return false
			}
		}
		return true
	}
	switch b.(type) {
	case Binary, Array, Table: // not comparable with ==
		return false
	}
	return a == b
}
