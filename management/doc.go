// Package management is the HTTP door of a broker: RabbitMQ's management API, with its paths, field names, JSON types
// and refusals, and its Prometheus metrics. What it shows it reads from package broker at the moment of the request;
// only rates come from a sampler that looks at all counters every five seconds.
//
// It knows nothing of AMQP connections beyond broker.Connection, and nothing of listeners but what Config tells it.
//
// Server is the main type. A resource of the API is a file, with the Go type of its JSON object on top: the tags of the
// fields are the names of the API. routes.go lists all paths.
//
// Objects differ from RabbitMQ 3.10.8 where that shows the inside of an Erlang node (reductions, garbage_collection,
// backing_queue_status and their like are left out), and where it answers [] for an object without fields ({} here).
package management
