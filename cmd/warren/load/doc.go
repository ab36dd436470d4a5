// Package load puts load on a broker as applications do, through the client library amqp091-go, and measures what comes
// of it: it is the work of "warren bench". It knows nothing of Warren and runs against any broker that speaks AMQP 0-9-1.
//
// Each producer and each consumer has a connection of its own. A body begins with a stamp (see stamp.go), from which a
// consumer tells how long the message was on its way; so both ends are in one process, and the clock is one.
//
// What amqp091-go itself costs is in the figures. They say what an application in Go can reach; what a broker can reach
// is measured with raw frames (see docs/benchmarks.md).
package load
