// Package compat compares Warren's answers with RabbitMQ's, frame by frame.
//
// testdata holds scripts: the steps of many small AMQP exchanges and, indented
// below each step, what RabbitMQ 3.10.8 answered. The test plays them against
// Warren and compares; given a live RabbitMQ it plays them against both. No
// expectation is written by hand: -update records them.
//
// The client in this package is deliberately not built on package amqp and not
// on a client library. A mistake in Warren's codec must not cancel itself out,
// and a well-behaved client cannot send most of what the error cases need. It
// knows the protocol only as the tables in methods.go and values.go, sends
// whatever a script says, and writes down whatever comes back.
//
// README.md explains the script language.
package compat
