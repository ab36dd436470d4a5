// Package auth says who a client is and what it may do: users with RabbitMQ's password hashes, the rule that keeps
// default users on the loopback interface, permissions as regular expressions, and the SASL mechanisms PLAIN and
// AMQPLAIN. Semantics are RabbitMQ 3.10.8's.
//
// Everything is kept in memory; whoever stores it restores it through the same methods. A client learns that it was
// refused and never why: what is good for the log alone travels in LoginError.Reason.
//
// Users may be used from any goroutine. Cache belongs to one.
package auth
