// Package broker is the core behind both front doors: vhosts, their exchanges, queues and bindings, who may use
// them, and the path of a published message from its exchange to its queues.
//
// It knows neither sockets nor HTTP. A front door opens a [Session] for an authenticated user in one vhost and
// drives the core through it; everything that a client did wrong comes back as an [*amqp.Error] with RabbitMQ's
// code and text, which AMQP answers with a close frame and HTTP with a status.
//
// Messages enter through a [Publisher], which one goroutine owns (a connection's reader): it routes what one read
// brought and hands each touched queue its share at once. What queues cannot do themselves (wake consumers, remove
// an auto-deleted queue) they return as [queue.Effects]; whoever called the queue runs them, with no lock held.
//
// Lock order: vhost → queue → outbox. The routes need no lock.
package broker
