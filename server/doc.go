// Package server speaks AMQP 0-9-1 with clients: sockets, handshake, channels and their methods, deliveries and
// confirms. What the methods do to exchanges and queues is package broker's.
//
// A connection has one reader, the goroutine that accepted it. It decodes frames, owns the state of the channels
// and runs the core's code inline. What one socket read brought is the unit of work: publishes are gathered and
// settled together (see broker.Publisher), acknowledgements likewise; any other method settles first, so that a
// client sees its methods take effect in the order in which it sent them.
//
// What goes to the client is appended to the connection's outbox, by the reader or by whoever published what is
// delivered. A writer takes it to the socket; it is a goroutine that lives as long as there is something to write.
//
// Only readers wait: while an alarm holds publishers, while the client does not take the answers that it asked for,
// for the disk. What consumers are given never stops the reader of their connection: they lose their credit instead,
// until the client has taken some. A client that stays away is found by its heartbeats.
//
// A connection may be told to end from outside at any time (forceClose): the reader finds that wherever it waits, gives
// back what the client held, and only then tells the client. Nothing else ends a connection but its reader.
//
// An idle connection keeps neither a read buffer nor a write buffer.
package server
