package server

import (
	"cmp"
	"slices"

	"github.com/warren-mq/warren/amqp"
)

// overlay replaces or adds the operator's server-properties and sorts the table by key, as RabbitMQ's is.
func overlay(t amqp.Table, extra map[string]string) amqp.Table {
	for name, value := range extra {
		t = slices.DeleteFunc(t, func(f amqp.Field) bool { return f.Name == name })
		t = append(t, amqp.Field{Name: name, Value: value})
	}
	slices.SortFunc(t, func(a, b amqp.Field) int { return cmp.Compare(a.Name, b.Name) })
	return t
}
